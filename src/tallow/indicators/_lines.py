"""Sliding windows weighted 1, 2, 3, ... : weighted means, and lines of least squares.

As in `tallow.indicators._windows` a window is put together from shorter ones, here of 4, 8, 16, ...
rows, and from what is left over of its newest rows. Sums and weighted sums, both of differences
from the window's newest row, are made in one pass.
"""

from __future__ import annotations

from tallow.core.arrays import Floats
from tallow.core.kernel import kernel_part
from tallow.indicators._windows import FOUR, _joinable, copy_into


@kernel_part
def window_weighted(x: Floats, length: int, side: int, work: Floats) -> tuple[Floats, Floats]:
    """Return sums of differences from each window's newest row, and those weighted 1 to `length`.

    The newest row weighs most. `x` starts with ``length - 1`` earlier rows; both results have
    ``len(x) - length + 1`` values, and are views of `work`, float64 ``[6, >= len(x)]``.
    """
    stop = len(x)
    sums, weighted = work[0, :stop], work[1, :stop]
    part, part_w, spare, spare_w = work[2, :stop], work[3, :stop], work[4, :stop], work[5, :stop]
    joined, size = length % FOUR, FOUR
    if joined > 0:
        _few(x, joined, side, sums, weighted)
    if length >= FOUR:
        _fours(x, side, part, part_w)
    while size <= length:
        if length & size and joined:
            i, k, end = _joinable(joined, size, side, stop)
            far, far_w = part[k:end], part_w[k:end]
            _join(x[i:], x[k:end], sums[i:], weighted[i:], far, far_w, float(size))
            joined += size
        elif length & size:
            copy_into(sums[(size - 1) * side :], part[(size - 1) * side :])
            copy_into(weighted[(size - 1) * side :], part_w[(size - 1) * side :])
            joined = size
        if 2 * size <= length:
            i, k, end = _joinable(size, size, side, stop)
            copy_into(spare[i:], part[i:])
            copy_into(spare_w[i:], part_w[i:])
            far, far_w = part[k:end], part_w[k:end]
            _join(x[i:], x[k:end], spare[i:], spare_w[i:], far, far_w, float(size))
            part, spare = spare, part
            part_w, spare_w = spare_w, part_w
        size *= 2
    return sums[(length - 1) * side :], weighted[(length - 1) * side :]


@kernel_part
def _few(x, rows, side, sums, weighted):  # type: ignore[no-untyped-def]
    """Write both sums of the one to three newest rows."""
    first = (rows - 1) * side
    newest, total, heavy = x[first:], sums[first:], weighted[first:]
    for j in range(len(newest)):
        total[j] = heavy[j] = newest[j] - newest[j]
    for k in range(1, rows):
        old, weight = x[(rows - 1 - k) * side :], float(rows - k)
        for j in range(len(newest)):
            gap = old[j] - newest[j]
            total[j] += gap
            heavy[j] += weight * gap


@kernel_part
def _fours(x, side, sums, weighted):  # type: ignore[no-untyped-def]
    """Write both sums of the four rows that end at each row."""
    newest, total, heavy = x[3 * side :], sums[3 * side :], weighted[3 * side :]
    a, b, c = x[2 * side :], x[side:], x
    for j in range(len(newest)):
        p, q, r = a[j] - newest[j], b[j] - newest[j], c[j] - newest[j]
        total[j] = (p + q) + r
        heavy[j] = (3.0 * p + 2.0 * q) + r


@kernel_part
def _join(new, old, sums, weighted, far, far_w, rows):  # type: ignore[no-untyped-def]
    """Join older windows of so many `rows` to newer ones, in whose place the result is.

    Every newer row weighs `rows` more.
    """
    triangle = rows * (rows + 1.0) / 2.0
    for j in range(len(sums)):
        gap = old[j] - new[j]
        weighted[j] = (weighted[j] + rows * sums[j]) + (far_w[j] + triangle * gap)
        sums[j] += far[j] + rows * gap


@kernel_part
def window_weighted_means(x: Floats, length: int, side: int, work: Floats, out: Floats) -> None:
    """Write the linearly weighted mean of each window; as `window_weighted`."""
    _, weighted = window_weighted(x, length, side, work)
    newest, total = x[(length - 1) * side :], length * (length + 1) / 2.0
    for j in range(len(out)):
        out[j] = newest[j] + weighted[j] / total


@kernel_part
def window_lines(x: Floats, length: int, side: int, work: Floats) -> tuple[Floats, Floats]:
    """Return the middle of each window's line of least squares, and its rise a row.

    The middle is a difference from the window's newest row; as `window_weighted`.
    """
    sums, weighted = window_weighted(x, length, side, work)
    n = float(length)
    spread = n * (n * n - 1.0) / 12.0
    for j in range(len(sums)):
        weighted[j] = (weighted[j] - sums[j] * ((n + 1.0) / 2.0)) / spread
        sums[j] /= n
    return sums, weighted
