"""Trailing stop at a distance of average ranges."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._averages import average_step, range_step
from tallow.indicators._declare import FIRST_RANGE, length, multiplier
from tallow.indicators._trails import trail_step


@kernel
def advance(state, params, offsets, high, low, close, stop, direction):  # type: ignore[no-untyped-def]
    """State: close before, count and average of range, upper and lower band, direction, seen."""
    n, times, none = params[0], params[1], params[2] == 1.0
    for i in range(len(state)):
        before, count, reach = state[i, 0], state[i, 1], state[i, 2]
        upper, lower, way, seen = state[i, 3], state[i, 4], state[i, 5], state[i, 6]
        for row in range(offsets[i], offsets[i + 1]):
            stop[row] = direction[row] = np.nan
            h, l, c = high[row], low[row], close[row]
            if h != h or l != l or c != c:
                continue
            if seen > 0.0 or not none:
                x = range_step(h, l, before if seen > 0.0 else np.nan)
                count, reach = average_step(count, reach, x, n, 1.0 / n)
            if count == n:
                gap = times * reach
                upper, lower = trail_step(upper, lower, c + gap, c - gap, before, way == 0.0)
                if way == 0.0:
                    way = 1.0 if c >= before or seen == 0.0 else -1.0
                way = 1.0 if c > (lower if way > 0.0 else upper) else -1.0
                stop[row] = lower if way > 0.0 else upper
                direction[row] = way
            before, seen = c, 1.0
        state[i, 0], state[i, 1], state[i, 2] = before, count, reach
        state[i, 3], state[i, 4], state[i, 5], state[i, 6] = upper, lower, way, seen


_N = "{length}_{multiplier}"

INDICATOR = Indicator(
    name="atr_stop",
    title="Average true range trailing stop",
    inputs=("high", "low", "close"),
    outputs=(
        Output("stop", f"atr_stop_{_N}", "price", "the stop that follows the trend"),
        Output("direction", f"atr_stop_direction_{_N}", "sign", "1 upward, -1 downward", -1.0, 1.0),
    ),
    parameters=(length(21), multiplier(3.0), FIRST_RANGE),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]) - (p["first_range"] == "high_low"),) * 2,
    state_size=lambda _: 7,
    advance=advance,
    formula="close +- multiplier x atr(length), moving with the trend only; it turns on a close at "
    "the stop",
    reference="Wilder (1978), New Concepts in Technical Trading Systems; as Stock.Indicators",
    seed="upward where the first close with an average range is not below the one before",
    presets={"talib": {"first_range": "none"}},
)
