"""Which bar opens at a moment: its bucket, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np

from tallow.core.calendars import Calendar
from tallow.core.errors import RangeError
from tallow.core.moments import Moment, at_venue, read_limit
from tallow.core.time import from_us, to_us
from tallow.core.timeframe import Timeframe
from tallow.runtime.spans import Buckets, calendar_buckets


@dataclass(frozen=True)
class BarTimes:
    """A bucket: when its bar opens and ends, and between which times its candles lie, in us."""

    opens: int
    ends: int
    rows_from: int
    rows_until: int


def bar_at(at: Moment, calendar: Calendar, size: Timeframe, source: Timeframe) -> BarTimes:
    """Return the bucket of the bar that opens at a moment; of days and longer, also on a date.

    `RangeError` where no bar opens then, naming the one that contains the moment;
    `CoverageError` beyond what the calendar covers.
    """
    buckets = calendar_buckets(calendar, size, source)
    limit = at_venue("at", read_limit("at", at), calendar)
    if not isinstance(limit, datetime):
        return _on_date(limit, calendar, size, buckets)
    moment, table = to_us(limit), calendar.sessions()
    if not table.covered_from <= moment < table.covered_until:
        raise calendar.coverage_error(limit.astimezone(ZoneInfo(calendar.timezone)).date())
    number = buckets.before(moment + 1) - 1
    found = None if number < 0 else _bucket(buckets, number)
    if found is None or moment >= found.ends:
        raise RangeError(_outside(at, calendar, size, buckets, number))
    if found.opens != moment:
        raise RangeError(
            f"explain: at={at}; opens no bar of {size.text}; the bar that contains it opens at "
            f"{_text(found.opens, calendar)}; give that"
        )
    return found


def _on_date(day: date, calendar: Calendar, size: Timeframe, buckets: Buckets) -> BarTimes:
    """Return the bar of a date's session, or of the week or month that the session is in."""
    session = calendar.session(day)
    if session is None:
        raise RangeError(f"explain: at={day}; {calendar} has no session on that date; give another")
    opens = to_us(session.segments[0][0])
    found = _bucket(buckets, buckets.before(opens + 1) - 1)
    if size.unit == "minute":
        raise RangeError(
            f"explain: at={day}; is a date, and has many bars of {size.text}; give the time at "
            f"which one opens, such as {_text(found.opens, calendar)}"
        )
    return found


def _bucket(buckets: Buckets, number: int) -> BarTimes:
    run = int(np.searchsorted(buckets.numbers, number, "right")) - 1
    opens = int(buckets.opens[run]) + (number - int(buckets.numbers[run])) * buckets.step
    ends = int(buckets.ends_of(np.array([opens]))[0])
    if not buckets.step:
        ends = int(buckets.table.bucket_close[np.searchsorted(buckets.table.bucket_open, opens)])
    return BarTimes(opens, ends, buckets.start(number), buckets.end(number))


def _outside(at: Moment, calendar: Calendar, size: Timeframe, buckets: Buckets, number: int) -> str:
    """Say between which bars a moment lies."""
    near = []
    if number >= 0:
        near.append(f"the bar before it opens at {_text(_bucket(buckets, number).opens, calendar)}")
    if number + 1 < int(buckets.numbers[-1]):
        after = _bucket(buckets, number + 1).opens
        near.append(f"the bar after it at {_text(after, calendar)}")
    return (
        f"explain: at={at}; lies outside the sessions of {calendar}, and opens no bar of "
        f"{size.text}; {', '.join(near)}; give one of these"
    )


def _text(moment: int, calendar: Calendar) -> str:
    return from_us(moment).astimezone(ZoneInfo(calendar.timezone)).isoformat()
