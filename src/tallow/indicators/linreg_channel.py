"""Channel about the line of least squares."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length, multiplier
from tallow.indicators._lines import window_lines
from tallow.indicators._windows import load_windows, next_stretch, start_stretches


@kernel_part
def _add_squares(x, newest, middles, slopes, place, squares):  # type: ignore[no-untyped-def]
    """Add the squared distance from the line of the row at `place`, counted from the middle."""
    for j in range(len(squares)):
        gap = (x[j] - newest[j]) - (middles[j] + slopes[j] * place)
        squares[j] += gap * gap


@kernel
def advance(state, params, offsets, close, upper, middle, lower):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` closes."""
    n, times = int(params[0]), params[1]
    reach = (n - 1) / 2.0
    rows, room, who, side = start_stretches(n)
    window, work, total = np.empty(room), np.empty((6, room)), np.empty(room)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window)
        middles, slopes = window_lines(x, n, side, work)
        newest, squares, ends = close[a:z], total[: z - a], middle[a:z]
        for j in range(len(squares)):
            squares[j] = 0.0
        for k in range(n):
            _add_squares(x[k * side :], newest, middles, slopes, k - reach, squares)
        up, down = upper[a:z], lower[a:z]
        for j in range(len(ends)):
            ends[j] = newest[j] + (middles[j] + slopes[j] * reach)
            width = times * np.sqrt(squares[j] / n)
            up[j], down[j] = ends[j] + width, ends[j] - width
        a = z


INDICATOR = Indicator(
    name="linreg_channel",
    title="Linear regression channel",
    inputs=("close",),
    outputs=(
        Output("upper", "linreg_upper_{length}_{multiplier}", "price", "line plus deviations"),
        Output("middle", "linreg_middle_{length}_{multiplier}", "price", "the line at this row"),
        Output("lower", "linreg_lower_{length}_{multiplier}", "price", "line minus deviations"),
    ),
    parameters=(length(100, minimum=2), multiplier(2.0)),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,) * 3,
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    formula="line +- multiplier sqrt(mean((close - line)^2)); the line of least squares through "
    "the closes of length rows, at this row",
    reference="Gauss (1809), Theoria motus; Raff's channel has the largest distance instead",
    flat="the close, without width",
    version=2,
)
