"""Where a range starts and ends, as people write it: a date, a word for one, or a time.

A time without a zone is one of the venue's clocks, and a word such as ``yesterday`` a date of its
calendar: both are known only with a calendar, so that they are kept as they were given until then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tallow.core.calendars import Calendar
from tallow.core.errors import RangeError, excerpt
from tallow.core.time import MINUTE_US, nearest_datetime, now_us, to_us

Moment = str | date | datetime
"""ISO-8601 text, ``today``, ``yesterday``, ``-5d``, or an object."""

WRITTEN = (
    "a date such as 2025-06-02, today, yesterday or -5d (five days ago), or a time such as "
    "2025-06-02T09:15, or with its offset, 2025-06-02T09:15:00+05:30"
)

_NAMED_DAYS = {"today": 0, "yesterday": 1}
_DAYS_AGO = re.compile(r"-(\d{1,5})d")
_ZONE_STEP = 15 * MINUTE_US
"""Offsets of zones are whole steps: within one it is the same date everywhere."""


@dataclass(frozen=True)
class DaysAgo:
    """So many days before today, as it is when `now_us` is, in microseconds since 1970 UTC."""

    days: int
    now_us: int

    def date_in(self, zone: ZoneInfo) -> date:
        """Return the date by a zone's clocks."""
        return nearest_datetime(self.now_us).astimezone(zone).date() - timedelta(self.days)


Limit = date | datetime | DaysAgo
"""A moment that was read; a date is a session's, and a datetime may be without a zone."""


def is_relative(given: object) -> bool:
    """Say whether what was given means another date on another day."""
    return isinstance(given, str) and _days_ago(given) is not None


def read_limit(name: str, moment: Moment) -> Limit:
    """Read the start or end of a range; `RangeError` if it is none."""
    if isinstance(moment, str):
        days = _days_ago(moment)
        if days is not None:
            now = now_us()
            return DaysAgo(days, now - now % _ZONE_STEP)
        moment = _read_iso(name, moment)
    if not isinstance(moment, date):
        raise RangeError(f"{name}: {excerpt(moment)}; must be {WRITTEN}; or a date or datetime")
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        return moment
    # Where clocks go back, two moments an hour apart are equal in their zone, and would have one
    # answer in the cache.
    return nearest_datetime(to_us(moment))


def at_venue(name: str, limit: Limit, calendar: Calendar) -> date | datetime:
    """Return a limit as a date, or as an instant in UTC.

    `RangeError` if it is a time that the venue's clocks skip or show twice.
    """
    zone = ZoneInfo(calendar.timezone)
    if isinstance(limit, DaysAgo):
        return limit.date_in(zone)
    if not isinstance(limit, datetime) or limit.tzinfo is not None:
        return limit
    first, second = (limit.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        raise RangeError(
            f"{name}: {limit.isoformat()}; clocks of {calendar.timezone} are changed then, and "
            "show it twice or never; add an offset such as +05:30"
        )
    return nearest_datetime(to_us(first))


def limit_text(limit: Limit | None) -> str | None:
    """Return a limit as ISO-8601 text, or as the word that it was."""
    if isinstance(limit, DaysAgo):
        return next((word for word, days in _NAMED_DAYS.items() if days == limit.days), None) or (
            f"-{limit.days}d"
        )
    return None if limit is None else limit.isoformat()


def _days_ago(text: str) -> int | None:
    word = text.strip().lower()
    found = _DAYS_AGO.fullmatch(word)
    return int(found[1]) if found else _NAMED_DAYS.get(word)


def _read_iso(name: str, text: str) -> date | datetime:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise RangeError(f"{name}: {excerpt(text)}; must be {WRITTEN}") from error
