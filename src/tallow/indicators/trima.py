"""Triangular moving average."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._windows import load_windows, next_stretch, start_stretches, window_means


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` closes."""
    n = int(params[0])
    inner = n // 2 + 1
    rows, room, who, side = start_stretches(n)
    window, work, means = np.empty(room), np.empty((3, room)), np.empty(room)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window)
        first = means[: len(x) - (inner - 1) * side]
        window_means(x, inner, side, work, first)
        window_means(first, n + 1 - inner, side, work, out[a:z])
        a = z


INDICATOR = Indicator(
    name="trima",
    title="Triangular moving average",
    inputs=("close",),
    outputs=(Output("trima", "trima_{length}", "price", "mean that weighs the middle most"),),
    parameters=(length(20),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    formula="sma(sma(close, m), length + 1 - m); m = length / 2 + 1, rounded down",
    reference="Murphy (1999), Technical Analysis of the Financial Markets, ch. 9",
    version=3,
    compared=("talib",),
    names={"talib": "TRIMA", "pandas_ta": "trima"},
)
