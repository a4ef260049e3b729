"""Supertrend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.limits import LENGTH_MAX
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter, Value
from tallow.indicators._averages import average_step, range_step
from tallow.indicators._declare import FIRST_RANGE, length, multiplier
from tallow.indicators._trails import trail_step


@kernel
def advance(state, params, offsets, high, low, close, line, direction):  # type: ignore[no-untyped-def]
    """State: close before, count and average of range, upper and lower band, direction, seen."""
    n, times, none, up = params[0], params[1], params[2] == 1.0, params[3] == 1.0
    for i in range(len(state)):
        before, count, reach = state[i, 0], state[i, 1], state[i, 2]
        upper, lower, way, seen = state[i, 3], state[i, 4], state[i, 5], state[i, 6]
        for row in range(offsets[i], offsets[i + 1]):
            line[row] = direction[row] = np.nan
            h, l, c = high[row], low[row], close[row]
            if h != h or l != l or c != c:
                continue
            if seen > 0.0 or not none:
                x = range_step(h, l, before if seen > 0.0 else np.nan)
                count, reach = average_step(count, reach, x, n, 1.0 / n)
            if count == n:
                above, below = (h + l) / 2.0 + times * reach, (h + l) / 2.0 - times * reach
                upper, lower = trail_step(upper, lower, above, below, before, way == 0.0)
                if way == 0.0:
                    way = 1.0 if up else -1.0
                elif way > 0.0:
                    way = -1.0 if c < lower else 1.0
                else:
                    way = 1.0 if c > upper else -1.0
                line[row] = lower if way > 0.0 else upper
                direction[row] = way
            before, seen = c, 1.0
        state[i, 0], state[i, 1], state[i, 2] = before, count, reach
        state[i, 3], state[i, 4], state[i, 5], state[i, 6] = upper, lower, way, seen


def _order(given: Sequence[Value]) -> str | None:
    """Refuse what is likely Pine's order, which has the factor first."""
    sizes = (int, float, np.integer)
    known = [float(x) for x in given[:2] if isinstance(x, sizes) and abs(x) <= LENGTH_MAX]
    # Only a whole number can be meant as the length.
    if len(known) < 2 or known[0] >= known[1] or known[1] % 1.0 != 0.0:
        return None
    length, times = known
    return (
        f"length={length:g}, multiplier={times:g}; the smaller one first is Pine's order, "
        f"factor and length; give supertrend({times:g}, {length:g}), or both by name: "
        f"length={length:g}, multiplier={times:g}"
    )


_N = "{length}_{multiplier}"

INDICATOR = Indicator(
    name="supertrend",
    title="Supertrend",
    inputs=("high", "low", "close"),
    outputs=(
        Output("line", f"supertrend_{_N}", "price", "the band that trails the trend"),
        Output(
            "direction",
            f"supertrend_direction_{_N}",
            "sign",
            "1 in an upward trend, -1 in a downward one (TradingView's ta.supertrend negates it)",
            -1.0,
            1.0,
        ),
    ),
    parameters=(
        length(10),
        multiplier(3.0),
        FIRST_RANGE,
        Parameter("first_trend", "down", "direction of the first row", choices=("down", "up")),
    ),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]) - (p["first_range"] == "high_low"),) * 2,
    state_size=lambda _: 7,
    advance=advance,
    formula="(high + low) / 2 +- multiplier x atr(length), each band moving with the trend only",
    reference="Seban (2008), Tout le monde mérite d'être riche; as ta.supertrend",
    seed="downward on TradingView, upward in TA-Lib, at the first row that has an average range",
    presets={"talib": {"first_range": "none", "first_trend": "up"}},
    version=3,
    compared=("talib",),
    order=_order,
    names={"talib": "SUPERTREND", "pine": "ta.supertrend", "pandas_ta": "supertrend"},
)
