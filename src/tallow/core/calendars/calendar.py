"""A calendar: a session table with its name, its zone and the dates it covers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import numpy as np

from tallow.core.calendars.table import Session, SessionTable
from tallow.core.errors import CoverageError, SessionTimesUnknownError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
        Dates covered, both included.
    """

    name: str
    segment: str
    timezone: str
    first_date: date
    last_date: date
    table: SessionTable = field(repr=False)

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
            If `day` has a session whose hours are not known.
        """
        if not self.first_date <= day <= self.last_date:
            raise self.coverage_error(day)
        table = self.table
        position = int(np.searchsorted(table.day_date, np.datetime64(day, "D")))
        if position == len(table.day_date) or table.day_date[position] != np.datetime64(day, "D"):
            return None
        if not table.day_known[position]:
            raise self.unknown_times_error(day)
        rows = slice(*np.searchsorted(table.segment_day, [position, position + 1]))
        opens, closes = table.segment_open[rows].tolist(), table.segment_close[rows].tolist()
        return Session(day, tuple((_utc(a), _utc(b)) for a, b in zip(opens, closes, strict=True)))

    def coverage_error(self, day: date) -> CoverageError:
        """Build the error that says that `day` is not covered, and what to do about it."""
        return CoverageError(
            f"calendar {self}: date={day}; covers {self.first_date}..{self.last_date}; give a TOML "
            "file as calendar_dates=, with a later covered_until, or ask for "
            'beyond_coverage="weekdays"'
        )

    def unknown_times_error(self, day: date) -> SessionTimesUnknownError:
        """Build the error that says that the hours of `day` are not known, and how to add them."""
        return SessionTimesUnknownError(
            f"calendar {self}: date={day}; a session is announced, its hours are not known; add "
            f"them in a TOML file given as calendar_dates=: [[session]], date = {day}, "
            'open = "HH:MM", close = "HH:MM"'
        )


def coverage_warning(calendar: Calendar, today: date, within_days: int = 60) -> str | None:
    """Return a sentence where the covered dates run out within `within_days`, else `None`."""
    left = (calendar.last_date - today).days
    if left > within_days:
        return None
    when = f"end in {left} days" if left >= 0 else f"ended {-left} days ago"
    return (
        f"calendar {calendar}: last_date={calendar.last_date}; the covered dates {when}; "
        "update the package, or give a TOML file as calendar_dates= with a later covered_until"
    )


def _utc(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
