"""Sliding windows of prices that are weighted by volume: joined from halves, as in `_windows`."""

from __future__ import annotations

from tallow.core.arrays import Floats
from tallow.core.kernel import kernel_part
from tallow.indicators._windows import _joinable, _start_parts, copy_into


@kernel_part
def _join_volumes(
    new: Floats,
    old: Floats,
    near: Floats,
    far: Floats,
    near_volumes: Floats,
    far_volumes: Floats,
    out: Floats,
    volumes: Floats,
) -> None:
    """Join weighted sums of the newer rows with those of older ones, and the volumes of both."""
    for j in range(len(out)):
        out[j] = near[j] + (far[j] + far_volumes[j] * (old[j] - new[j]))
        volumes[j] = near_volumes[j] + far_volumes[j]


@kernel_part
def window_volumes(
    x: Floats, volume: Floats, length: int, side: int, work: Floats
) -> tuple[Floats, Floats]:
    """Return sums of volume times difference from each window's newest price, and of volume.

    As `window_sums`, with `work` of float64 ``[6, >= len(x)]``.
    """
    stop = len(x)
    part, spare, whole = work[0, :stop], work[1, :stop], work[2, :stop]
    part_v, spare_v, whole_v = work[3, :stop], work[4, :stop], work[5, :stop]
    _start_parts(x, part, whole)
    copy_into(part_v, volume)
    joined, size = 0, 1
    while True:
        if length & size:
            if joined:
                i, k, end = _joinable(joined, size, side, stop)
                far, far_v, both = part[k:end], part_v[k:end], whole_v[i:]
                _join_volumes(x[i:], x[k:end], whole[i:], far, both, far_v, whole[i:], both)
            else:
                i = (size - 1) * side
                copy_into(whole[i:], part[i:])
                copy_into(whole_v[i:], part_v[i:])
            joined += size
        if 2 * size > length:
            return whole[(length - 1) * side :], whole_v[(length - 1) * side :]
        i, k, end = _joinable(size, size, side, stop)
        far, far_v, near_v = part[k:end], part_v[k:end], part_v[i:]
        _join_volumes(x[i:], x[k:end], part[i:], far, near_v, far_v, spare[i:], spare_v[i:])
        part, spare = spare, part
        part_v, spare_v = spare_v, part_v
        size *= 2
