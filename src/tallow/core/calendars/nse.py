"""NSE: sessions from dated facts in ``data/``, whose README says where each of them comes from.

Regular days are the weekdays that are no holiday. Special sessions (Muhurat, budget weekends,
disaster-recovery drills, 2021-02-24) replace the regular hours of their date. Halts within a
session are kept as facts but cut no session: during a halt minutes are merely missing.
"""

from __future__ import annotations

import csv
from datetime import date
from functools import lru_cache
from importlib.resources import files

from tallow.core.calendars.base import Venue, days_between
from tallow.core.calendars.table import Hours, planned_segments

NAME = "XNSE"
TIMEZONE = "Asia/Kolkata"
FIRST_DATE = date(2015, 1, 1)
LAST_DATE = date(2026, 12, 31)
DEFAULT_SEGMENT = "cash-other"

SEGMENTS: dict[str, frozenset[str]] = {
    "cash-other": frozenset({"all", "cash", "cash-other"}),
    "cash-eligible-for-closing-auction": frozenset(
        {"all", "cash", "cash-eligible-for-closing-auction"}
    ),
    "derivatives": frozenset({"all", "derivatives"}),
}
"""Each segment, and the names under which facts speak of it."""

_SATURDAY = 5


def nse(segment: str) -> Venue:
    """Build NSE's sessions for one segment of `SEGMENTS`; about 40 ms."""
    special = _special_hours(segment)
    closed = {date.fromisoformat(row["date"]) for row in _facts("holidays")}

    def regular(day: date) -> Hours:
        return _hours_at(segment, day) if day.weekday() < _SATURDAY else ()

    plan = {day: regular(day) for day in days_between(FIRST_DATE, LAST_DATE) if day not in closed}
    segments = planned_segments({**plan, **special}, TIMEZONE)
    table = segments.table(TIMEZONE, FIRST_DATE, LAST_DATE)
    known = frozenset[str]().union(*SEGMENTS.values())
    return Venue(
        NAME, segment, TIMEZONE, FIRST_DATE, LAST_DATE, table, regular, SEGMENTS[segment], known
    )


def _special_hours(segment: str) -> dict[date, Hours | None]:
    special: dict[date, Hours | None] = {}
    for row in _facts("special_sessions"):
        if row["segment"] not in SEGMENTS[segment]:
            continue
        day = date.fromisoformat(row["date"])
        if row["full_day"] == "True":
            special[day] = _hours_at(segment, day)
        elif not row["open"]:
            special[day] = None
        else:
            interval = (_minute(row["open"]), _minute(row["close"]))
            special[day] = (*(special.get(day) or ()), interval)
    return special


def _hours_at(segment: str, day: date) -> Hours:
    """Return the hours of continuous trading in force on `day`, also outside the coverage."""
    rows = _regular_hours(segment)
    in_force = [hours for valid_from, hours in rows if valid_from <= day]
    return (in_force or [rows[0][1]])[-1]


@lru_cache(maxsize=len(SEGMENTS))
def _regular_hours(segment: str) -> list[tuple[date, Hours]]:
    rows = [row for row in _facts("hours") if row["segment"] == segment]
    return [
        (
            date.fromisoformat(row["valid_from"]),
            ((_minute(row["continuous_open"]), _minute(row["continuous_close"])),),
        )
        for row in rows
    ]


def _facts(name: str) -> list[dict[str, str]]:
    text = files("tallow.core.calendars").joinpath("data", f"nse_{name}.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
