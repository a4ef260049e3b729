"""Ranges: ``start <= a bar's open < end``; a bare date is a session's, included at both ends."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

import numpy as np
import polars as pl

from tallow.core.calendars import Calendar
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import RangeError, UnknownInstrumentError, excerpt, near_matches
from tallow.core.given import name_text
from tallow.core.moments import Limit, Moment, at_venue, limit_text, read_limit
from tallow.core.time import BEGIN_OF_TIME, END_OF_TIME, to_us
from tallow.data.coverage.days import session_start
from tallow.data.universe import Universe


def moment_us(name: str, moment: str | datetime) -> int:
    """Return an instant in microseconds since 1970 UTC.

    `RangeError` if it cannot be read, or carries no zone.
    """
    value = read_limit(name, moment)
    if not isinstance(value, datetime):
        raise RangeError(f"{name}: {moment}; must be an instant, such as 2025-06-02T15:30:00+05:30")
    if value.tzinfo is None:
        raise RangeError(f"{name}: {moment}; carries no zone; add an offset such as +05:30")
    return to_us(value)


def moment_text(moment: Moment | None) -> str | None:
    """Return a moment as ISO-8601 text, or as it was written."""
    return moment.isoformat() if isinstance(moment, date) else moment


@dataclass(frozen=True)
class Range:
    """Which bars of which instruments are wanted; None means no limit."""

    start: Limit | None = None
    end: Limit | None = None
    instruments: frozenset[str] | None = None
    universe: Universe | None = None

    @classmethod
    def of(
        cls,
        start: Moment | None,
        end: Moment | None,
        instruments: str | Sequence[str] | None,
        universe: Universe | None = None,
    ) -> Range:
        """Read what a caller gave; `RangeError` if a limit cannot be read."""
        first = None if start is None else read_limit("start", start)
        last = None if end is None else read_limit("end", end)
        names = [instruments] if isinstance(instruments, str) else instruments
        for name in names or ():
            name_text("instrument", name, RangeError)
        return cls(first, last, None if names is None else frozenset(names), universe)

    @cached_property
    def names(self) -> frozenset[str] | None:
        """The instruments that are wanted: members on any date, of a universe; None is all."""
        if self.universe is None:
            return self.instruments
        members = self.universe.instruments
        return members if self.instruments is None else members & self.instruments

    def pick(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of the instruments that are wanted."""
        if self.names is None:
            return frame
        return frame.filter(pl.col("instrument").is_in(sorted(self.names)))

    def count(self, instruments: int, known: Collection[str]) -> int:
        """Return how many of an input's instruments, which are `known`, are wanted."""
        return instruments if self.names is None else len(self.names.intersection(known))

    def check_found(
        self, known: Collection[str], where: str = "the input", instead: str = ""
    ) -> None:
        """Raise `UnknownInstrumentError` if the input lacks an instrument that was asked for.

        `UniverseError` if it has no member of the universe. `instead` is what to say where there
        is no instrument at all.
        """
        for name in sorted(self.instruments or ()):
            if name not in known:
                hint = near_matches(name, known) if known else instead or f"{where} has none"
                raise UnknownInstrumentError(f"instrument: {excerpt(name)}; not in {where}; {hint}")
        if self.universe is not None:
            self.universe.require_among(known, where)

    def cut(self, frame: pl.DataFrame, calendars: CalendarAssignment) -> pl.DataFrame:
        """Return the bars whose open lies in the range; a date is one of their own calendar's."""
        if (self.start is None and self.end is None) or not len(frame):
            return frame
        limits = [self.limits(calendar) for calendar in calendars.calendars]
        time = pl.col("timestamp").to_physical()
        if len(limits) == 1:
            return frame.filter((time >= limits[0][0]) & (time < limits[0][1]))
        names = frame["instrument"].unique().to_list()
        calendar_of = np.maximum(calendars.indices(names), 0)
        own = pl.DataFrame(
            {
                "instrument": names,
                "from": [limits[index][0] for index in calendar_of],
                "until": [limits[index][1] for index in calendar_of],
            }
        )
        inside = frame.join(own, on="instrument", how="left", maintain_order="left")
        return inside.filter((time >= pl.col("from")) & (time < pl.col("until"))).select(
            frame.columns
        )

    def checked(self, calendars: CalendarAssignment) -> Range:
        """Return the range; `RangeError` as `limits` raises it, before anything is read."""
        for calendar in calendars.calendars:
            self.at(calendar)
        return self

    def at(self, calendar: Calendar) -> tuple[date | datetime | None, date | datetime | None]:
        """Return start and end as dates, or instants in UTC.

        `RangeError` if the end is before the start, or a time is none of the venue's clocks.
        """
        first = None if self.start is None else at_venue("start", self.start, calendar)
        last = None if self.end is None else at_venue("end", self.end, calendar)
        if first is not None and last is not None and type(first) is type(last) and last < first:
            given = limit_text(self.end), limit_text(self.start)
            raise RangeError("end: {}; must not be before start={}".format(*given))
        return first, last

    def limits(self, calendar: Calendar) -> tuple[int, int]:
        """Return ``low, high`` with ``low <= a bar's open < high``, in microseconds.

        Errors are those of `at`.
        """
        start, end = self.at(calendar)
        first, last = BEGIN_OF_TIME, END_OF_TIME
        if isinstance(start, datetime):
            first = to_us(start)
        elif start is not None:
            first = session_start(calendar, start, END_OF_TIME)
        if isinstance(end, datetime):
            last = to_us(end)
        elif end is not None:
            last = session_start(calendar, end, END_OF_TIME, after=True)
        return first, last
