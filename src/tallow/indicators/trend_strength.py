"""Strength of a trend: how well a line fits, with the sign of its slope."""

from __future__ import annotations

import math

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
def advance(state, params, offsets, close, strength, slope, r_squared):  # type: ignore[no-untyped-def]
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
        signed, rises, share = strength[a:z], slope[a:z], r_squared[a:z]
        for j in range(len(signed)):
            rises[j] = slopes[j]
            if squares[j] > 0.0:
                fit = slopes[j] * math.sqrt(spread / squares[j])
                signed[j] = min(max(fit, -1.0), 1.0)
            else:
                signed[j] = np.nan
            share[j] = signed[j] * signed[j]
        a = z


INDICATOR = Indicator(
    name="trend_strength",
    title="Trend strength",
    inputs=("close",),
    outputs=(
        Output(
            "strength", "trend_strength_{length}", "ratio", "root of R2, signed as the slope", -1, 1
        ),
        Output("slope", "trend_slope_{length}", "price difference", "rise of the line a row"),
        Output("r_squared", "trend_r_squared_{length}", "ratio", "share of the line in it", 0, 1),
    ),
    parameters=(length(20, minimum=2),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,) * 3,
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    formula="correlation of the closes of length rows with row numbers, sign(slope) sqrt(R2); "
    "slope and R2 are those of the line of least squares",
    reference="Galton (1888), Co-relations and their Measurement; Pearson (1896); slope as linreg, "
    "R2 as r_squared",
    flat="strength and R2 null where all closes are equal: there is nothing for a line to explain, "
    "and 0 would say that it does not fit; the slope is exactly 0",
    version=2,
)
