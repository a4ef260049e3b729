"""MCX, India's commodity exchange: its non-agricultural contracts, from dated facts.

They trade from 09:00 to 23:30 in India while the USA have summer time, and else to 23:55. On most
holidays the session up to 17:00 is closed, and the one after it is open.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tallow.core.calendars.base import Venue, days_between
from tallow.core.calendars.facts import SATURDAY, minute_of, rows_of
from tallow.core.calendars.nse import TIMEZONE
from tallow.core.calendars.table import Hours, planned_segments

NAME = "MCX"
_FIRST, _LAST = date(2025, 1, 1), date(2026, 12, 31)
_OPEN, _EVENING = 9 * 60, 17 * 60
_CLOSE_IN_SUMMER, _CLOSE_IN_WINTER = 23 * 60 + 30, 23 * 60 + 55
_NEW_YORK = ZoneInfo("America/New_York")


def mcx() -> Venue:
    """Build the sessions of MCX; about 10 ms."""
    plan: dict[date, Hours | None] = {day: _regular(day) for day in days_between(_FIRST, _LAST)}
    for row in rows_of("mcx", "holidays"):
        day = date.fromisoformat(row["date"])
        opens = _OPEN if row["morning"] == "open" else _EVENING
        closes = _close(day) if row["evening"] == "open" else _EVENING
        plan[day] = ((opens, closes),) if opens < closes else ()
    for row in rows_of("mcx", "special_sessions"):
        hours = ((minute_of(row["open"]), minute_of(row["close"])),) if row["open"] else None
        plan[date.fromisoformat(row["date"])] = hours
    table = planned_segments(plan, TIMEZONE).table(TIMEZONE, _FIRST, _LAST)
    return Venue(NAME, "", TIMEZONE, _FIRST, _LAST, table, _regular)


def _regular(day: date) -> Hours:
    return ((_OPEN, _close(day)),) if day.weekday() < SATURDAY else ()


def _close(day: date) -> int:
    noon = datetime.combine(day, time(12), _NEW_YORK)
    return _CLOSE_IN_SUMMER if noon.dst() != timedelta(0) else _CLOSE_IN_WINTER
