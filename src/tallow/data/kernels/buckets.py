"""When bars open and close: a calendar's sessions and a timeframe, as arrays for the kernels."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tallow.core.arrays import Dates, Flags, Ints, Times
from tallow.core.calendars import Calendar, SessionTable, anchor_boundaries
from tallow.core.calendars.table import local_midnights
from tallow.core.limits import CALENDARS_MAX
from tallow.core.time import DAY_US, MINUTE_US
from tallow.core.timeframe import Timeframe, Unit


class BucketTable(NamedTuple):
    """Segments of continuous trading of one or more calendars, one after the other.

    All times are int64 microseconds since 1970 UTC. Rows ``starts[c]:starts[c + 1]`` of the segment
    arrays belong to calendar ``c``. With ``step_us`` > 0 a bucket is that long and anchored at its
    segment's open; with 0 the bucket is the whole of ``bucket_open``..``bucket_close``. A row lasts
    `source_us` or, where that is 0, until ``row_end``.
    """

    starts: Ints
    segment_open: Times
    segment_close: Times
    bucket_open: Times
    bucket_close: Times
    row_end: Times
    known: Flags
    covered_from: Times
    covered_until: Times
    step_us: int
    source_us: int


@lru_cache(maxsize=CALENDARS_MAX)
def bucket_table(
    calendars: tuple[Calendar, ...], timeframe: Timeframe, source: Timeframe
) -> BucketTable:
    """Return the buckets of `timeframe` on each of `calendars`, for candles of size `source`.

    Remembered: a query over few rows would spend its time here.
    """
    parts = [_segments(calendar, timeframe, source) for calendar in calendars]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    tables = [calendar.sessions() for calendar in calendars]
    return BucketTable(
        starts=np.cumsum([0, *(len(part[0]) for part in parts)], dtype=np.int64),
        segment_open=columns[0],
        segment_close=columns[1],
        bucket_open=columns[2],
        bucket_close=columns[3],
        row_end=columns[4],
        known=columns[5].astype(np.bool_),
        covered_from=np.array([t.covered_from for t in tables], dtype=np.int64),
        covered_until=np.array([t.covered_until for t in tables], dtype=np.int64),
        step_us=timeframe.minutes * MINUTE_US,
        source_us=source.minutes * MINUTE_US,
    )


def _segments(
    calendar: Calendar, timeframe: Timeframe, source: Timeframe
) -> tuple[Times, Times, Times, Times, Times, Ints]:
    """Return open, close, bucket open and close, row end and known, per segment of a calendar."""
    table = calendar.sessions()
    opens, closes, days = _segment_times(calendar, table, source)
    # A session whose hours are unknown takes its whole date: rows in it are refused, not guessed,
    # unless sessions are assumed.
    unknown = np.flatnonzero(~table.day_known)
    if source.unit == "minute" and len(unknown):
        opens = np.concatenate([opens, table.day_open[unknown]])
        closes = np.concatenate([closes, table.day_close[unknown]])
        days = np.concatenate([days, unknown])
        order = np.argsort(opens, kind="stable")
        opens, closes, days = opens[order], closes[order], days[order]
    known = (~table.day_refused[days]).astype(np.int64)
    row_end = closes
    if source.unit != "minute":
        # Daily and longer rows need no hours.
        known[:] = 1
        row_end = table.day_close[period_bounds(table, source.unit)[1][days]]
    if timeframe.unit == "minute":
        return opens, closes, opens, closes, row_end, known
    first, last = period_bounds(table, timeframe.unit)
    return opens, closes, table.day_open[first[days]], table.day_close[last[days]], row_end, known


def _segment_times(
    calendar: Calendar, table: SessionTable, source: Timeframe
) -> tuple[Times, Times, Ints]:
    """Return where rows may be: the trading segments or, for daily rows, the whole date."""
    if source.unit == "minute":
        return table.segment_open, table.segment_close, table.segment_day
    opens = anchor_boundaries(table, calendar.timezone)
    if source.unit != "day":
        return _period_times(table, calendar.timezone, source.unit, opens)
    closes = np.minimum(opens + DAY_US, np.append(opens[1:], table.covered_until))
    return opens, np.maximum(closes, table.day_close), np.arange(len(opens))


def _period_times(
    table: SessionTable, timezone: str, unit: Unit, anchors: Times
) -> tuple[Times, Times, Ints]:
    """Return where weekly and monthly rows may be: on any date of theirs, also without trading."""
    ids = period_ids(table, unit)
    first = np.flatnonzero(np.diff(ids, prepend=ids[0] - 1))
    starts = _first_dates(ids[first], unit)
    opens = np.minimum(local_midnights(starts, timezone), anchors[first])
    ends = local_midnights(_first_dates(ids[first] + 1, unit), timezone)
    return opens, np.minimum(ends, np.append(opens[1:], ends[-1])), first


def _first_dates(ids: Ints, unit: Unit) -> Dates:
    """Return the first calendar date of weeks or months by number; see `period_ids`."""
    if unit == "week":
        return (ids * 7 - 3).astype("datetime64[D]")
    return ids.astype("datetime64[M]").astype("datetime64[D]")


def period_ids(table: SessionTable, unit: Unit) -> Ints:
    """Return for each session the number of its session, week (from Monday) or month."""
    if unit == "week":
        # 1970-01-01 was a Thursday.
        return (table.day_date.astype("datetime64[D]").astype(np.int64) + 3) // 7
    if unit == "month":
        return table.day_date.astype("datetime64[M]").astype(np.int64)
    return np.arange(len(table.day_date))


def session_rows(table: SessionTable, size: Timeframe) -> Ints:
    """Return how many rows of a size begin in each session; no minutes where hours are unknown."""
    if size.unit != "minute":
        ids = period_ids(table, size.unit)
        begins: Flags = np.diff(ids, prepend=ids[0] - 1) != 0
        return begins.astype(np.int64)
    step = size.minutes * MINUTE_US
    # A segment's last bucket may be short.
    rows = -((table.segment_open - table.segment_close) // step)
    found = np.zeros(len(table.day_date), dtype=np.int64)
    np.add.at(found, table.segment_day, rows)
    return found


def period_bounds(table: SessionTable, unit: Unit) -> tuple[Ints, Ints]:
    """Return for each session the first and the last session of its period."""
    ids = period_ids(table, unit)
    first = np.searchsorted(ids, ids, side="left")
    last = np.searchsorted(ids, ids, side="right") - 1
    return first.astype(np.int64), last.astype(np.int64)
