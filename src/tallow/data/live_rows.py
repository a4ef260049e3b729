"""What a live update does besides the kernels of bars and indicators, as compiled passes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tallow.core.kernel import kernel, kernel_part

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Flags = NDArray[np.bool_]


@kernel
def turn(closed: Floats, forming: Floats, which: Times, opened: Flags) -> None:
    """Prepare instruments' states for their open bars' rows.

    ``closed`` are the states after each instrument's last closed bar and ``forming`` those after
    its open one, float64 ``[instruments, state_size]``. Where a bar was `opened`, the one before
    has closed; where not, the open bar's row runs again, from where it began.
    """
    for k in range(len(which)):
        i = which[k]
        target, source = (closed, forming) if opened[k] else (forming, closed)
        for j in range(closed.shape[1]):
            target[i, j] = source[i, j]


@kernel_part
def _same(old: Floats, a: int, new: Floats, b: int) -> bool:
    """Say whether a row of either table, ``[fields, rows]``, has the same values; NaN is one."""
    for field in range(len(old)):
        x, y = old[field, a], new[field, b]
        if x != y and not (x != x and y != y):
            return False
        if x == 0.0 and np.signbit(x) != np.signbit(y):
            return False
    return True


@kernel
def differing(
    old_offsets: Times,
    old_times: Times,
    old_final: Flags,
    old: Floats,
    new_offsets: Times,
    new_times: Times,
    new_final: Flags,
    new: Floats,
    gone: Flags,
    changed: Flags,
) -> None:
    """Mark the rows of `old` that `new` does not have, and those of `new` that say something else.

    Rows ``offsets[i]:offsets[i + 1]`` are instrument ``i``'s, in ascending time; the tables are
    float64 ``[fields, rows]``.
    """
    for i in range(len(old_offsets) - 1):
        a, b = old_offsets[i], new_offsets[i]
        a_end, b_end = old_offsets[i + 1], new_offsets[i + 1]
        while a < a_end or b < b_end:
            if b == b_end or (a < a_end and old_times[a] < new_times[b]):
                gone[a] = True
                a += 1
            elif a == a_end or new_times[b] < old_times[a]:
                changed[b] = True
                b += 1
            else:
                changed[b] = old_final[a] != new_final[b] or not _same(old, a, new, b)
                a += 1
                b += 1
