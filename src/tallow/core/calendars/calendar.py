"""A calendar: a session table with its name, its zone and the dates it covers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from tallow.core.calendars.table import Session, SessionTable
from tallow.core.errors import CoverageError, SessionTimesUnknownError
from tallow.core.time import from_us


@dataclass(frozen=True, eq=False)
class Calendar:
    """When a venue, or one segment of it, trades.

    Attributes
    ----------
    name
        Such as ``XNSE``.
    segment
        Such as ``cash-other``; empty where the venue has one only.
    timezone
        IANA name.
    first_date, last_date
        Dates that facts cover, both included; with ``weekdays``, all dates covered.
    assumed_days
        So many days after `last_date` have sessions that are assumed.
    beyond
        What was asked for where there are no facts: ``assume``, ``raise`` or ``weekdays``.
    """

    name: str
    segment: str
    timezone: str
    first_date: date
    last_date: date
    table: SessionTable = field(repr=False)
    assumed_days: int = 0
    beyond: str = "raise"

    @property
    def assumed_until(self) -> date:
        """The last date covered, by facts or by assumptions."""
        return self.last_date + timedelta(days=self.assumed_days)

    def __str__(self) -> str:
        return f"{self.name}:{self.segment}" if self.segment else self.name

    def sessions(self) -> SessionTable:
        """Return the sessions of all covered dates; the same object every time."""
        return self.table

    def session(self, day: date) -> Session | None:
        """Return the session of one trading date, or `None` where there is no trading.

        Raises
        ------
        CoverageError
            If the calendar does not cover `day`.
        SessionTimesUnknownError
            If `day` has a session whose hours are not known, and none are assumed.
        """
        if not self.first_date <= day <= self.assumed_until:
            raise self.coverage_error(day)
        table = self.table
        position = int(np.searchsorted(table.day_date, np.datetime64(day, "D")))
        if position == len(table.day_date) or table.day_date[position] != np.datetime64(day, "D"):
            return None
        if table.day_refused[position]:
            raise self.unknown_times_error(day)
        provisional = bool(table.day_provisional[position])
        if not table.day_known[position]:
            limits = int(table.day_open[position]), int(table.day_close[position])
            return Session(day, ((from_us(limits[0]), from_us(limits[1])),), provisional)
        rows = slice(*np.searchsorted(table.segment_day, [position, position + 1]))
        opens, closes = table.segment_open[rows].tolist(), table.segment_close[rows].tolist()
        segments = tuple((from_us(a), from_us(b)) for a, b in zip(opens, closes, strict=True))
        return Session(day, segments, provisional)

    def coverage_error(self, day: date) -> CoverageError:
        """Build the error that says that `day` is not covered, and what to do about it."""
        covered = f"covers {self.first_date}..{self.last_date}"
        if self.last_date < self.assumed_until:
            covered += f", assumed to {self.assumed_until}"
        hints = []
        if day > self.assumed_until:
            hints.append("give a TOML file as calendar_dates=, with a later covered_until")
        if self.beyond != "weekdays":
            hints.append('ask for beyond_coverage="weekdays"')
        hint = ", or ".join(hints or ["no calendar is older: correct the time"])
        return CoverageError(f"calendar {self}: date={day}; {covered}; {hint}")

    def unknown_times_error(self, day: date) -> SessionTimesUnknownError:
        """Build the error that says that the hours of `day` are not known, and how to add them."""
        return SessionTimesUnknownError(
            f"calendar {self}: date={day}; a session is announced, its hours are not known; add "
            f"them in a TOML file given as calendar_dates=: [[session]], date = {day}, "
            'open = "HH:MM", close = "HH:MM"'
        )


def coverage_warning(calendar: Calendar, today: date, within_days: int = 60) -> str | None:
    """Return a sentence where the facts run out within `within_days`, else `None`."""
    left = (calendar.last_date - today).days
    if left > within_days:
        return None
    when = f"end in {left} days" if left >= 0 else f"ended {-left} days ago"
    assumed = (
        f"; later sessions, to {calendar.assumed_until}, are assumed and marked provisional"
        if calendar.last_date < calendar.assumed_until
        else ""
    )
    return (
        f"calendar {calendar}: last_date={calendar.last_date}; the facts {when}{assumed}; "
        "update the package, or give a TOML file as calendar_dates= with a later covered_until"
    )
