"""Elder's bull power and bear power."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._averages import average_step
from tallow.indicators._declare import length


@kernel
def advance(state, params, offsets, high, low, close, bull, bear):  # type: ignore[no-untyped-def]
    """State: count and value of the average."""
    n, weight = params[0], 2.0 / (params[0] + 1.0)
    for i in range(len(state)):
        count, value = state[i, 0], state[i, 1]
        for row in range(offsets[i], offsets[i + 1]):
            h, l, x = high[row], low[row], close[row]
            bull[row] = bear[row] = np.nan
            known = h + l + x
            if known != known:
                continue
            count, value = average_step(count, value, x, n, weight)
            if count == n:
                bull[row], bear[row] = h - value, l - value
        state[i, 0], state[i, 1] = count, value


INDICATOR = Indicator(
    name="elder_ray",
    title="Elder ray",
    inputs=("high", "low", "close"),
    outputs=(
        Output("bull", "bull_power_{length}", "price difference", "the high above the average"),
        Output("bear", "bear_power_{length}", "price difference", "the low above the average"),
    ),
    parameters=(length(13),),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]) - 1,) * 2,
    state_size=lambda _: 2,
    advance=advance,
    formula="bull = high - ema(close, length); bear = low - ema(close, length)",
    reference="Elder (1993), Trading for a Living",
    seed="mean of the first length closes",
    version=2,
    compared=("talib",),
    aliases=("eri",),
    names={"talib": "ERI", "pandas_ta": "eri"},
)
