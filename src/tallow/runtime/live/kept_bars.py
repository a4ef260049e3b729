"""The newest closed bars of a live engine, as many as its screens look at, kept between them.

An update says which bars it closes: these are put here. Whatever else happens to an instrument - a
late candle, a past from the store, a kernel that fails -, its bars are in doubt, and are loaded
again when they are asked for next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.runtime.live.bar_rows import BarRows
from tallow.runtime.live.timeframe_state import as_slice


class ClosedBars:
    """The newest closed bars of one timeframe: so many of each instrument, in a ring of its own.

    Attributes
    ----------
    columns
        The fields that are kept of each bar.
    bars
        How many bars are kept of each instrument, at most.
    """

    def __init__(self, columns: Sequence[str] = (), bars: int = 0) -> None:
        self.columns, self.bars = tuple(columns), bars
        # How many bars of each instrument have been put here.
        self._count = np.empty(0, dtype=np.int64)
        # The bars of instrument `i` are at slots `i * bars` and after.
        self._opens = np.empty(0, dtype=np.int64)
        self._ends = np.empty(0, dtype=np.int64)
        self._values = np.empty((len(self.columns), 0))

    def grow(self, count: int) -> None:
        """Make room for `count` instruments in all."""
        more = count - len(self._count)
        zeros = np.zeros(more * self.bars, dtype=np.int64)
        self._count = np.append(self._count, np.zeros(more, dtype=np.int64))
        self._opens, self._ends = np.append(self._opens, zeros), np.append(self._ends, zeros)
        room = np.full((len(self.columns), len(zeros)), np.nan)
        self._values = np.concatenate([self._values, room], axis=1)

    def put(self, rows: BarRows) -> Ints:
        """Put closed bars, one of each instrument, after those there are, or for the newest.

        Return the instruments whose bars are older than these: they are not put.
        """
        which, count = rows.instrument, self._count[rows.instrument]
        newest = self._opens[which * self.bars + (count - 1) % self.bars]
        is_new = (count == 0) | (rows.timestamp > newest)
        count += is_new
        self._count[which] = count
        self._write(which * self.bars + (count - 1) % self.bars, rows)
        older: Ints = which[~is_new & (rows.timestamp < newest)]
        return older

    def replace(self, which: Ints, rows: BarRows) -> None:
        """Replace the bars of some instruments by closed ones, by instrument and time."""
        edges = np.searchsorted(rows.instrument, [which, which + 1])
        self._count[which] = edges[1] - edges[0]
        last = np.repeat(edges[1], edges[1] - edges[0])
        ages = last - 1 - np.arange(len(rows))
        some = rows.take(ages < self.bars)
        slots = (self._count[rows.instrument] - 1 - ages)[ages < self.bars] % self.bars
        self._write(some.instrument * self.bars + slots, some)

    def _write(self, slots: Ints, rows: BarRows) -> None:
        self._opens[slots], self._ends[slots] = rows.timestamp, rows.end
        for kept, name in zip(self._values, self.columns, strict=True):
            kept[slots] = rows[name]

    def newest(self, which: Ints, bars: int, since: Times) -> tuple[Ints, Ints]:
        """Return where the newest bars of instruments are, in this order, and how many of each.

        Those that end by `since`, an instant for each instrument, are left out.
        """
        count, ages = self._count[which][:, np.newaxis], np.arange(bars)[::-1]
        slots = which[:, np.newaxis] * self.bars + (count - 1 - ages) % self.bars
        there: Flags = (ages < count) & (self._ends[slots] > since[:, np.newaxis])
        return slots[there], there.sum(axis=1)

    def at(self, slots: Ints, columns: Sequence[str]) -> tuple[Times, Times, dict[str, Floats]]:
        """Return when bars open and end, and some of their columns."""
        values = {name: self._values[self.columns.index(name)][slots] for name in columns}
        return self._opens[slots], self._ends[slots], values


class KeptBars:
    """The closed bars of all timeframes.

    Attributes
    ----------
    timeframes
        In the order of the engine's.
    version
        Rises with every change.
    is_used
        Whether any bars are kept.
    """

    def __init__(self, timeframes: int) -> None:
        self.timeframes = [ClosedBars() for _ in range(timeframes)]
        self.version, self.is_used = 0, False
        self._in_doubt = np.empty(0, dtype=np.bool_)

    def grow(self, count: int) -> None:
        """Make room for `count` instruments in all; those that are added have no bars."""
        more = count - len(self._in_doubt)
        if not more:
            return
        self._in_doubt = np.append(self._in_doubt, np.zeros(more, dtype=np.bool_))
        for each in self.timeframes:
            each.grow(count)
        self.version += 1

    def want(self, number: int, columns: Sequence[str], bars: int) -> None:
        """Keep columns and so many bars of a timeframe from now on, beside what is kept."""
        kept = self.timeframes[number]
        if bars <= kept.bars and kept.columns and set(columns).issubset(kept.columns):
            return
        both = tuple(dict.fromkeys((*kept.columns, *columns)))
        self.timeframes[number] = ClosedBars(both, max(bars, kept.bars))
        self.timeframes[number].grow(len(self._in_doubt))
        self.is_used = True
        self.doubt(slice(None))

    def take(self, rows: Sequence[BarRows]) -> None:
        """Take the rows of each timeframe that a step, or the clock, has changed."""
        for kept, part in zip(self.timeframes, rows, strict=True):
            if kept.bars and part.is_final.any():
                closed = part.take(as_slice(np.flatnonzero(part.is_final)))
                # Where the clock is ahead, an instrument's last bar follows another one.
                edges = np.flatnonzero(np.diff(closed.instrument) <= 0) + 1
                for low, high in zip([0, *edges], [*edges, len(closed)], strict=True):
                    self.doubt(kept.put(closed.take(slice(low, high))))
                self.version += 1

    def doubt(self, which: Ints | slice) -> None:
        """Doubt the bars of instruments: what happened to them is not known here."""
        self._in_doubt[which] = True
        self.version += 1

    def settle(self, count: int, load: Callable[[Ints], Sequence[BarRows]]) -> None:
        """Load the bars that are in doubt, of the first `count` instruments: all there are.

        `load` returns the rows of each timeframe, the closed ones and others, of some instruments.
        """
        which = np.flatnonzero(self._in_doubt[:count])
        if not len(which):
            return
        for kept, rows in zip(self.timeframes, load(which), strict=True):
            if kept.bars:
                kept.replace(which, rows.take(rows.is_final))
        self._in_doubt[:] = False
