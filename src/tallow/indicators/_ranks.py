"""How many rows of windows are not above a limit."""

from __future__ import annotations

from tallow.core.kernel import kernel_part


@kernel_part
def _count(x, back, side, limit, lower):  # type: ignore[no-untyped-def]
    """Add how many of four rows, from row `back` of the window on, are not above the limit."""
    a, b = x[back * side :], x[(back + 1) * side :]
    c, d = x[(back + 2) * side :], x[(back + 3) * side :]
    for j in range(len(lower)):
        top = limit[j]
        two = (1.0 if a[j] <= top else 0.0) + (1.0 if b[j] <= top else 0.0)
        more = (1.0 if c[j] <= top else 0.0) + (1.0 if d[j] <= top else 0.0)
        lower[j] += two + more


@kernel_part
def _count_one(x, limit, lower):  # type: ignore[no-untyped-def]
    for j in range(len(lower)):
        lower[j] += 1.0 if x[j] <= limit[j] else 0.0
