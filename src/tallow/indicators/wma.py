"""Linearly weighted moving average."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._lines import window_weighted_means
from tallow.indicators._windows import load_windows, next_stretch, start_stretches


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` closes."""
    n = int(params[0])
    rows, room, who, side = start_stretches(n)
    window, work = np.empty(room), np.empty((6, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window)
        window_weighted_means(x, n, side, work, out[a:z])
        a = z


INDICATOR = Indicator(
    name="wma",
    title="Weighted moving average",
    inputs=("close",),
    outputs=(Output("wma", "wma_{length}", "price", "mean with weights 1 (oldest) to length"),),
    parameters=(length(9),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    formula="sum(weight x close) / sum(weight), weights 1..length, the newest heaviest",
    reference="Murphy (1999), Technical Analysis of the Financial Markets, ch. 9",
    version=4,
    compared=("talib",),
    names={"talib": "WMA", "pine": "ta.wma", "pandas_ta": "wma"},
)
