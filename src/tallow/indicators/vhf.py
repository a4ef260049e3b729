"""Vertical horizontal filter."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length, zero_or_null
from tallow.indicators._extremes import window_highest, window_lowest
from tallow.indicators._windows import load_windows, next_stretch, start_stretches, window_sums


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the last ``length`` closes."""
    n, flat = int(params[0]), 0.0 if params[1] == 1.0 else np.nan
    rows, room, who, side = start_stretches(n + 1)
    window, changes = np.empty(room), np.empty(room)
    work, extremes = np.empty((3, room)), np.empty((4, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n, who, side, close[a:z], window)
        later = x[side:]
        moved = changes[: len(later)]
        for j in range(len(moved)):
            moved[j] = abs(later[j] - x[j])
        highest = window_highest(later, n, side, extremes[:2])
        lowest = window_lowest(later, n, side, extremes[2:])
        sums, newest, index = window_sums(moved, n, side, work), moved[(n - 1) * side :], out[a:z]
        for j in range(len(index)):
            path = n * newest[j] + sums[j]
            index[j] = (highest[j] - lowest[j]) / path if path != 0.0 else flat
        a = z


INDICATOR = Indicator(
    name="vhf",
    title="Vertical horizontal filter",
    inputs=("close",),
    outputs=(Output("vhf", "vhf_{length}", "ratio", "range of closes by their path", 0.0),),
    parameters=(length(28), zero_or_null("the path")),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda p: int(p["length"]),
    advance=advance,
    formula="(highest close - lowest close) / sum(|close - close before|) over length rows",
    reference="White (1991), The Vertical Horizontal Filter, Futures 20:10",
    flat="null while no close changes; 0 in TA-Lib",
    version=4,
    presets={"talib": {"flat": "zero"}},
    compared=("talib",),
    names={"talib": "VHF", "pandas_ta": "vhf"},
)
