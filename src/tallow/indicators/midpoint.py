"""Middle of the closes' range."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._extremes import window_highest, window_lowest
from tallow.indicators._windows import load_windows, next_stretch, start_stretches


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` closes."""
    n = int(params[0])
    rows, room, who, side = start_stretches(n)
    window, work = np.empty(room), np.empty((4, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window)
        highest = window_highest(x, n, side, work[:2])
        lowest, middle = window_lowest(x, n, side, work[2:]), out[a:z]
        for j in range(len(middle)):
            middle[j] = (highest[j] + lowest[j]) / 2.0
        a = z


INDICATOR = Indicator(
    name="midpoint",
    title="Midpoint",
    inputs=("close",),
    outputs=(Output("midpoint", "midpoint_{length}", "price", "middle of the closes' range"),),
    parameters=(length(14),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    formula="(highest close + lowest close) / 2, over length rows",
    reference="the definition, as TA-Lib's MIDPOINT",
    version=4,
    compared=("talib",),
    names={"talib": "MIDPOINT", "pandas_ta": "midpoint"},
)
