"""Sliding windows of prices that are weighted by volume: joined of four rows and more."""

from __future__ import annotations

from tallow.core.arrays import Floats
from tallow.core.kernel import kernel_part
from tallow.indicators._windows import FOUR, _joinable, copy_into


@kernel_part
def window_volumes(
    x: Floats, volume: Floats, length: int, side: int, work: Floats
) -> tuple[Floats, Floats]:
    """Return sums of volume times difference from each window's newest price, and of volume.

    As `window_sums`, with `work` of float64 ``[6, >= len(x)]``.
    """
    stop = len(x)
    sums, volumes = work[0, :stop], work[1, :stop]
    part, part_v, spare, spare_v = work[2, :stop], work[3, :stop], work[4, :stop], work[5, :stop]
    joined, size = length % FOUR, FOUR
    if joined > 0:
        _few(x, volume, joined, side, sums, volumes)
    if length >= FOUR:
        _fours(x, volume, side, part, part_v)
    while size <= length:
        if length & size and joined:
            i, k, end = _joinable(joined, size, side, stop)
            _join(x[i:], x[k:end], part[k:end], part_v[k:end], sums[i:], volumes[i:])
            joined += size
        elif length & size:
            copy_into(sums[(size - 1) * side :], part[(size - 1) * side :])
            copy_into(volumes[(size - 1) * side :], part_v[(size - 1) * side :])
            joined = size
        if 2 * size <= length:
            i, k, end = _joinable(size, size, side, stop)
            _double(x[i:], x[k:end], part[k:], part_v[k:], size * side, spare[i:], spare_v[i:])
            part, spare = spare, part
            part_v, spare_v = spare_v, part_v
        size *= 2
    return sums[(length - 1) * side :], volumes[(length - 1) * side :]


@kernel_part
def _few(x, volume, rows, side, sums, volumes):  # type: ignore[no-untyped-def]
    """Write both sums of the one to three newest rows."""
    first = (rows - 1) * side
    newest, latest, total, units = x[first:], volume[first:], sums[first:], volumes[first:]
    for j in range(len(newest)):
        # Null where the price is missing, though a volume may be known.
        units[j] = latest[j] + (newest[j] - newest[j])
        total[j] = units[j] - units[j]
    for k in range(1, rows):
        old, more = x[(rows - 1 - k) * side :], volume[(rows - 1 - k) * side :]
        for j in range(len(newest)):
            total[j] += more[j] * (old[j] - newest[j])
            units[j] += more[j]


@kernel_part
def _fours(x, volume, side, sums, volumes):  # type: ignore[no-untyped-def]
    """Write both sums of the four rows that end at each row."""
    newest, latest, total, units = (
        x[3 * side :],
        volume[3 * side :],
        sums[3 * side :],
        volumes[3 * side :],
    )
    a, b, p, q = x[2 * side :], x[side:], volume[2 * side :], volume[side:]
    for j in range(len(newest)):
        new = newest[j]
        whole = latest[j] + (new - new)
        moved = whole - whole
        moved += p[j] * (a[j] - new)
        moved += q[j] * (b[j] - new)
        moved += volume[j] * (x[j] - new)
        total[j] = moved
        units[j] = whole + p[j] + q[j] + volume[j]


@kernel_part
def _double(new, old, part, part_v, k, sums, volumes):  # type: ignore[no-untyped-def]
    """Join each window to the one `k` elements before it."""
    near, near_v = part[k:], part_v[k:]
    for j in range(len(sums)):
        sums[j] = near[j] + (part[j] + part_v[j] * (old[j] - new[j]))
        volumes[j] = near_v[j] + part_v[j]


@kernel_part
def _join(new, old, far, far_volumes, sums, volumes):  # type: ignore[no-untyped-def]
    """Join older windows to newer ones, in whose place the result is."""
    for j in range(len(sums)):
        sums[j] += far[j] + far_volumes[j] * (old[j] - new[j])
        volumes[j] += far_volumes[j]
