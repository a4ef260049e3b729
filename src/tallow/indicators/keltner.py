"""Keltner channel."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output, Values
from tallow.indicators._averages import average_step, range_step
from tallow.indicators._declare import length, multiplier


@kernel
def advance(state, params, offsets, high, low, close, upper, middle, lower):  # type: ignore[no-untyped-def]
    """State: close before (0 rows: count is 0), count and average of the close and of the range."""
    n, times, range_n = params[0], params[1], params[2]
    for i in range(len(state)):
        before, count, mean = state[i, 0], state[i, 1], state[i, 2]
        range_count, reach = state[i, 3], state[i, 4]
        for row in range(offsets[i], offsets[i + 1]):
            upper[row] = middle[row] = lower[row] = np.nan
            h, l, c = high[row], low[row], close[row]
            if h != h or l != l or c != c:
                continue
            x = range_step(h, l, before if count > 0.0 else np.nan)
            range_count, reach = average_step(range_count, reach, x, range_n, 1.0 / range_n)
            count, mean = average_step(count, mean, c, n, 2.0 / (n + 1.0))
            before = c
            if count == n:
                middle[row] = mean
                if range_count == range_n:
                    upper[row] = mean + times * reach
                    lower[row] = mean - times * reach
        state[i, 0], state[i, 1], state[i, 2] = before, count, mean
        state[i, 3], state[i, 4] = range_count, reach


def _warmup(p: Values) -> tuple[int, ...]:
    middle = int(p["length"]) - 1
    band = max(middle, int(p["atr_length"]) - 1)
    return (band, middle, band)


_N = "{length}_{multiplier}_{atr_length}"

INDICATOR = Indicator(
    name="keltner",
    title="Keltner channel",
    inputs=("high", "low", "close"),
    outputs=(
        Output("upper", f"keltner_upper_{_N}", "price", "middle + multiplier x range"),
        Output("middle", f"keltner_middle_{_N}", "price", "exponential mean of the closes"),
        Output("lower", f"keltner_lower_{_N}", "price", "middle - multiplier x range"),
    ),
    parameters=(length(20), multiplier(2.0), length(10, name="atr_length")),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda _: 5,
    advance=advance,
    formula="ema(close, length) +- multiplier x atr(atr_length)",
    reference="Keltner (1960), as revised by Raschke: exponential mean and average true range",
    seed="means of the first rows; the first row's range is high minus low",
)
