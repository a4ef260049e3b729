"""Candles of days, weeks and months that are stamped with a date: midnight in UTC.

Providers and libraries write the date of a daily candle as that midnight, whatever the venue. West
of Greenwich it lies in the evening before. There, such a candle is looked up at noon in UTC, which
is on its date at every venue of that side.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from tallow.core.arrays import Ints, Times
from tallow.core.calendars import Calendar
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.kernel import read_only
from tallow.core.limits import CALENDARS_MAX
from tallow.core.time import DAY_US
from tallow.core.timeframe import Timeframe
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import time_view

NOON_US = DAY_US // 2


@lru_cache(maxsize=CALENDARS_MAX)
def noon_shifts(calendars: tuple[Calendar, ...], source: Timeframe) -> Times:
    """Return how much later each calendar looks up midnights in UTC, int64 microseconds."""
    dates = source.unit != "minute"
    west = [dates and _is_west(calendar.timezone) for calendar in calendars]
    return np.where(west, NOON_US, 0).astype(np.int64)


def dated_times(times: Times, offsets: Ints, calendar_of: Ints, shifts: Times) -> Times:
    """Return when rows are looked up.

    Rows ``offsets[i]:offsets[i + 1]`` are of the calendar ``calendar_of[i]``; `shifts` are those of
    `noon_shifts`.
    """
    if not shifts.any():
        return times
    own = np.repeat(shifts[np.maximum(calendar_of, 0)], np.diff(offsets))
    return read_only(np.where(times % DAY_US == 0, times + own, times))


def dated_frame(
    frame: pl.DataFrame, calendars: CalendarAssignment, source: Timeframe
) -> pl.DataFrame:
    """Return sorted candles with the times at which they are looked up."""
    shifts = noon_shifts(calendars.calendars, source)
    if not shifts.any() or not len(frame):
        return frame
    names, offsets = instrument_runs(frame)
    times = dated_times(time_view(frame), offsets, calendars.indices(names), shifts)
    stamps = pl.Series("timestamp", times).cast(frame["timestamp"].dtype)
    return frame.with_columns(stamps).sort("instrument", "timestamp", maintain_order=True)


def _is_west(timezone: str) -> bool:
    # By a winter's clock: in summer none is on the other side.
    offset = datetime(2025, 1, 1, tzinfo=ZoneInfo(timezone)).utcoffset()
    return offset is not None and offset < timedelta(0)
