"""What a venue's own file provides: its known sessions, and its hours where there are no facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tallow.core.calendars.table import Hours, SessionTable, local_midnights
from tallow.core.time import from_us

RegularHours = Callable[[date], Hours]
"""Hours of a date on which nothing special happens; ``()`` where the weekday has no trading."""

DAY_MINUTES = 24 * 60
_SAMPLE = 60


@dataclass(frozen=True, eq=False)
class Venue:
    """A calendar's facts before a user's additions and extensions.

    `segment_names` are the names under which a user's file may speak of this segment, and
    `known_segment_names` all that the venue has; both are empty where it has one segment only. A
    venue `by_rule` needs no facts: all its years are right.
    """

    name: str
    segment: str
    timezone: str
    first_date: date
    last_date: date
    table: SessionTable
    regular: RegularHours
    segment_names: frozenset[str] = frozenset()
    known_segment_names: frozenset[str] = frozenset()
    by_rule: bool = False

    @property
    def opens_the_evening_before(self) -> bool:
        """Whether a session opens before the midnight at which its date begins."""
        latest = self.table.day_date[-1:]
        return bool(self.table.day_open[-1] < local_midnights(latest, self.timezone)[0])


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield every date from `first` to `last`, both included."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def usual_hours(table: SessionTable, timezone: str) -> RegularHours:
    """Take regular hours from the sessions nearest to the date: the commonest per weekday.

    A weekday that trades in less than half of the weeks has no regular hours.
    """
    count = len(table.day_date)
    before = _usual_week(table, timezone, range(min(_SAMPLE, count)))
    after = _usual_week(table, timezone, range(max(0, count - _SAMPLE), count))
    middle = table.day_date[count // 2].astype(object)
    return lambda day: (before if day < middle else after).get(day.weekday(), ())


def _usual_week(table: SessionTable, timezone: str, days: range) -> dict[int, Hours]:
    seen: dict[int, Counter[Hours]] = {}
    for day in days:
        hours = _hours_of(table, ZoneInfo(timezone), day)
        weekday = table.day_date[day].astype(object).weekday()
        seen.setdefault(weekday, Counter())[hours] += 1
    busiest = max(counter.total() for counter in seen.values())
    return {
        weekday: counter.most_common(1)[0][0]
        for weekday, counter in seen.items()
        if 2 * counter.total() >= busiest
    }


def _hours_of(table: SessionTable, zone: ZoneInfo, day: int) -> Hours:
    midnight = datetime.combine(table.day_date[day].astype(object), datetime.min.time())

    def minute(instant: int) -> int:
        wall = from_us(instant).astimezone(zone)
        return int((wall.replace(tzinfo=None) - midnight).total_seconds() // 60)

    rows = table.segment_day == day
    opens, closes = table.segment_open[rows].tolist(), table.segment_close[rows].tolist()
    return tuple((minute(a), minute(b)) for a, b in zip(opens, closes, strict=True))
