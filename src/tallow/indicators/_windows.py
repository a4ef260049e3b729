"""Sliding windows: means, deviations, weighted means, as functions of the window alone.

A window of `length` rows is put together from windows of 1, 2, 4, ... rows, each made from two
halves, so a row costs about log2(length) steps that run over whole stretches of rows at vector
speed. No value is carried from one window to the next: nothing drifts, a missing value is gone when
its row leaves, and any chunking gives the same bits.

Up to `SHORT_WINDOW` rows, adding up rows is faster still: `tallow.indicators._short_windows`.

Sums are kept as differences from the window's newest row. Equal rows then give exactly their own
value as the mean and exactly zero as the deviation, and large prices lose no digits. Two parts are
joined as in Chan, Golub and LeVeque (1983), "Algorithms for Computing the Sample Variance".

A window of n rows exists from the n-th row on. Only such windows are joined: what buffers hold
before them is whatever lay in memory, and arithmetic on that overflows, or crawls on denormals.

Where each of many instruments has one new row only, as in a live update, a stretch of rows is one
row each of `side` instruments instead, and element ``k * side + j`` of its window is row ``k`` of
instrument ``j``. A step of one row is then a step of `side` elements, and all else is the same: the
same code, speed and bits. (One by one, the views alone cost ten times the arithmetic.)

Inner loops run over equally long views, never over shifted indices: an index that might be negative
keeps LLVM from vectorising (measured: 0.3 ns against 3 ns a step).
"""

from __future__ import annotations

import numpy as np

from tallow.core.arrays import Floats, Ints
from tallow.core.kernel import kernel_part

SIDE = 32
"""Most instruments side by side."""

FOUR = 4
"""Rows of the shortest windows that sums are joined of."""

ROOM = 640
"""Fewest elements of a window's buffer: `SIDE` windows of 20 rows."""


