"""Coefficient of determination of the line of least squares."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._lines import window_lines
from tallow.indicators._windows import (
    load_windows,
    next_stretch,
    start_stretches,
    window_moments,
)


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` closes."""
    n = int(params[0])
    spread = params[0] * (params[0] * params[0] - 1.0) / 12.0
    rows, room, who, side = start_stretches(n)
    window, work = np.empty(room), np.empty((12, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window)
        _, slopes = window_lines(x, n, side, work[:6])
        _, squares = window_moments(x, n, side, work[6:])
        share = out[a:z]
        for j in range(len(share)):
            explained = slopes[j] * slopes[j] * spread
            whole = squares[j]
            share[j] = min(explained / whole, 1.0) if whole > 0.0 else np.nan
        a = z


INDICATOR = Indicator(
    name="r_squared",
    title="R-squared of the linear regression",
    inputs=("close",),
    outputs=(
        Output("r_squared", "r_squared_{length}", "ratio", "share of the line in it", 0.0, 1.0),
    ),
    parameters=(length(14, minimum=2),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    formula="squared correlation of the closes of length rows with their row numbers",
    reference="Galton (1888), Co-relations and their Measurement; Pearson (1896)",
    flat="null where all closes are equal",
    version=2,
)
