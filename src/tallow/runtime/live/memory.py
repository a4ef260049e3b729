"""The candles in memory, and the snapshots from which corrections are replayed.

Every instrument's candles are numbered. Before each candle whose number is a multiple of `stride`,
a snapshot of the states is kept, in a ring. A correction starts at the snapshot before it, so it
costs at most `stride` candles more than follow it, whatever the length of the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from tallow.core.arrays import Floats, Ints
from tallow.core.kernel import read_only
from tallow.core.limits import LIVE_STRIDE
from tallow.core.time import BEGIN_OF_TIME
from tallow.data.kernels.aggregate import CandleArrays
from tallow.data.kernels.live_rows import put_candles
from tallow.data.reading.schema import CANDLE_SCHEMA, OPEN_INTEREST, time_view
from tallow.runtime.live.outcome import Past
from tallow.runtime.live.timeframe_state import as_slice

FIELDS = ("timestamp", "open", "high", "low", "close", "volume", "open_interest")
"""Columns of a candle's row. Microseconds are exact in float64 until the year 2255."""
TIME, CLOSE, VOLUME, INTEREST = 0, 4, 5, 6


def candles_of(parts: Sequence[Floats]) -> CandleArrays:
    """Return candles of several instruments, each ``[rows, fields]``, as kernels take them."""
    offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    return candle_arrays(np.concatenate(parts), offsets)


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

    A snapshot is a row of states of all timeframes, ``[size]``; what it was taken before is the
    number of a candle. It is there as long as that candle is.

    Attributes
    ----------
    first, next
        int64 ``[instruments]``: number of the oldest candle in memory, which has a snapshot, and of
        the next one to come.
    reported_from
        int64 ``[instruments]``, microseconds: bars that ended by then were never reported.
    snapshots
        float64 ``[slots, instruments, size]``.
    """

    def __init__(self, keep: int, size: int) -> None:
        self.stride = min(LIVE_STRIDE, keep)
        self.slots = -(-keep // self.stride) + 1
        self.capacity = self.slots * self.stride
        self.candles = np.empty((self.capacity, 0, len(FIELDS)))
        self.first = np.empty(0, dtype=np.int64)
        self.next = np.empty(0, dtype=np.int64)
        self.reported_from = np.empty(0, dtype=np.int64)
        self.snapshots = np.empty((self.slots, 0, size))

    def grow(self, fresh: Floats) -> None:
        """Make room for more instruments, of which these are the states."""
        more = len(fresh)
        room = np.full((self.capacity, more, len(FIELDS)), np.nan)
        self.candles = np.concatenate([self.candles, room], axis=1)
        zeros = np.zeros(more, dtype=np.int64)
        self.first, self.next = np.append(self.first, zeros), np.append(self.next, zeros)
        self.reported_from = np.append(self.reported_from, zeros + BEGIN_OF_TIME)
        kept = np.zeros((self.slots, *fresh.shape))
        kept[0] = fresh
        self.snapshots = np.concatenate([self.snapshots, kept], axis=1)

    def candles_of(self, number: int) -> Floats:
        """Return an instrument's candles, ``[rows, fields]``, the oldest first."""
        places = np.arange(self.first[number], self.next[number]) % self.capacity
        candles: Floats = self.candles[places, number]
        return candles

    def before(self, number: int, moment: int, newest: Floats | None = None) -> tuple[int, Past]:
        """Return the latest state before a moment, with the candles after it.

        And the number of the first of these; they begin with the oldest one where the moment is
        before that. `newest` is the state after all candles, where the moment is after these.
        """
        if newest is not None:
            return int(self.next[number]), Past(newest, np.empty((0, len(FIELDS))))
        first, kept = int(self.first[number]), self.candles_of(number)
        # There may be no snapshot yet before the next candle.
        place = min(int(np.searchsorted(kept[:, TIME], moment)), max(len(kept) - 1, 0))
        position = max((first + place) // self.stride * self.stride, first)
        state = self.snapshots[self.slot(position), number].copy()
        return position, Past(state, kept[position - first :])

    def newest(self, number: int, count: int) -> Past:
        """Return the state before an instrument's newest candles, with these: `count` or more."""
        first, end = int(self.first[number]), int(self.next[number])
        position = max((end - count) // self.stride * self.stride, first)
        places = np.arange(position, end) % self.capacity
        return Past(self.snapshots[self.slot(position), number], self.candles[places, number])

    def slot(self, position: Any) -> Any:
        """Return the slots of the snapshots before candles of such numbers."""
        return position // self.stride % self.slots

    def put(self, which: Ints, position: Ints, states: Floats) -> None:
        """Keep snapshots before candles whose numbers are multiples of the stride.

        Each replaces the one a whole ring further back, and the candles there are given up.
        """
        self.snapshots[self.slot(position), which] = states
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

    def restart(self, number: int, state: Floats) -> None:
        """Forget an instrument's candles: the next ones begin after a state."""
        self.first[number] = self.next[number] = 0
        self.snapshots[0, number] = state
