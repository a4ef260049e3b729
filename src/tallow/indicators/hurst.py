"""Hurst exponent."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._volatilities import _returns
from tallow.indicators._windows import load_windows, next_stretch, start_stretches

_FEWEST = 8
"""Rows of the shortest parts: of fewer, the range says little."""


@kernel_part
def _add_sums(x, first, sums):  # type: ignore[no-untyped-def]
    for j in range(len(sums)):
        sums[j] += x[j] - first[j]


@kernel_part
def _add_steps(x, mean, path, low, high, squares):  # type: ignore[no-untyped-def]
    """Go on with a path by a row's distance from the mean of its part."""
    for j in range(len(path)):
        gap = x[j] - mean[j]
        path[j] += gap
        squares[j] += gap * gap
        low[j] = path[j] if path[j] < low[j] else low[j]
        high[j] = path[j] if path[j] > high[j] else high[j]


@kernel_part
def _add_ranges(x, size, side, work, total):  # type: ignore[no-untyped-def]
    """Add to each row the rescaled range of the `size` rows from its place in `x` on."""
    count = len(total)
    mean, path, low = work[0, :count], work[1, :count], work[2, :count]
    high, squares = work[3, :count], work[4, :count]
    for j in range(count):
        mean[j] = path[j] = squares[j] = 0.0
        low[j], high[j] = np.inf, -np.inf
    for k in range(1, size):
        _add_sums(x[k * side :], x, mean)
    for j in range(count):
        mean[j] = x[j] + mean[j] / size
    for k in range(size):
        _add_steps(x[k * side :], mean, path, low, high, squares)
    for j in range(count):
        reach = high[j] - low[j]
        total[j] += reach / math.sqrt(squares[j] / size) if squares[j] > 0.0 else np.nan


@kernel_part
def _write_slopes(x, length, side, work, out):  # type: ignore[no-untyped-def]
    """Write the slope of the mean rescaled range by size, both as logarithms."""
    total, sizes, middle, spread = work[5, : len(out)], 0, 0.0, 0.0
    while length >> sizes >= _FEWEST:
        middle += math.log(length >> sizes)
        sizes += 1
    middle /= sizes
    for j in range(len(out)):
        out[j] = 0.0
    for power in range(sizes):
        size, parts = length >> power, 1 << power
        weight = math.log(size) - middle
        spread += weight * weight
        for j in range(len(total)):
            total[j] = 0.0
        for k in range(parts):
            _add_ranges(x[k * size * side :], size, side, work, total)
        for j in range(len(out)):
            out[j] += weight * math.log(total[j] / parts)
    for j in range(len(out)):
        out[j] /= spread


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the close before, the last ``length - 1`` returns."""
    n = int(params[0])
    rows, room, who, side = start_stretches(n + 1)
    window, work, fresh = np.empty((2, room)), np.empty((6, room)), np.empty(room)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        closes = load_windows(state, 0, 1, who, side, close[a:z], window[0])
        returns = fresh[: z - a]
        _returns(closes, closes[side:], returns)
        x = load_windows(state, 1, n - 1, who, side, returns, window[1])
        _write_slopes(x, n, side, work, out[a:z])
        a = z


INDICATOR = Indicator(
    name="hurst",
    title="Hurst exponent",
    inputs=("close",),
    outputs=(Output("hurst", "hurst_{length}", "ratio", "above 0.5 in trends, below in ranges"),),
    parameters=(length(100, minimum=2 * _FEWEST),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda p: int(p["length"]),
    advance=advance,
    formula="slope of log(mean R/S) by log(size), by least squares; R/S of each part of size "
    "length, length / 2, length / 4, ... of at least 8 rows, the oldest first: R the range of the "
    "sums of log(close / close before) less their mean, S their deviation",
    reference="Hurst (1951), Long-term storage capacity of reservoirs; Mandelbrot and Wallis "
    "(1969); by halves, as Peters (1994), Fractal Market Analysis",
    flat="null where returns of any part stand still, or a close is not above zero",
    version=2,
)
