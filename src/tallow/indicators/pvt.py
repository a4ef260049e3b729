"""Price-volume trend."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output


@kernel
def advance(state, params, offsets, close, volume, out):  # type: ignore[no-untyped-def]
    """State: rows seen (0 or 1), close before, trend."""
    for i in range(len(state)):
        seen, before, trend = state[i, 0], state[i, 1], state[i, 2]
        for row in range(offsets[i], offsets[i + 1]):
            x, units = close[row], volume[row]
            if x != x or units != units:
                out[row] = np.nan
                continue
            if seen > 0.0 and before != 0.0:
                trend += units * ((x - before) / before)
            seen, before = 1.0, x
            out[row] = trend
        state[i, 0], state[i, 1], state[i, 2] = seen, before, trend


INDICATOR = Indicator(
    name="pvt",
    title="Price-volume trend",
    inputs=("close", "volume"),
    outputs=(Output("pvt", "pvt", "units", "volume, each row's by the change of its close"),),
    parameters=(),
    memory=RECURSIVE,
    warmup=lambda _: (0,),
    state_size=lambda _: 3,
    advance=advance,
    formula="pvt += volume x (close - close before) / close before",
    reference="Achelis (2001), Technical Analysis from A to Z",
    flat="a close of zero before changes nothing",
    seed="0",
    compared=("talib",),
    names={"talib": "PVT", "pine": "ta.pvt", "pandas_ta": "pvt"},
)
