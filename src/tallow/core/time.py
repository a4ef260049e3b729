"""Time as an integer: microseconds since 1970 UTC; and to and from what others write it as."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
DAY_US = 24 * 60 * MINUTE_US
WEEK_US = 7 * DAY_US

BEGIN_OF_TIME, END_OF_TIME = -(2**62), 2**62
"""Earlier and later than any candle, bar or clock; centuries more or less still fit in 64 bits."""

MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now_us() -> int:
    """Return the time by this machine's clock."""
    return time.time_ns() // 1_000


def to_us(moment: datetime) -> int:
    """Return a datetime with a zone in microseconds.

    Examples
    --------
    >>> to_us(datetime(2025, 6, 2, 15, 30, tzinfo=UTC))
    1748878200000000
    """
    return (moment - _EPOCH) // MICROSECOND


def from_us(microseconds: int) -> datetime:
    """Return microseconds as a datetime in UTC; `OverflowError` outside the years 1 to 9999."""
    return _EPOCH + timedelta(microseconds=microseconds)


def nearest_datetime(microseconds: int) -> datetime:
    """Do as `from_us`; beyond Python's calendar, return its first day or its last one.

    Both are a day inside, so that a datetime may be taken to any zone.
    """
    return from_us(min(max(microseconds, _FIRST_US), _LAST_US))


_FIRST_US, _LAST_US = (
    to_us(datetime(1, 1, 2, tzinfo=UTC)),
    to_us(datetime(9999, 12, 31, tzinfo=UTC)),
)
