"""Time series forecast: the line of least squares, one row on."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._lines import window_lines
from tallow.indicators._windows import load_windows, next_stretch, start_stretches


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` closes."""
    n = int(params[0])
    reach = (n + 1) / 2.0
    rows, room, who, side = start_stretches(n)
    window, work = np.empty(room), np.empty((6, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window)
        middles, slopes = window_lines(x, n, side, work)
        newest, ahead = x[(n - 1) * side :], out[a:z]
        for j in range(len(ahead)):
            ahead[j] = newest[j] + (middles[j] + slopes[j] * reach)
        a = z


INDICATOR = Indicator(
    name="tsf",
    title="Time series forecast",
    inputs=("close",),
    outputs=(Output("tsf", "tsf_{length}", "price", "the line of linreg, one row on"),),
    parameters=(length(14, minimum=2),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    formula="linreg + slope, over length rows",
    reference="the definition, as TA-Lib's TSF",
    version=2,
    compared=("talib",),
    names={"talib": "TSF"},
)
