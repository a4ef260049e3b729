"""The old system's calendar: weekdays, and no holidays."""

from __future__ import annotations

from datetime import datetime, timedelta

from tallow.migrate.legacy.candles import in_india

BARS_A_DAY = 75
WARM_UP_BARS = 40
SATURDAY = 5
ONE_DAY = timedelta(days=1)


def previous(moment: datetime) -> datetime:
    """Return the weekday before, at the same time of day."""
    moment -= ONE_DAY
    while moment.weekday() >= SATURDAY:
        moment -= ONE_DAY
    return moment


def warm_up_start(start: int) -> int:
    """Return the start of the candles that an answer from `start` reads: a trading day earlier."""
    moment = in_india(start)
    for _ in range(-(-WARM_UP_BARS // BARS_A_DAY)):
        moment = previous(moment)
    return int(moment.timestamp())
