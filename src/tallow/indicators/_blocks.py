"""Sliding sums and extremes of values that come one by one, as in recursive indicators.

Values go in blocks as long as the window. A window is the end of one block and the beginning of the
next: the sums, or extremes, of all ends of a block are made when it is full, those of beginnings
grow by a value. So a step costs the same for any length, nothing is taken away from a sum, and
nothing drifts. Van Herk (1992), "A Fast Algorithm for Local Minimum and Maximum Filters".

A caller keeps the place in the block, the block's own sum or extreme, and in its state a number for
each place; `next_place` goes on. What the first block gives before its end is no window's.
"""

from __future__ import annotations

from tallow.core.arrays import Floats
from tallow.core.kernel import kernel_step


@kernel_step
def sum_step(
    state: Floats, i: int, first: int, length: int, place: int, total: float, x: float
) -> tuple[float, float]:
    """Take one more `x`; return the block's own sum, and that of the last `length` values.

    The numbers of the places begin at ``state[i, first]``.
    """
    total = x if place == 0 else total + x
    whole = total
    # Behind the place lie sums of the block before, each up to its end.
    if place + 1 < length:
        whole += state[i, first + place + 1]
    state[i, first + place] = x
    if place + 1 == length:
        end = 0.0
        for k in range(first + length - 1, first - 1, -1):
            end += state[i, k]
            state[i, k] = end
    return total, whole


@kernel_step
def highest_step(
    state: Floats, i: int, first: int, length: int, place: int, top: float, x: float
) -> tuple[float, float]:
    """Take one more `x`; return the block's own highest, and that of the last `length` values.

    As `sum_step`. The lowest is minus the highest of what is negated.
    """
    top = x if place == 0 else max(x, top)
    whole = top
    if place + 1 < length:
        whole = max(whole, state[i, first + place + 1])
    state[i, first + place] = x
    if place + 1 == length:
        end = x
        for k in range(first + length - 1, first - 1, -1):
            end = max(end, state[i, k])
            state[i, k] = end
    return top, whole


@kernel_step
def next_place(place: int, length: int) -> int:
    """Return the place after this one."""
    return place + 1 if place + 1 < length else 0
