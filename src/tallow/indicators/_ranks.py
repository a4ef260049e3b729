"""How many rows of windows are not above a limit."""

from __future__ import annotations

import numpy as np

from tallow.core.arrays import Floats
from tallow.core.kernel import kernel_part

LEAST = -(2**63) + 1
"""The bits of the negative number that is nearest to zero."""


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


@kernel_part
def step_down(values: Floats) -> None:
    """Put in the place of each number the next one below it: `np.nextafter` at vector speed."""
    bits = values.view(np.int64)
    for j in range(len(values)):
        x, own = values[j], bits[j]
        step = -1 if x > 0.0 else 1
        # Zero may have either sign; what is missing, or without an end, stays.
        below = np.int64(LEAST) if x == 0.0 else own + step
        bits[j] = below if x == x and x != -np.inf else own
