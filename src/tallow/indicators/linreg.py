"""Linear regression: the line of least squares."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._lines import window_lines
from tallow.indicators._windows import load_windows, next_stretch, start_stretches


@kernel
def advance(state, params, offsets, close, line, slope, intercept, angle):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` closes."""
    n = int(params[0])
    reach, degrees = (n - 1) / 2.0, 180.0 / math.pi
    rows, room, who, side = start_stretches(n)
    window, work = np.empty(room), np.empty((6, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window)
        middles, slopes = window_lines(x, n, side, work)
        newest, ends, rises = x[(n - 1) * side :], line[a:z], slope[a:z]
        begins, angles = intercept[a:z], angle[a:z]
        for j in range(len(ends)):
            rises[j] = slopes[j]
            ends[j] = newest[j] + (middles[j] + slopes[j] * reach)
            begins[j] = newest[j] + (middles[j] - slopes[j] * reach)
            angles[j] = degrees * math.atan(slopes[j])
        a = z


INDICATOR = Indicator(
    name="linreg",
    title="Linear regression",
    inputs=("close",),
    outputs=(
        Output("linreg", "linreg_{length}", "price", "the line at this row"),
        Output("slope", "linreg_slope_{length}", "price difference", "rise of the line a row"),
        Output("intercept", "linreg_intercept_{length}", "price", "the line at the first row"),
        Output("angle", "linreg_angle_{length}", "degrees", "its slope's angle", -90.0, 90.0),
    ),
    parameters=(length(14, minimum=2),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,) * 4,
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    formula="the line of least squares through the closes of length rows",
    reference="Gauss (1809), Theoria motus; as ta.linreg with an offset of 0",
    version=2,
    compared=("talib",),
    aliases=("linearreg",),
    names={
        "talib": "LINEARREG LINEARREG_SLOPE LINEARREG_INTERCEPT LINEARREG_ANGLE",
        "pine": "ta.linreg",
        "pandas_ta": "linreg slope",
    },
)
