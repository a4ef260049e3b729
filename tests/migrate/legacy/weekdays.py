"""What else the old system's calendar of weekdays answers."""

from __future__ import annotations

from datetime import datetime

from tallow.migrate.legacy.days import ONE_DAY, SATURDAY


def following(moment: datetime) -> datetime:
    """Return the next weekday, at the same time of day."""
    moment += ONE_DAY
    while moment.weekday() >= SATURDAY:
        moment += ONE_DAY
    return moment


def days_between(first: datetime, last: datetime) -> int:
    """Return the weekdays from one to the other, both counted."""
    whole, count = (last.date() - first.date()).days, 0
    for days in range(whole + 1):
        count += (first + days * ONE_DAY).weekday() < SATURDAY
    return count
