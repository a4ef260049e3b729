"""True range."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._averages import range_step
from tallow.indicators._declare import WILDER


@kernel_part
def _go_on(high, low, close, before, out):  # type: ignore[no-untyped-def]
    """Write the ranges of rows that have one before them."""
    for j in range(len(out)):
        known = close[j] == close[j] and before[j] == before[j]
        out[j] = range_step(high[j], low[j], before[j]) if known else np.nan


@kernel
def advance(state, params, offsets, high, low, close, out):  # type: ignore[no-untyped-def]
    """State: the close before."""
    for i in range(len(state)):
        a, z = offsets[i], offsets[i + 1]
        if a == z:
            continue
        known = state[i, 0] == state[i, 0] and close[a] == close[a]
        out[a] = range_step(high[a], low[a], state[i, 0]) if known else np.nan
        if z - a > 1:
            _go_on(high[a + 1 : z], low[a + 1 : z], close[a + 1 : z], close[a:z], out[a + 1 : z])
        state[i, 0] = close[z - 1]


INDICATOR = Indicator(
    name="true_range",
    title="True range",
    inputs=("high", "low", "close"),
    outputs=(
        Output("true_range", "true_range", "price difference", "range with the gap before it", 0.0),
    ),
    parameters=(),
    memory=WINDOW,
    warmup=lambda _: (1,),
    state_size=lambda _: 1,
    advance=advance,
    formula="max(high - low, |high - close before|, |low - close before|)",
    reference=WILDER,
    version=2,
    compared=("talib",),
    aliases=("trange", "tr"),
    names={"talib": "TRANGE", "pine": "ta.tr", "pandas_ta": "true_range"},
)
