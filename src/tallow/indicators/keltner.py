"""Keltner channel."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter, Values
from tallow.indicators._averages import average_step, range_step
from tallow.indicators._declare import FIRST_RANGE, START, length, multiplier


@kernel
def advance(state, params, offsets, high, low, close, upper, middle, lower):  # type: ignore[no-untyped-def]
    """State: rows seen, close before, count and average of the price and of the range."""
    n, times, range_n = params[0], params[1], params[2]
    typical, none = params[3] == 1.0, params[4] == 1.0
    aligned, together = params[5] == 1.0, params[6] == 1.0
    late = range_n - n + (1.0 if none else 0.0)
    skip = max(late, 0.0) if aligned else 0.0
    range_skip = max(-late, 0.0) if aligned else 0.0
    if none:
        range_skip += 1.0
    for i in range(len(state)):
        seen, before, count, mean = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
        range_count, reach = state[i, 4], state[i, 5]
        for row in range(offsets[i], offsets[i + 1]):
            upper[row] = middle[row] = lower[row] = np.nan
            h, l, c = high[row], low[row], close[row]
            if h != h or l != l or c != c:
                continue
            if seen >= range_skip:
                x = range_step(h, l, before if seen > 0.0 else np.nan)
                range_count, reach = average_step(range_count, reach, x, range_n, 1.0 / range_n)
            if seen >= skip:
                price = (h + l + c) / 3.0 if typical else c
                count, mean = average_step(count, mean, price, n, 2.0 / (n + 1.0))
            before, seen = c, min(seen + 1.0, skip + range_skip + 1.0)
            if count == n and (range_count == range_n or not together):
                middle[row] = mean
                if range_count == range_n:
                    upper[row] = mean + times * reach
                    lower[row] = mean - times * reach
        state[i, 0], state[i, 1], state[i, 2], state[i, 3] = seen, before, count, mean
        state[i, 4], state[i, 5] = range_count, reach


def _warmup(p: Values) -> tuple[int, ...]:
    middle = int(p["length"]) - 1
    band = max(middle, int(p["atr_length"]) - (p["first_range"] == "high_low"))
    return (band, band if p["start"] == "together" else middle, band)


_N = "{length}_{multiplier}_{atr_length}"

INDICATOR = Indicator(
    name="keltner",
    title="Keltner channel",
    inputs=("high", "low", "close"),
    outputs=(
        Output("upper", f"keltner_upper_{_N}", "price", "middle + multiplier x range"),
        Output("middle", f"keltner_middle_{_N}", "price", "exponential mean of the price"),
        Output("lower", f"keltner_lower_{_N}", "price", "middle - multiplier x range"),
    ),
    parameters=(
        length(20),
        multiplier(2.0),
        length(10, name="atr_length"),
        Parameter("source", "close", "price of a row", choices=("close", "hlc3")),
        FIRST_RANGE,
        Parameter(
            "seed",
            "own",
            "seed each average on its own first rows, or both on those before the common first row",
            choices=("own", "aligned"),
        ),
        START,
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda _: 6,
    advance=advance,
    formula="ema(source, length) +- multiplier x atr(atr_length); hlc3 = (high + low + close) / 3",
    reference="Keltner (1960), as revised by Raschke: exponential mean and average true range; "
    "Pine's ta.kc has another range: its exponential mean over length",
    seed="means of the first rows; TA-Lib's are of the rows before the first that has both",
    presets={
        "talib": {"source": "hlc3", "first_range": "none", "seed": "aligned", "start": "together"}
    },
    version=2,
    compared=("talib",),
    aliases=("kc",),
    names={"talib": "KC", "pine": "ta.kc ta.kcw", "pandas_ta": "kc"},
)
