"""True range."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._averages import range_step
from tallow.indicators._declare import WILDER


@kernel
def advance(state, params, offsets, high, low, close, out):  # type: ignore[no-untyped-def]
    """State: the close before."""
    for i in range(len(state)):
        before = state[i, 0]
        for row in range(offsets[i], offsets[i + 1]):
            missing = before != before or close[row] != close[row]
            out[row] = np.nan if missing else range_step(high[row], low[row], before)
            before = close[row]
        state[i, 0] = before


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
    compared=("talib",),
    aliases=("trange", "tr"),
    names={"talib": "TRANGE", "pine": "ta.tr", "pandas_ta": "true_range"},
)
