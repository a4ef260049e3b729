"""Ticks kept: each instrument's in a span of one pool, with room for more."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tallow.core.arrays import Floats, Ints
from tallow.core.kernel import kernel, kernel_part
from tallow.core.time import BEGIN_OF_TIME
from tallow.data.kernels.tick_order import Ticks

NEVER = BEGIN_OF_TIME
"""The clock before it is set, and the newest of no ticks."""

LOW, HIGH, FIRST, LAST, NEWEST, HORIZON = 0, 1, 2, 3, 4, 5
"""Columns of an instrument's span: its room in the pool, its ticks there, its newest tick's time,
and from which minute on it takes ticks."""


class Book(NamedTuple):
    """Everything kept: the pool of ticks, each instrument's span ``[n, 6]`` in it, and its base.

    A span's ticks are in order. The base, float64 ``[n, 2]``, is the session and the peak of the
    last tick that was let go; or, where `begun`, int64 ``[n]``, is 1, what had traded before the
    first tick.
    """

    ticks: Ticks
    spans: Ints
    base: Floats
    begun: Ints


class Clock(NamedTuple):
    """The clock and the builder's settings, in microseconds."""

    now: int
    grace: int
    kept: int


class Out(NamedTuple):
    """Where kernels write minutes: int64 ``[5, n]`` and float64 ``[5, n]``."""

    whole: Ints
    real: Floats

    @classmethod
    def of(cls, rows: int) -> Out:
        """Return room for so many minutes, with any content."""
        return cls(np.empty((5, rows), dtype=np.int64), np.empty((5, rows)))


@kernel_part
def _shift(source: Ticks, target: Ticks, span: Ints, to: int) -> None:
    """Copy a span's ticks to place `to` of the target, which may overlap them from below."""
    first, count = span[FIRST], span[LAST] - span[FIRST]
    for row in range(2):
        for k in range(count):
            target.whole[row, to + k] = source.whole[row, first + k]
    for row in range(5):
        for k in range(count):
            target.real[row, to + k] = source.real[row, first + k]
    span[FIRST], span[LAST] = to, to + count


@kernel
def repack(book: Book, packed: Book) -> None:
    """Copy every instrument's ticks to the start of its new room."""
    for i in range(len(packed.spans)):
        _shift(book.ticks, packed.ticks, packed.spans[i], packed.spans[i, LOW])


@kernel
def move(book: Book, arriving: Ints, used: int) -> int:
    """Make room where it lacks; return the pool's used length, or -1 where the pool is full."""
    for i in range(len(arriving)):
        if arriving[i] > 0 and used >= 0:
            used = move_one(book, i, arriving[i], used)
    return used


@kernel_part
def move_one(book: Book, i: int, arriving: int, used: int) -> int:
    """Make room for an instrument's ticks, as `move`.

    Ticks move down to where their span starts if that leaves half of it free, else to the pool's
    end and twice the room: each move is paid for by as many ticks that came since the last.
    """
    span = book.spans[i]
    if span[LAST] + arriving <= span[HIGH]:
        return used
    size = 2 * (span[LAST] - span[FIRST] + arriving)
    if size > span[HIGH] - span[LOW]:
        if used + size > book.ticks.whole.shape[1]:
            return -1
        span[LOW], span[HIGH] = used, used + size
        used += size
    _shift(book.ticks, book.ticks, span, span[LOW])
    return used
