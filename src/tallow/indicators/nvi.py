"""Negative volume index."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter


@kernel
def advance(state, params, offsets, close, volume, out):  # type: ignore[no-untyped-def]
    """State: rows seen (0 or 1), close and volume before, index."""
    for i in range(len(state)):
        seen, before, units_before, index = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
        for row in range(offsets[i], offsets[i + 1]):
            x, units = close[row], volume[row]
            if x != x or units != units:
                out[row] = np.nan
                continue
            if seen == 0.0:
                index = params[0]
            elif units < units_before and before != 0.0:
                index += index * ((x - before) / before)
            seen, before, units_before = 1.0, x, units
            out[row] = index
        state[i, 0], state[i, 1], state[i, 2], state[i, 3] = seen, before, units_before, index


INDICATOR = Indicator(
    name="nvi",
    title="Negative volume index",
    inputs=("close", "volume"),
    outputs=(Output("nvi", "nvi", "index", "growth on rows of less volume than the one before"),),
    parameters=(Parameter("base", 1.0, "value of the first row", minimum=1e-9, maximum=1e9),),
    memory=RECURSIVE,
    warmup=lambda _: (0,),
    state_size=lambda _: 4,
    advance=advance,
    formula="nvi x= close / close before, where volume fell",
    reference="Fosback (1976), Stock Market Logic",
    flat="a close of zero before changes nothing",
    seed="1 on TradingView, 1000 in TA-Lib",
    presets={"talib": {"base": 1000.0}},
    compared=("talib",),
    names={"talib": "NVI", "pine": "ta.nvi", "pandas_ta": "nvi"},
)
