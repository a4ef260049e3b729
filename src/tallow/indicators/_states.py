"""Which of two sides a value is on, and when it is on neither."""

from __future__ import annotations

from tallow.core.kernel import kernel_part

SAME = 1e-9
"""Values that differ by less than this of their size are equal: what rounding leaves is no side."""


@kernel_part
def state_of(x, low, high):  # type: ignore[no-untyped-def]
    """Return 1 above `high`, -1 below `low`, else 0."""
    if x > high:
        return 1.0
    return -1.0 if x < low else 0.0


@kernel_part
def side_of(x, middle):  # type: ignore[no-untyped-def]
    """Return 1 above the middle, -1 below it, 0 where they are equal."""
    reach = SAME * abs(middle)
    return state_of(x - middle, -reach, reach)
