"""Simple moving average."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._short_windows import short_sums
from tallow.indicators._windows import (
    load_windows,
    next_stretch,
    start_stretches,
    window_means,
)


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` closes."""
    n = int(params[0])
    rows, room, who, side = start_stretches(n)
    window, work = np.empty(room), np.empty((3, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window)
        sums, newest, mean = short_sums(x, n, side, work), x[(n - 1) * side :], out[a:z]
        for j in range(len(mean)):
            mean[j] = newest[j] + sums[j] / n
        a = z


@kernel
def advance_long(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """As `advance`, for long windows."""
    n = int(params[0])
    rows, room, who, side = start_stretches(n)
    window, work = np.empty(room), np.empty((3, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window)
        window_means(x, n, side, work, out[a:z])
        a = z


INDICATOR = Indicator(
    name="sma",
    title="Simple moving average",
    inputs=("close",),
    outputs=(Output("sma", "sma_{length}", "price", "mean of the last closes"),),
    parameters=(length(9),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    advance_long=advance_long,
    formula="mean(close over length rows)",
    reference="Murphy (1999), Technical Analysis of the Financial Markets, ch. 9",
    version=5,
    compared=("talib",),
    names={"talib": "SMA", "pine": "ta.sma", "pandas_ta": "sma"},
)
