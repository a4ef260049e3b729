"""Session tables: when a venue trades, as sorted arrays of instants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from tallow.core.arrays import Dates, Flags, Ints, Times
from tallow.core.limits import CALENDARS_MAX
from tallow.core.time import DAY_US, SECOND_US

Hours = tuple[tuple[int, int], ...]
"""Open intervals of one day, in minutes after its local midnight by the wall clock. A venue that
opens on the evening before the date it trades for has a negative minute."""

Plan = Mapping[date, Hours | None]
"""What happens on some dates: hours, ``()`` for no trading, `None` for hours that are not known."""


@dataclass(frozen=True)
class Session:
    """One trading date and its open intervals, which are aware in UTC, ascending and disjoint.

    `provisional` where no fact says so: the session, or its hours, are assumed.
    """

    date: date
    segments: tuple[tuple[datetime, datetime], ...]
    provisional: bool = False


@dataclass(frozen=True, eq=False)
class SessionTable:
    """All sessions of a calendar. Instants are int64 microseconds since the epoch, UTC.

    Intervals are closed on the left and open on the right. All arrays are read-only.

    Attributes
    ----------
    segment_open, segment_close
        ``[n]`` int64, intervals of continuous trading, ascending and disjoint.
    segment_day
        ``[n]`` int64, index into the day arrays.
    day_date
        ``[d]`` datetime64[D], trading dates, ascending.
    day_open, day_close
        ``[d]`` int64, first segment's open and last segment's close.
    day_known
        ``[d]`` bool. False where a session exists but its hours are unknown: `day_open` and
        `day_close` are then the local midnights around the date, and it has no segment.
    covered_from, covered_until
        First instant covered, and first instant no longer covered.
    day_provisional
        ``[d]`` bool, none by default. True where a session is assumed by the venue's rule, or is
        announced without hours and may then be at any time of its date.
    """

    segment_open: Times
    segment_close: Times
    segment_day: Ints
    day_date: Dates
    day_open: Times
    day_close: Times
    day_known: Flags
    covered_from: int
    covered_until: int
    day_provisional: Flags = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    def __post_init__(self) -> None:
        if not len(self.day_provisional):
            none = np.zeros(len(self.day_date), dtype=np.bool_)
            object.__setattr__(self, "day_provisional", none)
        for each in fields(self):
            values = getattr(self, each.name)
            if isinstance(values, np.ndarray):
                values.setflags(write=False)
        assert bool(np.all(self.segment_open < self.segment_close)), "a segment is empty"
        assert bool(np.all(self.segment_close[:-1] <= self.segment_open[1:])), "segments overlap"
        assert bool(np.all(self.day_close[:-1] <= self.day_open[1:])), "days overlap"
        assert self.covered_from <= self.day_open[0], "a session opens before the coverage"
        assert self.day_close[-1] <= self.covered_until, "a session closes after the coverage"

    @property
    def day_refused(self) -> Flags:
        """``[d]`` bool: sessions whose hours are unknown, and of which nothing is assumed."""
        return ~(self.day_known | self.day_provisional)

    def mark_assumed(self, last_fact: date, except_for: Iterable[date]) -> SessionTable:
        """Mark what no fact says: the sessions after `last_fact`, and those without hours."""
        late = self.day_date > np.datetime64(last_fact, "D")
        late &= ~np.isin(self.day_date, as_dates(except_for))
        return replace(self, day_provisional=late | ~self.day_known)


@dataclass(frozen=True, eq=False)
class Segments:
    """Open intervals in any order, each with its trading date: what a table is made from."""

    dates: Dates
    opens: Times
    closes: Times
    unknown: Dates

    def without(self, dates: Iterable[date]) -> Segments:
        """Drop everything on `dates`."""
        dropped = as_dates(dates)
        keep = ~np.isin(self.dates, dropped)
        unknown = self.unknown[~np.isin(self.unknown, dropped)]
        return Segments(self.dates[keep], self.opens[keep], self.closes[keep], unknown)

    def between(self, first: date, last: date) -> Segments:
        """Drop everything before a date, and after another."""
        low, high = np.datetime64(first, "D"), np.datetime64(last, "D")
        keep, unknown = ((low <= days) & (days <= high) for days in (self.dates, self.unknown))
        return Segments(
            self.dates[keep], self.opens[keep], self.closes[keep], self.unknown[unknown]
        )

    def union(self, other: Segments) -> Segments:
        """Return the intervals of both."""
        return Segments(
            np.concatenate([self.dates, other.dates]),
            np.concatenate([self.opens, other.opens]),
            np.concatenate([self.closes, other.closes]),
            np.concatenate([self.unknown, other.unknown]),
        )

    def overlapping(self) -> list[date]:
        """Return the dates of the first two sessions that overlap; none where none do."""
        order = np.argsort(self.opens)
        late = np.flatnonzero(self.closes[order][:-1] > self.opens[order][1:])[:1]
        return date_list(self.dates[order][np.concatenate([late, late + 1])])

    def table(self, timezone: str, first: date, last: date) -> SessionTable:
        """Sort everything into a table that covers `first` to `last`, both included."""
        order = np.argsort(self.opens)
        dates, opens, closes = self.dates[order], self.opens[order], self.closes[order]
        traded, start = np.unique(dates, return_index=True)
        end = np.append(start[1:], len(dates)) - 1
        midnight = local_midnights(self.unknown, timezone)
        next_midnight = local_midnights(self.unknown + np.timedelta64(1, "D"), timezone)
        days = np.concatenate([traded, self.unknown])
        by_date = np.argsort(days)
        day_date = days[by_date]
        day_open = np.concatenate([opens[start], midnight])[by_date]
        day_close = np.concatenate([closes[end], next_midnight])[by_date]
        covered = _coverage(day_date, day_open, day_close, timezone, first, last)
        return SessionTable(
            segment_open=opens,
            segment_close=closes,
            segment_day=np.searchsorted(day_date, dates).astype(np.int64),
            day_date=day_date,
            day_open=day_open,
            day_close=day_close,
            day_known=np.isin(day_date, traded),
            covered_from=covered[0],
            covered_until=covered[1],
        )


def segments_of(table: SessionTable) -> Segments:
    """Take a table apart again, so that days can be changed."""
    return Segments(
        table.day_date[table.segment_day],
        table.segment_open,
        table.segment_close,
        table.day_date[~table.day_known],
    )


def planned_segments(plan: Plan, timezone: str) -> Segments:
    """Turn wall-clock hours into instants; a day that the clock changes has its real length."""
    rows = [(day, *interval) for day, hours in plan.items() for interval in hours or ()]
    zone = ZoneInfo(timezone)
    return Segments(
        as_dates(day for day, _, _ in rows),
        np.array([_instant(day, opens, zone) for day, opens, _ in rows], dtype=np.int64),
        np.array([_instant(day, closes, zone) for day, _, closes in rows], dtype=np.int64),
        as_dates(day for day, hours in plan.items() if hours is None),
    )


def as_dates(days: Iterable[date]) -> Dates:
    """Return `days` as datetime64[D]; unlike a plain call, an empty list keeps the type."""
    return np.array(list(days), dtype="datetime64[D]")


def date_list(days: Dates) -> list[date]:
    """Return datetime64[D] values as Python dates."""
    return list(days.astype(object))


def local_midnights(days: Dates, timezone: str) -> Times:
    """Return the instant, in microseconds UTC, at which each local date begins."""
    if timezone == "UTC":
        return days.astype("datetime64[us]").astype(np.int64)
    zone = ZoneInfo(timezone)
    return np.array([_instant(day, 0, zone) for day in date_list(days)], dtype=np.int64)


@lru_cache(maxsize=CALENDARS_MAX)
def anchor_boundaries(table: SessionTable, timezone: str) -> Times:
    """Return the instant from which a row belongs to day ``k`` rather than to the one before.

    That is the local midnight before the session, or the close of the session before where that is
    later (a venue that trades through the night); never later than the session's own open. ``[d]``
    int64 microseconds, ascending; the first one is `covered_from`. Cached, read-only.
    """
    boundaries = np.minimum(_midnights_before(table.day_open, timezone), table.day_open)
    boundaries[1:] = np.maximum(boundaries[1:], table.day_close[:-1])
    boundaries[0] = table.covered_from
    boundaries.setflags(write=False)
    return boundaries


def _midnights_before(instants: Times, timezone: str) -> Times:
    if timezone == "UTC":
        return instants - instants % DAY_US
    zone = ZoneInfo(timezone)
    days = [datetime.fromtimestamp(t // SECOND_US, zone).date() for t in instants.tolist()]
    return np.array([_instant(day, 0, zone) for day in days], dtype=np.int64)


def _instant(day: date, minute: int, zone: ZoneInfo) -> int:
    # Python adds to the wall clock, not to the instant, which is what is wanted here: 09:30 stays
    # 09:30 on the day the clocks change.
    wall = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minute)
    return round(wall.timestamp()) * SECOND_US


def _coverage(
    day_date: Dates, day_open: Times, day_close: Times, timezone: str, first: date, last: date
) -> tuple[int, int]:
    zone = ZoneInfo(timezone)
    covered_from = min(_instant(first, 0, zone), int(day_open[0]))
    # Where sessions open on the evening before, the last covered date's evening belongs to a
    # session that is not covered any more: a row there must not pass for one outside the hours.
    if day_open[-1] < local_midnights(day_date[-1:], timezone)[0]:
        return covered_from, int(day_close[-1])
    return covered_from, max(_instant(last, 24 * 60, zone), int(day_close[-1]))
