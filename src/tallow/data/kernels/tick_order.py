"""The order of ticks: by time, sequence number and cumulative volume, then as they arrived."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tallow.core.arrays import Floats, Ints
from tallow.core.kernel import kernel_part

TIME, SEQUENCE = 0, 1
PRICE, TRADED, TOTAL, SESSION, PEAK = 0, 1, 2, 3, 4
"""Rows of `Ticks`. A tick has a traded quantity (then its total is -1) or a cumulative total (then
it traded 0). The peak is the session's highest total up to this tick; NaN: not yet known."""

TICKS_VERSION = 8
"""Which candles ticks make: part of a saved state, raised where they make others."""


class Ticks(NamedTuple):
    """Ticks as columns: int64 ``[2, n]`` and float64 ``[5, n]``."""

    whole: Ints
    real: Floats


def empty_ticks(rows: int) -> Ticks:
    """Return room for so many ticks, with any content."""
    return Ticks(np.empty((2, rows), dtype=np.int64), np.empty((5, rows)))


@kernel_part
def copy(source: Ticks, p: int, target: Ticks, to: int) -> None:
    """Copy one tick: cell by cell, as a slice of two dimensions costs more than it holds."""
    for row in range(2):
        target.whole[row, to] = source.whole[row, p]
    for row in range(5):
        target.real[row, to] = source.real[row, p]


@kernel_part
def before(a: Ticks, p: int, b: Ticks, q: int) -> bool:
    """Say whether tick `p` of `a` stands before tick `q` of `b`, whenever they arrived."""
    if a.whole[TIME, p] != b.whole[TIME, q]:
        return bool(a.whole[TIME, p] < b.whole[TIME, q])
    if a.whole[SEQUENCE, p] != b.whole[SEQUENCE, q]:
        return bool(a.whole[SEQUENCE, p] < b.whole[SEQUENCE, q])
    return bool(a.real[TOTAL, p] < b.real[TOTAL, q])


@kernel_part
def sort(ticks: Ticks, order: Ints, low: int, high: int, buffer: Ints) -> None:
    """Sort ``order[low:high]``, stable, from pairs up; feeds are nearly in order, and cost little.

    Numba's own sorts take no key and seconds to compile.
    """
    width = 1
    while width < high - low:
        for left in range(low, high - width, 2 * width):
            middle, right = left + width, min(left + 2 * width, high)
            if not before(ticks, order[middle], ticks, order[middle - 1]):
                continue
            buffer[left:middle] = order[left:middle]
            a, b, to = left, middle, left
            while a < middle:
                if b < right and before(ticks, order[b], ticks, buffer[a]):
                    order[to], b = order[b], b + 1
                else:
                    order[to], a = buffer[a], a + 1
                to += 1
        width *= 2


@kernel_part
def place_of(kept: Ticks, first: int, last: int, ticks: Ticks, q: int) -> int:
    """Return the place of the first kept tick that stands after tick `q`."""
    if first == last or not before(ticks, q, kept, last - 1):
        return last
    while first < last:
        middle = (first + last) // 2
        if before(ticks, q, kept, middle):
            last = middle
        else:
            first = middle + 1
    return first


@kernel_part
def is_among(kept: Ticks, first: int, place: int, ticks: Ticks, q: int) -> bool:
    """Say whether tick `q` equals one of those that share its place in the order.

    Looks through them one by one: 50,000 plain ticks of one instant take 0.4 s.
    """
    p = place - 1
    while p >= first and not before(kept, p, ticks, q):
        same_price = kept.real[PRICE, p] == ticks.real[PRICE, q]
        if same_price and kept.real[TRADED, p] == ticks.real[TRADED, q]:
            return True
        p -= 1
    return False


@kernel_part
def merge(fresh: Ticks, count: int, kept: Ticks, first: int, last: int) -> None:
    """Merge sorted new ticks into kept ones, which have room behind them.

    From behind, so that none is moved twice; after equals, as they arrived later.
    """
    p, q, to = last - 1, count - 1, last + count - 1
    while q >= 0:
        if p >= first and before(fresh, q, kept, p):
            copy(kept, p, kept, to)
            p -= 1
        else:
            copy(fresh, q, kept, to)
            q -= 1
        to -= 1
