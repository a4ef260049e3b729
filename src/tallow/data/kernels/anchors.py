"""What calendars say of a row: its session, week and month, rows of a year, and moments past."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tallow.core.arrays import Floats, Ints, Times
from tallow.core.calendars import Calendar, anchor_boundaries
from tallow.core.kernel import kernel, read_only
from tallow.core.limits import CALENDARS_MAX
from tallow.core.moments import at_venue, read_limit
from tallow.core.operator import MINUTE, SINCE
from tallow.core.time import MINUTE_US, to_us
from tallow.core.timeframe import Timeframe, Unit
from tallow.data.kernels.aggregate import first_after
from tallow.data.kernels.buckets import period_ids, session_rows

ANCHOR_UNITS: tuple[Unit, ...] = ("day", "week", "month")
_NEVER = int(np.iinfo(np.int64).max)


class AnchorTable(NamedTuple):
    """From which instant on a row belongs to which session, week and month (VWAP's anchors).

    And how many rows of the timeframe began in the twelve months before that session's date.
    """

    starts: Ints
    boundaries: Times
    covered_from: Times
    covered_until: Times
    session: Floats
    week: Floats
    month: Floats
    year_rows: Floats
    minute: Floats
    """Not minutes: when each session opens, microseconds, from which they are counted."""


@lru_cache(maxsize=CALENDARS_MAX)
def anchor_table(calendars: tuple[Calendar, ...], size: Timeframe) -> AnchorTable:
    """Return the anchors of each of `calendars`, one after the other; remembered.

    `size` is the timeframe of the rows.
    """
    tables = [calendar.sessions() for calendar in calendars]
    boundaries = [anchor_boundaries(c.sessions(), c.timezone) for c in calendars]
    session, week, month = (
        np.concatenate([period_ids(table, unit) for table in tables]).astype(np.float64)
        for unit in ANCHOR_UNITS
    )
    return AnchorTable(
        starts=np.cumsum([0, *(len(b) for b in boundaries)], dtype=np.int64),
        boundaries=np.concatenate(boundaries),
        covered_from=np.array([t.covered_from for t in tables], dtype=np.int64),
        covered_until=np.array([t.covered_until for t in tables], dtype=np.int64),
        session=session,
        week=week,
        month=month,
        year_rows=np.concatenate([_year_rows(calendar, size) for calendar in calendars]),
        minute=np.concatenate([table.day_open for table in tables]).astype(np.float64),
    )


def _year_rows(calendar: Calendar, size: Timeframe) -> Floats:
    """Return how many rows of a size began in the twelve months before each session's date.

    All of these sessions are over by then, so that nothing is known too early. NaN where the
    calendar does not cover them.
    """
    table = calendar.sessions()
    dates = table.day_date.astype("datetime64[D]")
    month = dates.astype("datetime64[M]")
    year_before = (month - 12).astype("datetime64[D]") + (dates - month.astype("datetime64[D]"))
    begun = np.concatenate([[0], np.cumsum(session_rows(table, size))])
    rows = (begun[:-1] - begun[np.searchsorted(dates, year_before)]).astype(np.float64)
    is_covered = year_before >= np.datetime64(calendar.first_date, "D")
    return np.where(is_covered & (rows > 0.0), rows, np.nan)


def anchor_columns(
    anchors: AnchorTable, wanted: Sequence[str], times: Times, offsets: Ints, calendar_of: Ints
) -> dict[str, Floats]:
    """Return what is wanted of each row's session; NaN for instruments without a calendar."""
    columns = {}
    for name in wanted:
        columns[name], ids = np.empty(len(times)), getattr(anchors, name)
        _anchor_ids(read_only(times), offsets, calendar_of, anchors, ids, columns[name])
        if name == MINUTE:
            columns[name] = (times - columns[name]) / MINUTE_US
    return columns


def moment_starts(moments: Sequence[str], calendars: tuple[Calendar, ...]) -> Times:
    """Return from which instant on moments are past, int64 ``[moments, calendars]``.

    A date is past when its session, or the next one after it, begins. `RangeError` if a moment is a
    time that a venue's clocks skip or show twice.
    """
    starts = [_start(moment, calendar) for moment in moments for calendar in calendars]
    return np.array(starts, dtype=np.int64).reshape(len(moments), len(calendars))


def _start(moment: str, calendar: Calendar) -> int:
    limit = at_venue("moment", read_limit("moment", moment), calendar)
    if isinstance(limit, datetime):
        return to_us(limit)
    table = calendar.sessions()
    first = int(np.searchsorted(table.day_date, np.datetime64(limit)))
    boundaries = anchor_boundaries(table, calendar.timezone)
    return int(boundaries[first]) if first < len(boundaries) else _NEVER


def moment_columns(
    moments: Sequence[str], starts: Times, times: Times, offsets: Ints, calendar_of: Ints
) -> dict[str, Floats]:
    """Return 1 in each row from a moment on; NaN before it, and for instruments without a calendar.

    `starts` are those of `moment_starts`; names are those of inputs.
    """
    columns = {}
    for moment, by_calendar in zip(moments, starts, strict=True):
        own = np.where(calendar_of < 0, _NEVER, by_calendar[calendar_of])
        is_past = times >= np.repeat(own, np.diff(offsets))
        columns[f"{SINCE} {moment}"] = np.where(is_past, 1.0, np.nan)
    return columns


@kernel
def _anchor_ids(timestamp, offsets, calendar_of, table, ids, out):  # type: ignore[no-untyped-def]
    """Number each row's session, week or month (`ids` per session), by a merge with the anchors.

    NaN where no calendar (-1 in `calendar_of`) knows the row's session.
    """
    calendar, boundaries = -1, table.boundaries
    first = last = j = begin = end = 0
    for i in range(len(calendar_of)):
        if calendar_of[i] < 0:
            for row in range(offsets[i], offsets[i + 1]):
                out[row] = np.nan
            continue
        if calendar_of[i] != calendar:
            calendar = calendar_of[i]
            first, last = table.starts[calendar], table.starts[calendar + 1]
            begin, end, j = table.covered_from[calendar], table.covered_until[calendar], first
        for row in range(offsets[i], offsets[i + 1]):
            t = timestamp[row]
            # The row before, also that of the instrument before, is likely in the same session.
            if t < boundaries[j] or (j + 1 < last and boundaries[j + 1] <= t):
                j = max(first, first_after(boundaries, first, last, t) - 1)
            out[row] = ids[j] if begin <= t < end else np.nan
