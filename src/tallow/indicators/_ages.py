"""How long ago the highest row of a sliding window was: joined from halves, as in `_windows`."""

from __future__ import annotations

from tallow.core.arrays import Floats
from tallow.core.kernel import kernel_part
from tallow.indicators._windows import copy_into


@kernel_part
def _join_ages(
    near: Floats, far: Floats, near_age: Floats, far_age: Floats, rows: float, out: Floats
) -> None:
    """Keep the age of the larger of two, of equal ones the newer; NaN stays the larger."""
    for j in range(len(out)):
        is_near = near[j] >= far[j] or near[j] != near[j]
        out[j] = near_age[j] if is_near else far_age[j] + rows


@kernel_part
def _join_highs(near: Floats, far: Floats, out: Floats) -> None:
    for j in range(len(out)):
        out[j] = near[j] if near[j] >= far[j] or near[j] != near[j] else far[j]


@kernel_part
def window_ages(x: Floats, length: int, side: int, work: Floats) -> Floats:
    """Return how many rows before a window's newest one its latest highest one lies.

    `work` is float64 ``[4, >= len(x)]``. Missing rows are hidden by whoever calls.
    """
    stop = len(x)
    part, spare, age, spare_age = work[0, :stop], work[1, :stop], work[2, :stop], work[3, :stop]
    copy_into(part, x)
    for j in range(stop):
        age[j] = 0.0
    size = 1
    while size < length:
        more = min(size, length - size)
        k = more * side
        _join_ages(part[k:], part, age[k:], age, float(more), spare_age[k:])
        _join_highs(part[k:], part[: stop - k], spare[k:])
        part, spare, age, spare_age = spare, part, spare_age, age
        size += more
    return age[(length - 1) * side :]
