"""Ulcer index."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._extremes import window_highest
from tallow.indicators._windows import load_windows, next_stretch, start_stretches, window_means


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the closes of the highest ones and of the mean together."""
    n = int(params[0])
    kept = 2 * n - 2
    rows, room, who, side = start_stretches(kept + 1)
    window, work, squares = np.empty(room), np.empty((3, room)), np.empty(room)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, kept, who, side, close[a:z], window)
        highest, newest, index = window_highest(x, n, side, work[:2]), x[(n - 1) * side :], out[a:z]
        falls = squares[: len(highest)]
        for j in range(len(falls)):
            top = highest[j]
            fall = 100.0 * ((newest[j] - top) / top) if top != 0.0 else np.nan
            falls[j] = fall * fall
        window_means(falls, n, side, work, index)
        for j in range(len(index)):
            index[j] = math.sqrt(max(index[j], 0.0)) if index[j] == index[j] else np.nan
        a = z


INDICATOR = Indicator(
    name="ulcer",
    title="Ulcer index",
    inputs=("close",),
    outputs=(Output("ulcer", "ulcer_{length}", "percent", "depth of falls from the highest", 0.0),),
    parameters=(length(14),),
    memory=WINDOW,
    warmup=lambda p: (2 * int(p["length"]) - 2,),
    state_size=lambda p: 2 * int(p["length"]) - 2,
    advance=advance,
    formula="sqrt(sma(fall^2)); fall = 100 (close - highest close) / highest close, over length "
    "rows",
    reference="Martin and McCann (1989), The Investor's Guide to Fidelity Funds",
    flat="exactly 0; null where the highest close is zero",
    version=4,
    aliases=("ui",),
    names={"pandas_ta": "ui"},
)
