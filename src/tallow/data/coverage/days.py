"""Every date by a calendar: which rows are its own, and what kind of day it is."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from tallow.core.arrays import Codes, Dates, Flags, Ints, Times
from tallow.core.calendars import Calendar, anchor_boundaries
from tallow.core.calendars.table import local_midnights
from tallow.core.limits import CALENDARS_MAX
from tallow.core.time import nearest_datetime
from tallow.data.kernels.buckets import BucketTable

KINDS = ("regular", "special", "unknown", "holiday", "weekend", "provisional")
REGULAR, SPECIAL, UNKNOWN, HOLIDAY, WEEKEND, PROVISIONAL = range(len(KINDS))

WEEKS_AROUND, USUAL_SHARE = 12, 4
"""A date is compared with the same weekday of so many weeks before and after; what at least one in
`USUAL_SHARE` of them does is usual. Half days and special sessions never come to a quarter, and a
change of the hours, or a fortnight of holidays, leaves more than that."""

_ONE_DAY = np.timedelta64(1, "D")


class Days(NamedTuple):
    """Dates in order: the rows of date ``k`` lie from ``start[k]`` to before ``start[k + 1]``.

    `kind` is its place in `KINDS`, `session` the session's place in the calendar's table, -1 where
    there is none.
    """

    date: Dates
    start: Times
    kind: Codes
    session: Ints


def days(calendar: Calendar, first: date, last: date) -> Days:
    """Return the dates from `first` to `last`, both included; none may lie outside the coverage.

    A session's date begins where its rows do, on the evening before for a venue that trades
    through the night; another one at its local midnight.
    """
    assert calendar.first_date <= first, "the dates begin before the coverage"
    assert last <= calendar.assumed_until, "the dates end after the coverage"
    table = calendar.sessions()
    # One more: where the last one ends.
    dates = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 2 * _ONE_DAY)
    after = np.searchsorted(table.day_date, dates)
    at = np.minimum(after, len(table.day_date) - 1)
    trades = table.day_date[at] == dates
    closed = np.where(after > 0, table.day_close[np.maximum(after, 1) - 1], table.covered_from)
    midnight = np.maximum(local_midnights(dates, calendar.timezone), closed)
    start = np.where(trades, anchor_boundaries(table, calendar.timezone)[at], midnight)
    # A date that the next one's evening session swallows has no rows.
    start = np.minimum.accumulate(start[::-1])[::-1]
    offset = (dates[:-1] - np.datetime64(calendar.first_date, "D")).astype(np.int64)
    return Days(dates[:-1], start, _kinds(calendar)[offset], np.where(trades, at, -1)[:-1])


def closed_before(table: BucketTable, now: int) -> int:
    """Return the instant such that every candle that opens before it is closed at `now`."""
    last = int(np.searchsorted(table.segment_open, now, side="right")) - 1
    if last < 0 or now >= table.row_end[last]:
        return now
    opens, step = int(table.segment_open[last]), table.step_us
    return opens + (now - opens) // step * step if step else opens


def session_start(calendar: Calendar, day: date, beyond: int, *, after: bool = False) -> int:
    """Return the instant from which rows belong to the first session on, or `after`, a date.

    Where there is no session any more, that is `beyond`.
    """
    table = calendar.sessions()
    side: Literal["left", "right"] = "right" if after else "left"
    position = int(np.searchsorted(table.day_date, np.datetime64(day, "D"), side))
    starts = anchor_boundaries(table, calendar.timezone)
    return int(starts[position]) if position < len(starts) else beyond


def session_dates(calendar: Calendar, times: Times) -> Dates:
    """Return the date of the session that each of some instants belongs to."""
    table = calendar.sessions()
    starts = anchor_boundaries(table, calendar.timezone)
    at = np.searchsorted(starts, times, side="right") - 1
    return table.day_date[np.maximum(at, 0)]


def local_date(calendar: Calendar, instant: int) -> date:
    """Return what date it is at the venue, at `instant` in microseconds since 1970 UTC.

    Of an instant that Python's calendar does not reach in every zone, the last date that it does.
    """
    return nearest_datetime(instant).astimezone(ZoneInfo(calendar.timezone)).date()


@lru_cache(maxsize=CALENDARS_MAX)
def _kinds(calendar: Calendar) -> Codes:
    """Return each covered date's index in `KINDS`, int8 ``[dates]``."""
    hours = _hours_by_week(calendar)
    beyond = ((WEEKS_AROUND, WEEKS_AROUND), (0, 0))
    padded = np.pad(hours, beyond, constant_values=-1)
    windows = np.stack([padded[k : k + len(hours)] for k in range(2 * WEEKS_AROUND + 1)])
    trading = _share(windows > 0, windows)
    # Near the ends of the coverage as many weeks before as after, or new hours that came into
    # force shortly before its last date would pass for special ones.
    week, apart = np.arange(len(hours)), np.abs(np.arange(len(windows)) - WEEKS_AROUND)
    windows[apart[:, None] > np.minimum(week, week[::-1])] = -1
    usual = _share(windows == hours, windows)
    kinds = np.where(trading, HOLIDAY, WEEKEND)
    kinds = np.where(hours > 0, np.where(usual, REGULAR, SPECIAL), kinds)[hours >= 0]
    table = calendar.sessions()
    at = (table.day_date - np.datetime64(calendar.first_date, "D")).astype(np.int64)
    kinds[at[table.day_refused]] = UNKNOWN
    kinds[at[table.day_provisional]] = PROVISIONAL
    return kinds.astype(np.int8)


def _share(alike: Flags, windows: Ints) -> Flags:
    """Say where enough of the dates around, as far as they are covered, are alike."""
    found: Flags = USUAL_SHARE * alike.sum(axis=0) >= (windows >= 0).sum(axis=0)
    return found


def _hours_by_week(calendar: Calendar) -> Ints:
    """Return ``[weeks, 7]`` numbers that stand for the hours of each date, from a Monday on.

    0 is no session, -1 not covered. Sessions of equal hours by the wall clock have equal numbers.
    """
    table = calendar.sessions()
    midnight = local_midnights(table.day_date, calendar.timezone)
    traded = np.zeros(len(midnight), dtype=np.int64)
    np.add.at(traded, table.segment_day, table.segment_close - table.segment_open)
    hours = np.stack([table.day_open - midnight, table.day_close - midnight, traded], axis=1)
    numbers = np.unique(hours, axis=0, return_inverse=True)[1].reshape(-1) + 1
    first = calendar.first_date - timedelta(days=calendar.first_date.weekday())
    weeks = ((calendar.assumed_until - first).days + 7) // 7
    found = np.full(weeks * 7, -1, dtype=np.int64)
    found[calendar.first_date.weekday() : (calendar.assumed_until - first).days + 1] = 0
    found[(table.day_date - np.datetime64(first, "D")).astype(np.int64)] = numbers
    return found.reshape(-1, 7)
