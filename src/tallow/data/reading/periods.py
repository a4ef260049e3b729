"""Which rows share the period of one candle, and which of them count.

Of days, weeks and months the last row by time counts: providers send the final candle beside the
one that was still forming. What several candles of minutes in one period are is not certain:
finer rows, or strays; none of them counts.

Providers and libraries write the date of a daily candle as its midnight in UTC, whatever the venue.
West of Greenwich it lies in the evening before. There, such a candle is looked up at noon in UTC,
which is on its date at every venue of that side.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Ints, Times
from tallow.core.calendars import Calendar
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.kernel import read_only
from tallow.core.limits import CALENDARS_MAX
from tallow.core.time import DAY_US
from tallow.core.timeframe import Timeframe
from tallow.data.kernels.buckets import bucket_table
from tallow.data.reading.rules import OFF_GRID, REPEATED_PERIOD
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import time_view

NOWHERE = -1


class Periods:
    """The periods of candles of one size on some calendars.

    Attributes
    ----------
    is_needed
        False for minutes: reading lets no two rows of one minute through.
    rule
        What a row breaks that does not count.
    """

    def __init__(self, calendars: Sequence[Calendar], source: Timeframe) -> None:
        self._by_date = source.unit != "minute"
        self._table = bucket_table(tuple(calendars), source, source)
        self.is_needed = self._by_date or source.minutes > 1
        self.rule = REPEATED_PERIOD if self._by_date else OFF_GRID

    def others(self, which: Ints, periods: Ints) -> Flags | None:
        """Say which rows do not count, as another has their period; None where all count.

        `which` has a number of each row's instrument; rows are sorted by it, and by time. `periods`
        has each row's period, as `of` returns them.
        """
        again = (which[1:] == which[:-1]) & (periods[1:] == periods[:-1])
        again &= periods[1:] != NOWHERE
        if not again.any():
            return None
        has_later, has_earlier = np.append(again, False), np.append(False, again)
        return has_later if self._by_date else has_later | has_earlier

    def of(self, times: Times, calendar_of: Ints) -> Ints:
        """Return a number for each time's period, of its calendar; `NOWHERE` outside of all."""
        found = np.full(len(times), NOWHERE, dtype=np.int64)
        table = self._table
        for index in np.unique(calendar_of).tolist():
            first, last = int(table.starts[index]), int(table.starts[index + 1])
            own = np.flatnonzero(calendar_of == index)
            at = np.searchsorted(table.segment_close[first:last], times[own], "right")
            opens = table.segment_open[first + np.minimum(at, last - first - 1)]
            inside = (at < last - first) & (times[own] >= opens)
            since = (times[own] - opens) // table.source_us if table.source_us else 0
            found[own] = np.where(inside, opens + since * max(table.source_us, 1), NOWHERE)
        return found


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
