"""A user's own dates, from a TOML file: sessions, holidays, and later years.

The format is described where it is given: `tallow.core.calendars.load.load_calendar`.

`covered_until` lengthens the coverage: the weekdays on which the venue trades become sessions of
its regular hours, except for the holidays and sessions given. One that is not after the calendar's
own last date is ignored, so that a file outlives an update of the calendar.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import pairwise
from pathlib import Path
from typing import Any

from tallow.core.calendars.base import DAY_MINUTES, Venue
from tallow.core.calendars.table import Hours
from tallow.core.errors import CalendarError, near_matches, shorten
from tallow.core.limits import TOML_BYTES_MAX

_KEYS = {
    "file": {"covered_until", "session", "holiday"},
    "session": {"date", "open", "close", "segment"},
    "holiday": {"date", "name"},
}


@dataclass(frozen=True)
class Additions:
    """What a file adds: hours by date, ``()`` for a holiday, and the last date covered."""

    source: str = ""
    hours: Mapping[date, Hours] = field(default_factory=dict)
    covered_until: date | None = None


def read_additions(path: str | os.PathLike[str], venue: Venue) -> Additions:
    """Read the file for one venue and segment; what concerns other segments is checked, then left.

    `CalendarError` names the file, the entry and the rule that it breaks.
    """
    return _Reader(os.fspath(path), venue).read()


class _Reader:
    def __init__(self, source: str, venue: Venue) -> None:
        self.source = source
        self.venue = venue
        self.hours: dict[date, Hours] = {}

    def read(self) -> Additions:
        content = self._content()
        self._check_keys("file", content, "top level")
        for kind in ("session", "holiday"):
            if not isinstance(content.get(kind, []), list):
                raise self._error(kind, f"is no list of tables; write [[{kind}]]")
        for number, entry in enumerate(content.get("session", []), start=1):
            self._add_session(f"session {number}", entry)
        for number, entry in enumerate(content.get("holiday", []), start=1):
            self._add_holiday(f"holiday {number}", entry)
        until = content.get("covered_until")
        if until is not None:
            until = self._date("covered_until", until)
        return Additions(self.source, self.hours, until)

    def _content(self) -> dict[str, Any]:
        try:
            with Path(self.source).open("rb") as file:
                content = file.read(TOML_BYTES_MAX + 1)
            if len(content) > TOML_BYTES_MAX:
                raise self._error("file", f"is longer than {TOML_BYTES_MAX:,} bytes")
            return tomllib.loads(content.decode())
        except OSError as error:
            raise self._error("file", f"cannot be read ({error.strerror})") from error
        except (ValueError, RecursionError) as error:
            # Not only what the parser says itself: a date of 31 February, brackets without end.
            if isinstance(error, CalendarError):
                raise
            raise self._error("file", f"is no TOML ({shorten(error)})") from error

    def _add_session(self, entry: str, table: dict[str, Any]) -> None:
        self._check_keys("session", table, entry)
        day = self._date(f"{entry}: date", table.get("date"))
        opens = self._minute(f"{entry}: open", table.get("open"))
        closes = self._minute(f"{entry}: close", table.get("close"))
        if closes <= opens:
            # It crosses midnight: from the evening before, where the venue's sessions do so.
            if self.venue.opens_the_evening_before:
                opens -= DAY_MINUTES
            else:
                closes += DAY_MINUTES
        if not self._concerns_venue(entry, table.get("segment")):
            return
        intervals = sorted((*self.hours.get(day, ()), (opens, closes)))
        if any(a[1] > b[0] for a, b in pairwise(intervals)):
            raise self._error(f"{entry}: date={day}", "overlaps another session of that date")
        self.hours[day] = tuple(intervals)

    def _add_holiday(self, entry: str, table: dict[str, Any]) -> None:
        self._check_keys("holiday", table, entry)
        day = self._date(f"{entry}: date", table.get("date"))
        if self.hours.get(day):
            raise self._error(f"{entry}: date={day}", "has a session too; keep one of them")
        self.hours[day] = ()

    def _concerns_venue(self, entry: str, segment: object) -> bool:
        known = self.venue.known_segment_names
        if segment is None or segment in self.venue.segment_names:
            return True
        if not known:
            rule = f"{self.venue.name} has no segments; leave it out"
            raise self._error(f"{entry}: segment={segment!r}", rule)
        if segment not in known:
            hint = near_matches(str(segment), known)
            raise self._error(f"{entry}: segment={segment!r}", f"unknown segment; {hint}")
        return False

    def _check_keys(self, kind: str, table: object, entry: str) -> None:
        if not isinstance(table, dict):
            raise self._error(entry, f"is no table; write [[{kind}]]")
        for key in table:
            if key not in _KEYS[kind]:
                hint = near_matches(key, _KEYS[kind])
                raise self._error(f"{entry}: {key}", f"unknown key; {hint}")

    def _date(self, entry: str, value: object) -> date:
        # A datetime is a date too, for isinstance.
        if not isinstance(value, date) or isinstance(value, datetime):
            shown = "missing" if value is None else repr(value)
            raise self._error(f"{entry}={shown}", "must be a date without quotes: 2026-11-08")
        return value

    def _minute(self, entry: str, value: object) -> int:
        text = value.isoformat() if isinstance(value, time) else str(value)
        match = re.fullmatch(r"(\d\d):(\d\d)(:00)?", text)
        minute = int(match[1]) * 60 + int(match[2]) if match and int(match[2]) < 60 else -1
        if not 0 <= minute <= 24 * 60:
            shown = "missing" if value is None else repr(text)
            raise self._error(f"{entry}={shown}", 'must be "HH:MM", from "00:00" to "24:00"')
        return minute

    def _error(self, entry: str, rule: str) -> CalendarError:
        return CalendarError(f"dates: file={self.source}; {entry}; {rule}")
