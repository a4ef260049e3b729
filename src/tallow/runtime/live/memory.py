"""The candles that are held in memory, and the states from which a correction is replayed.

Every instrument's candles are numbered. A state is kept at every multiple of `stride`, before that
candle, in a ring: a correction goes on from the one before it, so it costs at most `stride` candles
more than lie behind it, whatever the length of the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from tallow.core.arrays import Floats, Ints
from tallow.core.kernel import read_only
from tallow.core.limits import LIVE_STRIDE
from tallow.core.time import BEGIN_OF_TIME
from tallow.data.kernels.aggregate import CandleArrays
from tallow.data.kernels.live_rows import put_candles
from tallow.data.reading.schema import CANDLE_SCHEMA, OPEN_INTEREST, time_view
from tallow.runtime.live.lane import State, stretch

FIELDS = ("timestamp", "open", "high", "low", "close", "volume", "open_interest")
"""Columns of a candle's row. Microseconds are exact in float64 until the year 2255."""
TIME, CLOSE, VOLUME, INTEREST = 0, 4, 5, 6


class Table(NamedTuple):
    """Candles of instruments: rows ``offsets[i]:offsets[i + 1]`` of float64 ``[rows, fields]``."""

    rows: Floats
    offsets: Ints

    @classmethod
    def of(cls, parts: Sequence[Floats]) -> Table:
        """Put the candles of several instruments together."""
        sizes = [len(part) for part in parts]
        rows = np.concatenate(parts) if parts else np.empty((0, len(FIELDS)))
        return cls(rows, np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))))

    def part(self, low: Ints, high: Ints) -> CandleArrays:
        """Return rows ``low[i]:high[i]`` of each instrument, counted from its first."""
        sizes = high - low
        offsets = np.concatenate(([0], np.cumsum(sizes)))
        index = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1] + low - offsets[:-1], sizes)
        return candle_arrays(self.rows[index], offsets)


def candle_arrays(rows: Floats, offsets: Ints) -> CandleArrays:
    """Return candles as the kernels take them."""
    columns = read_only(np.ascontiguousarray(rows.T))
    return CandleArrays(offsets, read_only(columns[TIME].astype(np.int64)), *columns[1:])


def candle_rows(frame: pl.DataFrame) -> Floats:
    """Return a candle frame's rows as float64 ``[rows, fields]``, in its order."""
    names = [*list(CANDLE_SCHEMA)[2:], OPEN_INTEREST]
    table = np.full((len(names) + 1, len(frame)), np.nan)
    table[TIME] = time_view(frame)
    for row, name in zip(table[1:], names, strict=True):
        if name in frame.columns:
            row[:] = frame[name].to_numpy()
    return table.T


class CandleMemory:
    """The newest candles of each instrument, and states among them.

    Attributes
    ----------
    first, next
        int64 ``[instruments]``: number of the oldest candle that is kept, which has a state, and of
        the next one to come.
    told_from
        int64 ``[instruments]``: a time, in microseconds; bars that ended by then were never told.
    """

    def __init__(self, keep: int) -> None:
        self.stride = min(LIVE_STRIDE, keep)
        self.slots = -(-keep // self.stride) + 1
        self.capacity = self.slots * self.stride
        self.candles = np.empty((self.capacity, 0, len(FIELDS)))
        self.first = np.empty(0, dtype=np.int64)
        self.next = np.empty(0, dtype=np.int64)
        self.told_from = np.empty(0, dtype=np.int64)
        self.states: list[Floats] = []

    def grow(self, count: int, fresh: State) -> None:
        """Make room for `count` instruments; `fresh` are the states of the new ones."""
        more = count - len(self.next)
        room = np.full((self.capacity, more, len(FIELDS)), np.nan)
        self.candles = np.concatenate([self.candles, room], axis=1)
        zeros = np.zeros(more, dtype=np.int64)
        self.first, self.next = np.append(self.first, zeros), np.append(self.next, zeros)
        self.told_from = np.append(self.told_from, zeros + BEGIN_OF_TIME)
        kept = [np.zeros((self.slots, *state.shape)) for state in fresh]
        for slots, state in zip(kept, fresh, strict=True):
            slots[0] = state
        self.states = [
            np.concatenate([old, new], axis=1)
            for old, new in zip(self.states or [k[:, :0] for k in kept], kept, strict=True)
        ]

    def kept(self, number: int) -> Floats:
        """Return an instrument's candles, ``[rows, fields]``, the oldest first."""
        places = np.arange(self.first[number], self.next[number]) % self.capacity
        candles: Floats = self.candles[places, number]
        return candles

    def state(self, which: Ints, position: Ints) -> State:
        """Return the states before candles whose numbers are multiples of the stride."""
        slots = self.slot(position)
        return [kept[slots, which] for kept in self.states]

    def slot(self, position: Ints) -> Ints:
        """Return where the state before a candle lies whose number is a multiple of the stride."""
        return position // self.stride % self.slots

    def mark(self, which: Ints, position: Ints, state: State) -> None:
        """Keep the states before candles whose numbers are multiples of the stride.

        What lies a whole ring further back is given up with it.
        """
        at = _place(self.slot(position), which)
        for kept, new in zip(self.states, state, strict=True):
            kept[at] = new
        oldest = position - (self.slots - 1) * self.stride
        self.first[which] = np.maximum(self.first[which], oldest)

    def append(self, which: Ints, position: Ints, rows: Floats) -> None:
        """Add one candle to each of `which`; a state was marked where one is due.

        `position` are the candles' numbers.
        """
        columns = read_only(np.ascontiguousarray(rows.T))
        put_candles(self.candles, position, which, columns)
        self.next[stretch(which)] = position + 1

    def replace(self, number: int, position: int, rows: Floats) -> None:
        """Write an instrument's candles from a number on; there are none after them."""
        end = position + len(rows)
        places = np.arange(max(position, end - self.capacity), end)
        self.candles[places % self.capacity, number] = rows[places - position]
        self.next[number] = end

    def restart(self, number: int, state: State) -> None:
        """Forget an instrument's candles: they begin anew, after a state."""
        self.first[number] = self.next[number] = 0
        for kept, new in zip(self.states, state, strict=True):
            kept[0, number] = new[0]


def _place(slots: Ints, which: Ints) -> Any:
    """Return the index of places in a ring: one slot of a stretch of instruments needs no list."""
    if len(slots) and slots.min() == slots.max():
        return slots[0], stretch(which)
    return slots, which
