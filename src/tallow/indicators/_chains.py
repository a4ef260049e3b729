"""Averages of averages: as many as are asked for, each of the one before."""

from __future__ import annotations

import numpy as np

from tallow.core.entries import inputs_at
from tallow.core.kernel import kernel_part, kernel_step
from tallow.indicators._averages import (
    advance_average,
    average_step,
    next_tile,
    tile_ends,
    tile_rows,
)


@kernel_part
def start_chain(weight, levels, offsets):  # type: ignore[no-untyped-def]
    """Return the rows of a tile, and float64 ``[levels, rows]`` for what `advance_chain` writes."""
    tile = tile_rows(weight)
    return tile, np.empty((levels, min(tile, offsets[len(offsets) - 1] - offsets[0])))


@kernel_part
def advance_chain(state, length, weight, offsets, i, start, tile, x, levels):  # type: ignore[no-untyped-def]
    """Average the rows of a tile, and their averages again; return where the next tile begins.

    The tile begins with row `start` of instrument ``i``. State is count and value of each level;
    row k of `levels` gets the k-th average, from the tile's first row on, null in its warm-up.
    """
    j, stop = next_tile(offsets, i, start, tile)
    ends = tile_ends(offsets, i, j, start, stop)
    means, source = np.empty((j - i, 2)), x[start:stop]
    for level in range(len(levels)):
        for k in range(j - i):
            means[k, 0], means[k, 1] = state[i + k, 2 * level], state[i + k, 2 * level + 1]
        advance_average(means, length, weight, ends, source, levels[level, : stop - start])
        for k in range(j - i):
            state[i + k, 2 * level], state[i + k, 2 * level + 1] = means[k, 0], means[k, 1]
        # Read-only, as closes are: then averages are compiled once.
        source = inputs_at(levels[level].ctypes.data, stop - start)
    return j if stop == offsets[j] else i, stop


@kernel_step
def begin_chain(state, i, levels, n, x, start, stop, out):  # type: ignore[no-untyped-def]
    """Take rows until the last average has a value; return where others begin.

    State is count and value of each level. What is written is the last average, null before.
    """
    weight, last = 2.0 / (n + 1.0), 2 * levels - 2
    while start < stop and state[i, last] < n:
        value, level = x[start], 0
        while value == value and level <= last:
            count, mean = state[i, level], state[i, level + 1]
            count, mean = average_step(count, mean, value, n, weight)
            state[i, level], state[i, level + 1] = count, mean
            value = mean if count == n else np.nan
            level += 2
        out[start] = value
        start += 1
    return start
