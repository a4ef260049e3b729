"""How long ago the highest row of a sliding window was: joined from halves, as in `_windows`."""

from __future__ import annotations

from tallow.core.arrays import Floats
from tallow.core.kernel import kernel_part


@kernel_part
def _begin(x: Floats, side: int, high: Floats, age: Floats) -> None:
    """Write the larger of the two rows that end at each row, and its age."""
    newer, highs, ages = x[side:], high[side:], age[side:]
    for j in range(len(newer)):
        is_near = newer[j] >= x[j] or newer[j] != newer[j]
        highs[j] = newer[j] if is_near else x[j]
        ages[j] = 0.0 if is_near else 1.0


@kernel_part
def _join(high: Floats, age: Floats, k: int, rows: float, highs: Floats, ages: Floats) -> None:
    """Keep the larger of two and its age, of equal ones the newer; NaN stays the larger.

    The farther one lies `k` elements, which are so many `rows`, before.
    """
    near, near_age = high[k:], age[k:]
    for j in range(len(highs)):
        is_near = near[j] >= high[j] or near[j] != near[j]
        highs[j] = near[j] if is_near else high[j]
        ages[j] = near_age[j] if is_near else age[j] + rows


@kernel_part
def window_ages(x: Floats, length: int, side: int, work: Floats) -> Floats:
    """Return how many rows before a window's newest one its latest highest one lies.

    `work` is float64 ``[4, >= len(x)]``. Missing rows are hidden by whoever calls.
    """
    stop = len(x)
    part, spare, age, spare_age = work[0, :stop], work[1, :stop], work[2, :stop], work[3, :stop]
    size = 2
    if length == 1:
        for j in range(stop):
            age[j] = 0.0
    else:
        _begin(x, side, part, age)
    while size < length:
        more = min(size, length - size)
        k = more * side
        _join(part, age, k, float(more), spare[k:], spare_age[k:])
        part, spare, age, spare_age = spare, part, spare_age, age
        size += more
    return age[(length - 1) * side :]
