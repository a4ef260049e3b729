"""The candles in memory, and the snapshots from which corrections are replayed.

Every instrument's candles are numbered. Before each candle whose number is a multiple of `stride`,
a snapshot of the states is kept, in a ring. A correction starts at the snapshot before it, so it
costs at most `stride` candles more than follow it, whatever the length of the history.
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
from tallow.runtime.live.indicator_kernels import StateArrays
from tallow.runtime.live.timeframe_state import as_slice

FIELDS = ("timestamp", "open", "high", "low", "close", "volume", "open_interest")
"""Columns of a candle's row. Microseconds are exact in float64 until the year 2255."""
TIME, CLOSE, VOLUME, INTEREST = 0, 4, 5, 6


class Table(NamedTuple):
    """Candles of instruments: rows ``offsets[i]:offsets[i + 1]`` of float64 ``[rows, fields]``."""

    rows: Floats
    offsets: Ints

    @classmethod
    def of(cls, parts: Sequence[Floats]) -> Table:
        """Put the candles of several instruments one after the other."""
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
    """Return candles as kernels take them."""
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
    """The newest candles of each instrument, and snapshots among them.

    Attributes
    ----------
    first, next
        int64 ``[instruments]``: number of the oldest candle in memory, which has a snapshot, and of
        the next one to come.
    reported_from
        int64 ``[instruments]``, microseconds: bars that ended by then were never reported.
    """

    def __init__(self, keep: int) -> None:
        self.stride = min(LIVE_STRIDE, keep)
        self.slots = -(-keep // self.stride) + 1
        self.capacity = self.slots * self.stride
        self.candles = np.empty((self.capacity, 0, len(FIELDS)))
        self.first = np.empty(0, dtype=np.int64)
        self.next = np.empty(0, dtype=np.int64)
        self.reported_from = np.empty(0, dtype=np.int64)
        self.snapshots: list[Floats] = []

    def grow(self, count: int, fresh: StateArrays) -> None:
        """Make room for `count` instruments; `fresh` are the states of the new ones."""
        more = count - len(self.next)
        room = np.full((self.capacity, more, len(FIELDS)), np.nan)
        self.candles = np.concatenate([self.candles, room], axis=1)
        zeros = np.zeros(more, dtype=np.int64)
        self.first, self.next = np.append(self.first, zeros), np.append(self.next, zeros)
        self.reported_from = np.append(self.reported_from, zeros + BEGIN_OF_TIME)
        kept = [np.zeros((self.slots, *state.shape)) for state in fresh]
        for slots, state in zip(kept, fresh, strict=True):
            slots[0] = state
        self.snapshots = [
            np.concatenate([old, new], axis=1)
            for old, new in zip(self.snapshots or [k[:, :0] for k in kept], kept, strict=True)
        ]

    def candles_of(self, number: int) -> Floats:
        """Return an instrument's candles, ``[rows, fields]``, the oldest first."""
        places = np.arange(self.first[number], self.next[number]) % self.capacity
        candles: Floats = self.candles[places, number]
        return candles

    def snapshot(self, which: Ints, position: Ints) -> StateArrays:
        """Return the snapshots before candles whose numbers are multiples of the stride."""
        slots = self.slot(position)
        return [kept[slots, which] for kept in self.snapshots]

    def slot(self, position: Ints) -> Ints:
        """Return the slots of the snapshots before candles of such numbers."""
        return position // self.stride % self.slots

    def keep_snapshot(self, which: Ints, position: Ints, state: StateArrays) -> None:
        """Keep snapshots before candles whose numbers are multiples of the stride.

        Each replaces the one a whole ring further back, and the candles there are given up.
        """
        at = _place(self.slot(position), which)
        for kept, new in zip(self.snapshots, state, strict=True):
            kept[at] = new
        oldest = position - (self.slots - 1) * self.stride
        self.first[which] = np.maximum(self.first[which], oldest)

    def append(self, which: Ints, position: Ints, rows: Floats) -> None:
        """Add one candle, of number `position`, to each of `which`, after its snapshot if due."""
        columns = read_only(np.ascontiguousarray(rows.T))
        put_candles(self.candles, position, which, columns)
        self.next[as_slice(which)] = position + 1

    def replace(self, number: int, position: int, rows: Floats) -> None:
        """Replace all of an instrument's candles from a number on."""
        end = position + len(rows)
        places = np.arange(max(position, end - self.capacity), end)
        self.candles[places % self.capacity, number] = rows[places - position]
        self.next[number] = end

    def restart(self, number: int, state: StateArrays) -> None:
        """Forget an instrument's candles: the next ones begin after a state."""
        self.first[number] = self.next[number] = 0
        for kept, new in zip(self.snapshots, state, strict=True):
            kept[0, number] = new[0]


def _place(slots: Ints, which: Ints) -> Any:
    """Return the index of slots in a ring: one slot of neighbouring instruments needs no list."""
    if len(slots) and slots.min() == slots.max():
        return slots[0], as_slice(which)
    return slots, which
