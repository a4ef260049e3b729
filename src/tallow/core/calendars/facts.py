"""Venues from dated facts in ``data/``, whose README says where each of them comes from.

Regular days are the weekdays that are not holiday. Special sessions (Muhurat, budget weekends,
disaster-recovery drills) replace the regular hours of their date.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files

from tallow.core.calendars.base import Venue, days_between
from tallow.core.calendars.table import Hours, planned_segments
from tallow.core.limits import CALENDARS_MAX

SATURDAY = 5


@dataclass(frozen=True, eq=False)
class DatedFacts:
    """Facts on one venue, with several segments.

    `prefix` begins the names of its files; `segments` are its segments, and the names under which
    facts speak of each.
    """

    prefix: str
    name: str
    timezone: str
    first_date: date
    last_date: date
    segments: Mapping[str, frozenset[str]]

    def venue(self, segment: str) -> Venue:
        """Build the sessions of one segment; about 40 ms."""
        special = self._special_hours(segment)
        closed = {date.fromisoformat(row["date"]) for row in rows_of(self.prefix, "holidays")}

        def regular(day: date) -> Hours:
            return self._hours_at(segment, day) if day.weekday() < SATURDAY else ()

        limits = self.first_date, self.last_date
        plan = {day: regular(day) for day in days_between(*limits) if day not in closed}
        table = planned_segments({**plan, **special}, self.timezone).table(self.timezone, *limits)
        known = frozenset[str]().union(*self.segments.values())
        names = self.name, segment, self.timezone
        return Venue(*names, *limits, table, regular, self.segments[segment], known)

    def _special_hours(self, segment: str) -> dict[date, Hours | None]:
        special: dict[date, Hours | None] = {}
        for row in rows_of(self.prefix, "special_sessions"):
            if row["segment"] not in self.segments[segment]:
                continue
            day = date.fromisoformat(row["date"])
            if row["full_day"] == "True":
                special[day] = self._hours_at(segment, day)
            elif not row["open"]:
                special[day] = None
            else:
                interval = (minute_of(row["open"]), minute_of(row["close"]))
                special[day] = (*(special.get(day) or ()), interval)
        return special

    def _hours_at(self, segment: str, day: date) -> Hours:
        """Return the hours of continuous trading in force on `day`, also outside the coverage."""
        rows = _regular_hours(self.prefix, segment)
        in_force = [hours for valid_from, hours in rows if valid_from <= day]
        return (in_force or [rows[0][1]])[-1]


@lru_cache(maxsize=CALENDARS_MAX)
def _regular_hours(prefix: str, segment: str) -> list[tuple[date, Hours]]:
    rows = [row for row in rows_of(prefix, "hours") if row["segment"] == segment]
    return [
        (
            date.fromisoformat(row["valid_from"]),
            ((minute_of(row["continuous_open"]), minute_of(row["continuous_close"])),),
        )
        for row in rows
    ]


def rows_of(prefix: str, name: str) -> list[dict[str, str]]:
    """Return the rows of a file of facts."""
    place = files("tallow.core.calendars").joinpath("data", f"{prefix}_{name}.csv")
    return list(csv.DictReader(place.read_text("utf-8").splitlines()))


def minute_of(text: str) -> int:
    """Return ``HH:MM`` in minutes after midnight."""
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
