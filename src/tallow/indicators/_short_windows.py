"""Sums and squares of short windows: every row added up, or five at a time, at vector speed.

An indicator has a kernel for short windows and one for long ones (`_windows`), so that nobody waits
for the compilation of the one that is not used; the length alone decides, so that the bits stay a
function of the window.
"""

from __future__ import annotations

from tallow.core.arrays import Floats
from tallow.core.kernel import kernel_part
from tallow.indicators._windows import _start_parts, copy_into

GROUP = 5
"""Rows whose moments are taken together, where windows are short."""


@kernel_part
def short_sums(x: Floats, length: int, side: int, work: Floats) -> Floats:
    """Return what `window_sums` does; four older rows a pass, to store less often."""
    newest = x[(length - 1) * side :]
    rows = len(newest)
    sums = work[0, :rows]
    _start_parts(newest, sums)
    back = 1
    while back + 7 < length:
        _add_eight(x, (length - 1 - back) * side, side, newest, sums)
        back += 8
    while back + 3 < length:
        i = (length - 1 - back) * side
        a, b = x[i : i + rows], x[i - side :]
        c, d = x[i - 2 * side :], x[i - 3 * side :]
        for j in range(rows):
            new = newest[j]
            sums[j] += ((a[j] - new) + (b[j] - new)) + ((c[j] - new) + (d[j] - new))
        back += 4
    for k in range(back, length):
        a = x[(length - 1 - k) * side :]
        for j in range(rows):
            sums[j] += a[j] - newest[j]
    return sums


@kernel_part
def _add_eight(x, first, side, newest, sums):  # type: ignore[no-untyped-def]
    """Add eight older rows, the newest of which begin at `first`: four, then four more."""
    rows = len(newest)
    a, b = x[first : first + rows], x[first - side :]
    c, d = x[first - 2 * side :], x[first - 3 * side :]
    e, f = x[first - 4 * side :], x[first - 5 * side :]
    g, h = x[first - 6 * side :], x[first - 7 * side :]
    for j in range(rows):
        new = newest[j]
        total = sums[j] + (((a[j] - new) + (b[j] - new)) + ((c[j] - new) + (d[j] - new)))
        sums[j] = total + (((e[j] - new) + (f[j] - new)) + ((g[j] - new) + (h[j] - new)))


@kernel_part
def short_moments(x: Floats, length: int, side: int, work: Floats) -> tuple[Floats, Floats]:
    """Return what `window_moments` does, from groups of rows, then the rows that are left over.

    All is about each window's newest row; that is a member of the window, so the squares lose at
    most a factor of `length`.
    """
    newest = x[(length - 1) * side :]
    rows, joined = len(newest), length // GROUP * GROUP
    sums, squares = work[0, :rows], work[1, :rows]
    if joined == 0:
        _start_parts(newest, sums, squares)
        joined = 1
    else:
        _group_moments(x, side, work)
        _join_groups(x, length, side, work)
    for k in range(joined, length):
        a = x[(length - 1 - k) * side :]
        for j in range(rows):
            p = a[j] - newest[j]
            sums[j] += p
            squares[j] += p * p
    for j in range(rows):
        rest = squares[j] - sums[j] * (sums[j] * (1.0 / length))
        squares[j] = 0.0 if rest < 0.0 else rest
    return sums, squares


@kernel_part
def _group_moments(x: Floats, side: int, work: Floats) -> None:
    """Write sums and squares of the `GROUP` rows that end at each one, about it: ``work[2:4]``."""
    newest = x[(GROUP - 1) * side :]
    rows = len(newest)
    sums, squares = work[2, :rows], work[3, :rows]
    a, b, c, d = x[3 * side :], x[2 * side :], x[side:], x
    for j in range(rows):
        new = newest[j]
        p, q, r, s = a[j] - new, b[j] - new, c[j] - new, d[j] - new
        sums[j] = (p + q) + (r + s)
        squares[j] = (p * p + q * q) + (r * r + s * s)


@kernel_part
def _join_groups(x: Floats, length: int, side: int, work: Floats) -> None:
    """Join each window's groups about its newest row: ``work[:2]``; three older ones a pass."""
    newest, step, last = x[(length - 1) * side :], GROUP * side, (GROUP - 1) * side
    rows, i = len(newest), (length - GROUP) * side
    sums, squares = work[0, :rows], work[1, :rows]
    # The newest group's, then what has been joined.
    near, near_sq = work[2, i : i + rows], work[3, i : i + rows]
    left = length // GROUP - 1
    while left >= 3:
        i, k, m = i - step, i - 2 * step, i - 3 * step
        a, b, c = x[i + last :], x[k + last :], x[m + last :]
        a_sum, b_sum, c_sum = work[2, i:], work[2, k:], work[2, m:]
        a_sq, b_sq, c_sq = work[3, i:], work[3, k:], work[3, m:]
        for j in range(rows):
            new = newest[j]
            t, p = _about(a[j] - new, a_sum[j], a_sq[j])
            u, q = _about(b[j] - new, b_sum[j], b_sq[j])
            v, r = _about(c[j] - new, c_sum[j], c_sq[j])
            sums[j] = (near[j] + t) + (u + v)
            squares[j] = (near_sq[j] + p) + (q + r)
        near, near_sq, i, left = sums, squares, m, left - 3
    for _ in range(left):
        i -= step
        a, a_sum, a_sq = x[i + last :], work[2, i:], work[3, i:]
        for j in range(rows):
            t, p = _about(a[j] - newest[j], a_sum[j], a_sq[j])
            sums[j] = near[j] + t
            squares[j] = near_sq[j] + p
        near, near_sq = sums, squares
    if length < 2 * GROUP:
        copy_into(sums, near)
        copy_into(squares, near_sq)


@kernel_part
def _about(gap: float, total: float, squares: float) -> tuple[float, float]:
    """Return a group's sum and squares about a row that is `gap` below the group's newest one."""
    shift = GROUP * gap
    return total + shift, squares + gap * ((total + total) + shift)
