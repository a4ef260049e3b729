"""Accumulation/distribution line."""

from __future__ import annotations

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._flows import flow_step


@kernel
def advance(state, params, offsets, high, low, close, volume, out):  # type: ignore[no-untyped-def]
    """State: the line."""
    for i in range(len(state)):
        line = state[i, 0]
        for row in range(offsets[i], offsets[i + 1]):
            flow = flow_step(high[row], low[row], close[row], volume[row])
            out[row] = line + flow
            line += flow if flow == flow else 0.0
        state[i, 0] = line


INDICATOR = Indicator(
    name="ad",
    title="Accumulation/distribution line",
    inputs=("high", "low", "close", "volume"),
    outputs=(Output("ad", "ad", "units", "volume of closes in the upper half less the lower"),),
    parameters=(),
    memory=RECURSIVE,
    warmup=lambda _: (0,),
    state_size=lambda _: 1,
    advance=advance,
    formula="ad += volume x ((close - low) - (high - close)) / (high - low)",
    reference="Chaikin, as described by Achelis (2001), Technical Analysis from A to Z",
    flat="a row without range changes nothing",
    seed="the first row's own change",
    compared=("talib",),
    names={"talib": "AD", "pine": "ta.accdist", "pandas_ta": "ad"},
    aliases=("accdist",),
)
