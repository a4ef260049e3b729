"""Distance from the mean, in standard deviations."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._short_windows import short_moments
from tallow.indicators._windows import (
    load_windows,
    next_stretch,
    start_stretches,
    window_moments,
)


@kernel_part
def _write(sums, squares, n, out):  # type: ignore[no-untyped-def]
    """Write scores: sums are of differences from the newest row, so minus the mean is that row."""
    for j in range(len(out)):
        deviation = np.sqrt(squares[j] / n)
        out[j] = (-sums[j] / n) / deviation if deviation > 0.0 else np.nan


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
        sums, squares = short_moments(x, n, side, work)
        _write(sums, squares, params[0], out[a:z])
        a = z


@kernel
def advance_long(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """As `advance`, for long windows."""
    n = int(params[0])
    rows, room, who, side = start_stretches(n)
    window, work = np.empty(room), np.empty((6, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window)
        sums, squares = window_moments(x, n, side, work)
        _write(sums, squares, params[0], out[a:z])
        a = z


INDICATOR = Indicator(
    name="zscore",
    title="Z-score",
    inputs=("close",),
    outputs=(Output("zscore", "zscore_{length}", "ratio", "deviations from the mean"),),
    parameters=(length(20, minimum=2),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    advance_long=advance_long,
    formula="(close - mean) / population deviation, over length rows",
    reference="the definition; pandas-ta divides by the deviation of a sample",
    flat="null where all closes are equal",
    version=2,
    names={"pandas_ta": "zscore"},
)
