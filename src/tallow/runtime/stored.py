"""The candles that a query reads: of one size and adjustment, as they were known at a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.time import WEEK_US
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.reading.dated import dated_frame, noon_shifts

if TYPE_CHECKING:
    from tallow.data.store.reader import StoreReader


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

    def _kept(self, names: Sequence[str], start: int | None, end: int | None) -> pl.DataFrame:
        """Return candles with the times that the store keeps."""
        return self.store.read(
            names,
            timeframe=self.timeframe,
            adjustment=self.adjustment,
            start=start,
            end=end,
            as_of=self.known_until,
        )

    @cached_property
    def _size(self) -> Timeframe:
        return parse_timeframe(self.timeframe)

    def which_go_on(self, names: Sequence[str], after: int, until: int) -> list[str]:
        """Return the instruments with candles at or after an instant, and before another one."""
        # Most that trade at all do so within days: nobody reads years to find that out.
        week = min(after + WEEK_US, until)
        near = self._that_have_rows(names, after, week)
        rest = [name for name in names if name not in near]
        if week == until or not rest:
            return sorted(near)
        return sorted(near | self._that_have_rows(rest, week, until))

    def _that_have_rows(self, names: Sequence[str], start: int, end: int) -> set[str]:
        return set(self.read(names, start, end)["instrument"].unique())

    def changed_between(self, names: Sequence[str], moment: int) -> dict[str, int]:
        """Return which instruments have rows that were not known at both moments.

        `moment` may be before or after `known_until`. Of each, the earliest timestamp among them.
        """
        low, high = sorted((moment, self.known_until))
        return self.store.changed_since(
            low, names, timeframe=self.timeframe, adjustment=self.adjustment, as_of=high
        )

    def all_changed_since(self, moment: int) -> dict[str, int]:
        """Do as `changed_between` for all instruments, and a moment in the past."""
        return self.store.changed_since(
            moment, timeframe=self.timeframe, adjustment=self.adjustment, as_of=self.known_until
        )

    def names(self) -> set[str]:
        """Return all instruments that ever had candles. Reads all keys."""
        return set(
            self.store.changed_since(0, timeframe=self.timeframe, adjustment=self.adjustment)
        )

    def has_interest(self) -> bool:
        """Say whether the candles have open interest."""
        return self.store.has_interest(self.timeframe, self.adjustment)

    def identity(self, name: str) -> tuple[str, ...]:
        """Return what says which candles an instrument's are, revisions aside."""
        return (self.epoch, self.timeframe, self.adjustment, name)
