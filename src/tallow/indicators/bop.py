"""Balance of power."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output, Parameter


@kernel
def advance(state, params, offsets, open_, high, low, close, out):  # type: ignore[no-untyped-def]
    """State: none."""
    flat = 0.0 if params[0] == 1.0 else np.nan
    a, z = offsets[0], offsets[len(state)]
    o, h, l, c, share = open_[a:z], high[a:z], low[a:z], close[a:z], out[a:z]
    for j in range(len(share)):
        reach, gain = h[j] - l[j], c[j] - o[j]
        value = gain / (reach if reach != 0.0 else 1.0)
        share[j] = flat if reach == 0.0 and gain == gain else value


INDICATOR = Indicator(
    name="bop",
    title="Balance of power",
    inputs=("open", "high", "low", "close"),
    outputs=(Output("bop", "bop", "ratio", "part of the range that was won", -1.0, 1.0),),
    parameters=(
        Parameter("flat", "null", "value of a row without range", choices=("null", "zero")),
    ),
    memory=WINDOW,
    warmup=lambda _: (0,),
    state_size=lambda _: 0,
    advance=advance,
    formula="(close - open) / (high - low)",
    reference="Livshin (2001), Balance of Power, S&C 19:8",
    flat="null for a row without range; 0 in TA-Lib",
    version=2,
    presets={"talib": {"flat": "zero"}},
    compared=("talib",),
    names={"talib": "BOP", "pandas_ta": "bop"},
)
