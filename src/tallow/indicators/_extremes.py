"""Highest and lowest rows of sliding windows: joined of four shorter ones, and of four of those.

As in `tallow.indicators._windows` a value is a function of its window alone. Missing rows are
passed over at first, since most stretches have none; then each window that has one is null.
"""

from __future__ import annotations

import numpy as np

from tallow.core.arrays import Floats
from tallow.core.kernel import kernel_part


@kernel_part
def window_highest(x: Floats, length: int, side: int, work: Floats) -> Floats:
    """Return the highest value of each window that ends in `x`; `work` is ``[2, >= len(x)]``."""
    stop = len(x)
    part, spare = work[0, :stop], work[1, :stop]
    size, one, two, three = _next_size(1, length, side)
    _largest(x, one, two, three, part[three:])
    while size < length:
        size, one, two, three = _next_size(size, length, side)
        _largest(part, one, two, three, spare[three:])
        part, spare = spare, part
    _hide_windows(x, length, side, part)
    return part[(length - 1) * side :]


@kernel_part
def window_lowest(x: Floats, length: int, side: int, work: Floats) -> Floats:
    """Return the lowest value of each window that ends in `x`; `work` is ``[2, >= len(x)]``."""
    stop = len(x)
    part, spare = work[0, :stop], work[1, :stop]
    size, one, two, three = _next_size(1, length, side)
    _smallest(x, one, two, three, part[three:])
    while size < length:
        size, one, two, three = _next_size(size, length, side)
        _smallest(part, one, two, three, spare[three:])
        part, spare = spare, part
    _hide_windows(x, length, side, part)
    return part[(length - 1) * side :]


@kernel_part
def _next_size(size: int, length: int, side: int) -> tuple[int, int, int, int]:
    """Return the rows of windows joined of four of `size`; how far three of these lie before.

    They may overlap: an extreme may count a row twice.
    """
    reach = min(4 * size, length)
    last = reach - size
    return reach, min(size, last) * side, min(2 * size, last) * side, last * side


@kernel_part
def _largest(part: Floats, one: int, two: int, three: int, out: Floats) -> None:
    """Write the largest of each and three so many elements before, the newest of equal ones."""
    a, b, c = part[three:], part[three - one :], part[three - two :]
    for j in range(len(out)):
        near, far = b[j] if b[j] > a[j] else a[j], part[j] if part[j] > c[j] else c[j]
        out[j] = far if far > near else near


@kernel_part
def _smallest(part: Floats, one: int, two: int, three: int, out: Floats) -> None:
    """Write the smallest of each and three so many elements before, the newest of equal ones."""
    a, b, c = part[three:], part[three - one :], part[three - two :]
    for j in range(len(out)):
        near, far = b[j] if b[j] < a[j] else a[j], part[j] if part[j] < c[j] else c[j]
        out[j] = far if far < near else near


@kernel_part
def _hide_windows(x: Floats, length: int, side: int, out: Floats) -> None:
    """Make null each window that has a missing row."""
    missing = 0
    for j in range(len(x)):
        missing += x[j] != x[j]
    if missing == 0:
        return
    for first in range(side):
        left = 0
        for j in range(first, len(x), side):
            left = length if x[j] != x[j] else left - 1
            if left > 0:
                out[j] = np.nan