@kernel_part
def start_stretches(length):  # type: ignore[no-untyped-def]
    """Return the rows worked on at a time, the elements they need, and who goes side by side.

    Few enough rows for the first-level cache, many against `length`. The last two are for
    `next_stretch`: the numbers of instruments, int64, and how many of them count.
    """
    rows = max(768, 2 * length)
    room = max(length - 1 + rows, ROOM)
    # Typed, or Numba compiles `next_stretch` twice: for a literal and for a number.
    return rows, room, np.zeros(min(SIDE, room // length), np.int64), np.int64(1)


@kernel_part
def copy_into(target: Floats, source: Floats) -> None:
    """Copy equally long arrays; assigning a slice takes Numba five seconds to compile."""
    for j in range(len(target)):
        target[j] = source[j]


@kernel_part
def next_stretch(offsets: Ints, a: int, rows: int, who: Ints, side: int) -> tuple[int, int]:
    """Choose the rows from `a` on that are worked on together; return their end and their `side`.

    Either up to `rows` rows of one instrument (`side` is 1), or the only rows of up to ``len(who)``
    instruments. `who` comes with the `side` instruments of the stretch before, and leaves with
    those of this one.
    """
    i = who[side - 1]
    while offsets[i + 1] <= a:
        i += 1
    who[0] = i
    if offsets[i] < a or offsets[i + 1] > a + 1:
        return min(a + rows, offsets[i + 1]), 1
    side = 1
    for k in range(i + 1, len(offsets) - 1):
        own = offsets[k + 1] - offsets[k]
        if own > 1 or side == len(who):
            break
        # An instrument without rows has no place in the outputs, so it is passed over.
        if own == 1:
            who[side] = k
            side += 1
    return a + side, side


@kernel_part
def load_windows(
    state: Floats,
    first: int,
    kept: int,
    who: Ints,
    side: int,
    rows: Floats,
    window: Floats,
) -> Floats:
    """Return the `kept` rows of each of `who`, followed by `rows`, as a view of `window`.

    They lie in ``state[:, first : first + kept]``, where the newest ones are kept then.
    """
    stop = kept * side + len(rows)
    copy_into(window[kept * side : stop], rows)
    keep_windows(state, first, kept, who, side, len(rows), window)
    return window[:stop]


@kernel_part
def keep_windows(state, first, kept, who, side, count, window):  # type: ignore[no-untyped-def]
    """Do as `load_windows` where the `count` new elements are in their places already."""
    for j in range(side):
        i = who[j]
        for k in range(kept):
            window[k * side + j] = state[i, first + k]
    for j in range(side):
        i = who[j]
        for k in range(kept):
            state[i, first + k] = window[count + k * side + j]


@kernel_part
def _joinable(near_rows: int, far_rows: int, side: int, stop: int) -> tuple[int, int, int]:
    """Return from where windows of both parts exist, and from and to where their far parts lie."""
    return (near_rows + far_rows - 1) * side, (far_rows - 1) * side, stop - near_rows * side


@kernel_part
def _join_sums(
    new: Floats, old: Floats, near: Floats, far: Floats, far_rows: float, out: Floats
) -> None:
    """Join sums of the newer rows with those of the `far_rows` before them."""
    for j in range(len(out)):
        out[j] = near[j] + (far[j] + far_rows * (old[j] - new[j]))


@kernel_part
def _join_squares(
    new: Floats,
    old: Floats,
    near_sums: Floats,
    far_sums: Floats,
    near: Floats,
    far: Floats,
    near_rows: float,
    far_rows: float,
    out: Floats,
) -> None:
    """Join sums of squared deviations, given the sums of both parts."""
    one_near, one_far = 1.0 / near_rows, 1.0 / far_rows
    weight = near_rows * far_rows / (near_rows + far_rows)
    for j in range(len(out)):
        gap = (old[j] - new[j]) + (far_sums[j] * one_far - near_sums[j] * one_near)
        out[j] = (near[j] + far[j]) + gap * gap * weight


@kernel_part
def _start_parts(x: Floats, *parts: Floats) -> None:
    """Set windows of one row: zero, or NaN where the row is missing."""
    for part in parts:
        for j in range(len(x)):
            part[j] = x[j] - x[j]


@kernel_part
def window_sums(x: Floats, length: int, side: int, work: Floats) -> Floats:
    """Return sums of differences from each window's newest row, for windows that end in `x`.

    `x` starts with ``length - 1`` earlier rows; the result has ``len(x) - length + 1`` values and
    is a view of `work`, float64 ``[3, >= len(x)]``. Windows of 4, 8, 16, ... rows are joined, and
    what is left over of the newest rows; the longest are added while they are joined.
    """
    stop, joined, half = len(x), length % FOUR, FOUR
    # Rows of `work`: sums of the `joined` newest rows, and of the windows of `half` rows.
    whole, part, i = 0, 1, (length - 1) * side
    if joined > 0:
        _sum_few(x, joined, side, work[whole, :stop])
    if length >= FOUR:
        _sum_fours(x, side, work[part, :stop])
    while 2 * half <= length:
        if length & half:
            whole, joined = _add_part(x, joined, half, side, work, whole, part), joined + half
        free = 3 - whole - part if whole != part else (part + 1) % 3
        if 4 * half > length:
            _finish_sums(x, joined, half, side, work, whole, part, free)
            return work[free, i:stop]
        k, m, end = _joinable(half, half, side, stop)
        _join_sums(x[k:], x[m:end], work[part, k:stop], work[part, m:end], half, work[free, k:stop])
        part, half = free, 2 * half
    if length > FOUR:
        whole = _add_part(x, joined, half, side, work, whole, part)
    return work[whole if length != FOUR else part, i:stop]


@kernel_part
def _add_part(x, joined, half, side, work, whole, part):  # type: ignore[no-untyped-def]
    """Add windows of `half` rows to the `joined` rows after them; return where the sums are."""
    if joined == 0:
        return part
    # Elsewhere: in their place they would not be worked on at vector speed.
    free, stop = 3 - whole - part, len(x)
    i, k, end = _joinable(joined, half, side, stop)
    new, old, near, far = x[i:], x[k:end], work[whole, i:stop], work[part, k:end]
    out = work[free, i:stop]
    for j in range(len(out)):
        out[j] = near[j] + (far[j] + half * (old[j] - new[j]))
    return free


@kernel_part
def _finish_sums(x, joined, half, side, work, whole, part, free):  # type: ignore[no-untyped-def]
    """Join windows of `half` rows, two at a time, and add them to the `joined` rows after them."""
    stop, i, m = len(x), (joined + 2 * half - 1) * side, (half - 1) * side
    k = m + half * side
    out, new, middle, old = work[free, i:stop], x[i:], x[k:], x[m:]
    near, first, second = work[whole, i:stop], work[part, k:stop], work[part, m:stop]
    if joined == 0:
        _join_sums(middle, old[: len(middle)], first, second, half, out)
        return
    for j in range(len(out)):
        both = first[j] + (second[j] + half * (old[j] - middle[j]))
        out[j] = near[j] + (both + 2 * half * (middle[j] - new[j]))


@kernel_part
def _sum_few(x, rows, side, sums):  # type: ignore[no-untyped-def]
    """Write the sums of the one to three newest rows."""
    newest, total = x[(rows - 1) * side :], sums[(rows - 1) * side :]
    a, b = x[(rows - 2) * side if rows > 1 else 0 :], x
    if rows == 1:
        for j in range(len(newest)):
            total[j] = newest[j] - newest[j]
    elif rows == 2:
        for j in range(len(newest)):
            total[j] = (newest[j] - newest[j]) + (a[j] - newest[j])
    else:
        for j in range(len(newest)):
            total[j] = ((newest[j] - newest[j]) + (a[j] - newest[j])) + (b[j] - newest[j])


@kernel_part
def _sum_fours(x, side, sums):  # type: ignore[no-untyped-def]
    """Write the sum of the four rows that end at each row."""
    newest, total = x[3 * side :], sums[3 * side :]
    a, b, c = x[2 * side :], x[side:], x
    for j in range(len(newest)):
        total[j] = ((a[j] - newest[j]) + (b[j] - newest[j])) + (c[j] - newest[j])


@kernel_part
def window_means(x: Floats, length: int, side: int, work: Floats, out: Floats) -> None:
    """Write the mean of each window that ends in `x`; `work` as for `window_sums`."""
    sums, newest = window_sums(x, length, side, work), x[(length - 1) * side :]
    for j in range(len(out)):
        out[j] = newest[j] + sums[j] / length


@kernel_part
def hide_missing(x: Floats, length: int, side: int, work: Floats, out: Floats) -> None:
    """Make null what belongs to a window that holds a missing row; `work` as for `window_sums`.

    For what is a function of some rows of a window: a window is null while any of it is missing.
    """
    missing = 0
    for j in range(len(x)):
        missing += x[j] != x[j]
    if missing:
        sums = window_sums(x, length, side, work)
        for j in range(len(out)):
            out[j] = out[j] if sums[j] == sums[j] else np.nan


@kernel_part
def window_moments(x: Floats, length: int, side: int, work: Floats) -> tuple[Floats, Floats]:
    """Return the sums of `window_sums` and the sums of squared deviations from the mean.

    As `window_sums`, with `work` of float64 ``[6, >= len(x)]``.
    """
    stop = len(x)
    part, spare, whole = work[0, :stop], work[1, :stop], work[2, :stop]
    part_sq, spare_sq, whole_sq = work[3, :stop], work[4, :stop], work[5, :stop]
    _start_parts(x, part, whole, part_sq, whole_sq)
    joined, size = 0, 1
    while True:
        if length & size:
            i, k, end = _joinable(joined, size, side, stop)
            if joined:
                _join_squares(
                    x[i:],
                    x[k:end],
                    whole[i:],
                    part[k:end],
                    whole_sq[i:],
                    part_sq[k:end],
                    float(joined),
                    float(size),
                    whole_sq[i:],
                )
            else:
                copy_into(whole_sq[i:], part_sq[i:])
            _join_sums(x[i:], x[k:end], whole[i:], part[k:end], float(size), whole[i:])
            joined += size
        if 2 * size > length:
            return whole[(length - 1) * side :], whole_sq[(length - 1) * side :]
        i, k, end = _joinable(size, size, side, stop)
        _join_squares(
            x[i:],
            x[k:end],
            part[i:],
            part[k:end],
            part_sq[i:],
            part_sq[k:end],
            float(size),
            float(size),
            spare_sq[i:],
        )
        _join_sums(x[i:], x[k:end], part[i:], part[k:end], float(size), spare[i:])
        part, spare = spare, part
        part_sq, spare_sq = spare_sq, part_sq
        size *= 2
