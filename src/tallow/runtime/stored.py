"""The candles that a query reads, as they were known at a moment, and what has changed of them."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.limits import CHANGES_PER_INSTRUMENT
from tallow.core.time import WEEK_US
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.joins import JoinedHistories
from tallow.data.reading.periods import dated_frame, noon_shifts
from tallow.runtime.blocks import Block, whole_block

if TYPE_CHECKING:
    from tallow.data.store.reader import StoreReader


class Series(NamedTuple):
    """The fields of `StoredCandles`, for all kinds of them."""

    store: StoreReader
    timeframe: str
    adjustment: str
    known_until: int
    epoch: str
    calendars: CalendarAssignment


@dataclass(frozen=True)
class StoredCandles:
    """One kind of series of a store.

    `known_until` is a receipt time in microseconds since 1970 UTC, never later than the newest
    write's: everything that a query reads is of one state of the store, whatever is written
    meanwhile. `epoch` is the store's, and as old as that moment.
    """

    store: StoreReader
    timeframe: str
    adjustment: str
    known_until: int
    epoch: str
    calendars: CalendarAssignment

    def read(self, names: Sequence[str], start: int | None, end: int | None) -> pl.DataFrame:
        """Return candles with ``start <= timestamp < end``, sorted by instrument and time.

        Times of days, weeks and months are those at which they are looked up.
        """
        shift = int(noon_shifts(self.calendars.calendars, self._size).max())
        found = self._kept(names, None if start is None else start - shift, end)
        if not shift:
            return found
        time = pl.col("timestamp").to_physical()
        inside = pl.lit(value=True)
        if start is not None:
            inside &= time >= start
        if end is not None:
            inside &= time < end
        return dated_frame(found, self.calendars, self._size).filter(inside)

    def block(self, names: Sequence[str], start: int | None, end: int | None) -> Block:
        """Return candles as a block of whole instruments, without those that have no row."""
        # In one chunk: all columns at once, and not one after the other as arrays are made of them.
        return whole_block(self.read(names, start, end).rechunk(), closing=True)

    def expect(self, names: Sequence[str], start: int | None, end: int | None) -> None:
        """Hear which block will be asked for next; only who shares blocks reads it at once."""

    def _kept(self, names: Sequence[str], start: int | None, end: int | None) -> pl.DataFrame:
        """Return candles with the times that the store keeps."""
        return self.store.read(
            names,
            source_timeframe=self.timeframe,
            adjustment=self.adjustment,
            start=start,
            end=end,
            known_at=self.known_until,
        )

    @cached_property
    def _size(self) -> Timeframe:
        return parse_timeframe(self.timeframe)

    def traded_after(self, names: Sequence[str], after: int, until: int) -> list[str]:
        """Return the instruments with candles at or after an instant, and before another one."""
        # Most that trade at all do so within days: no need to read years to find out.
        week = min(after + WEEK_US, until)
        near = self._names_with_rows(names, after, week)
        rest = [name for name in names if name not in near]
        if week == until or not rest:
            return sorted(near)
        return sorted(near | self._names_with_rows(rest, week, until))

    def _names_with_rows(self, names: Sequence[str], start: int, end: int) -> set[str]:
        return set(self.read(names, start, end)["instrument"].unique())

    def changed_between(self, names: Sequence[str], moment: int) -> dict[str, int]:
        """Return which instruments have rows that were not known at both moments.

        `moment` may be before or after `known_until`. Of each, the earliest timestamp among them.
        """
        low, high = sorted((moment, self.known_until))
        return self.store.changed_since(
            low, names, source_timeframe=self.timeframe, adjustment=self.adjustment, known_at=high
        )

    def all_changed_since(self, moment: int) -> dict[str, int]:
        """Do as `changed_between` for all instruments, and a moment in the past."""
        return self.store.changed_since(
            moment,
            source_timeframe=self.timeframe,
            adjustment=self.adjustment,
            known_at=self.known_until,
        )

    def names(self) -> set[str]:
        """Return all instruments that ever had candles."""
        return self.store.names(self.timeframe, self.adjustment)

    @cached_property
    def ends(self) -> tuple[int | None, int]:
        """Times between which all rows of the store lie; the first is None if it is not known."""
        return self.store.view().ends() or (None, self.known_until)

    def has_interest(self) -> bool:
        """Say whether the candles have open interest."""
        return self.store.has_interest(self.timeframe, self.adjustment)

    def identity(self, name: str) -> tuple[str, ...]:
        """Return what identifies an instrument's candles, apart from their revisions."""
        return (self.epoch, self.timeframe, self.adjustment, name)


@dataclass(frozen=True)
class JoinedCandles(StoredCandles):
    """Candles with those of an instrument's predecessors, under its own name."""

    joined: JoinedHistories

    @property
    def refused(self) -> dict[str, str]:
        """Instruments that were read and whose candles cannot be given, and why."""
        return {}

    def read(self, names: Sequence[str], start: int | None, end: int | None) -> pl.DataFrame:
        """Return candles with ``start <= timestamp < end``, sorted by instrument and time."""
        return self.joined.read(names, start, end, super().read)

    def changed_between(self, names: Sequence[str], moment: int) -> dict[str, int]:
        """Do as the log does, of every key of an instrument's history; other joins are no change.

        They are another `identity`.
        """
        changed = super().changed_between
        return self.joined.changed(names, lambda keys: changed(keys, moment))

    def names(self) -> set[str]:
        """Return all instruments that ever had candles, or predecessors with such."""
        names = super().names()
        pieces = self.joined.pieces.items()
        return names | {name for name, own in pieces if any(p.key in names for p in own)}

    def identity(self, name: str) -> tuple[str, ...]:
        """Return what identifies an instrument's candles, apart from their revisions."""
        pieces = self.joined.pieces.get(name)
        own = super().identity(name)
        return own if pieces is None else (*own, repr(pieces))


class _Track:
    """One instrument's changes: the moments they were noticed, and their earliest timestamps.

    Both ascend: a change is dropped once a later one reaches further back. `since` is the moment
    from which on nothing is missing.
    """

    __slots__ = ("earliest", "moments", "since")

    def __init__(self, since: int) -> None:
        self.moments, self.earliest, self.since = array("q"), array("q"), since

    def add(self, moment: int, earliest: int) -> None:
        while self.earliest and self.earliest[-1] >= earliest:
            self.earliest.pop()
            self.moments.pop()
        self.moments.append(moment)
        self.earliest.append(earliest)
        if len(self.moments) > CHANGES_PER_INSTRUMENT:
            half = len(self.moments) // 2
            self.since = self.moments[half - 1]
            del self.moments[:half], self.earliest[:half]


class Changes:
    """The changes of one kind of series since a moment of receipt (in microseconds, as all times).

    May be used by several threads.
    """

    def __init__(self, moment: int) -> None:
        self._lock = threading.Lock()
        self._began = self._moment = moment
        self._tracks: dict[str, _Track] = {}

    def look(self, candles: StoredCandles) -> None:
        """Ask what was received until the moment of `candles`, unless that is known already."""
        with self._lock:
            if candles.known_until <= self._moment:
                return
            for name, earliest in candles.all_changed_since(self._moment).items():
                track = self._tracks.get(name)
                if track is None:
                    track = self._tracks[name] = _Track(self._began)
                track.add(candles.known_until, earliest)
            self._moment = candles.known_until

    def since(self, name: str, moment: int) -> tuple[bool, int | None]:
        """Return whether all changes after a moment are known, and their earliest timestamp."""
        with self._lock:
            track = self._tracks.get(name)
            if moment < (self._began if track is None else track.since):
                return False, None
            if track is None:
                return True, None
            place = bisect_right(track.moments, moment)
            return True, track.earliest[place] if place < len(track.earliest) else None


@dataclass(frozen=True)
class TrackedCandles(StoredCandles):
    """Candles whose log is not looked through again for what is known of it."""

    changes: Changes

    def changed_between(self, names: Sequence[str], moment: int) -> dict[str, int]:
        """Do as the log does; for one instrument, from what is known of it since a moment."""
        if len(names) == 1 and moment <= self.known_until:
            known, earliest = self.changes.since(names[0], moment)
            if known:
                return {} if earliest is None else {names[0]: earliest}
        return super().changed_between(names, moment)
