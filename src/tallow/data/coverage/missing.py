"""What a downloader must fetch: the candles that a range lacks, as few and long segments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Ints, Times
from tallow.core.calendars import Calendar
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import RangeError, warn_caller
from tallow.core.limits import COVERAGE_CANDLES_MAX
from tallow.core.moments import Limit, at_venue
from tallow.core.text import counted
from tallow.core.time import END_OF_TIME, MICROSECOND, to_us
from tallow.core.timeframe import Timeframe
from tallow.data.coverage.candle_index import CandleIndex, daily_at_most, index_candles
from tallow.data.coverage.days import closed_before, local_date, session_start
from tallow.data.kernels.buckets import BucketTable, bucket_table
from tallow.data.reading.schema import TIME_TYPE

SEGMENT_SCHEMA: dict[str, pl.DataType] = {
    "instrument": pl.String(),
    "start": TIME_TYPE,
    "end": TIME_TYPE,
    "candles": pl.Int64(),
}
"""Columns of `missing_segments`, in order."""


class _Slots(NamedTuple):
    """Slots of candles, ascending: a row is in one if ``open <= its time < reach``."""

    open: Times
    reach: Times
    close: Times


def missing_segments(
    candles: pl.DataFrame,
    calendars: CalendarAssignment,
    *,
    now: int,
    source_timeframe: str | Timeframe = "1m",
    start: Limit | None = None,
    end: Limit | None = None,
    instruments: Sequence[str] | None = None,
    longest: timedelta | None = None,
    asked: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return the segments that a downloader must fetch to have every candle of a range.

    A segment runs over nights, holidays and breaks: five missing sessions in a row are one. To
    fill a range, give `start` and `end`; to bring instruments up to date, leave both out.

    Parameters
    ----------
    candles, now, source_timeframe, instruments
        As `coverage` takes them.
    start, end
        ``start <= a candle's open < end``. A bare date is a session's, included at both ends. None
        is after each instrument's own last candle, and `now`.
    longest
        Longest span that one request may have; a longer segment is cut, but never a candle.
    asked
        Segments that were fetched before, with columns `instrument`, `start` and `end`: what is
        missing in them the provider does not have, and is not asked for again. Minutes without
        trades leave such holes for ever. A downloader adds a segment to this list once it was
        answered, and late enough for the provider to have had everything.

    Returns
    -------
    pl.DataFrame
        Columns of `SEGMENT_SCHEMA`, sorted by instrument and start: from the open of the first
        missing candle to the close of the last one, and how many these are. Minutes of sessions
        without known hours are left out, with a `TallowWarning`.

    Raises
    ------
    CoverageError
        If the range lies outside the years that a calendar covers.
    RangeError
        If the range has too many candles, or `start` is None for an instrument without any.
    CalendarError, CandleInputError, TimeframeError
        As `coverage` does.
    """
    source = daily_at_most(source_timeframe)
    index = index_candles(candles, calendars, instruments).countable(calendars, source)
    fetched = _intervals(asked)
    found = [np.empty((0, 4), dtype=np.int64)]
    for place in sorted(set(index.calendar_of.tolist())):
        calendar, members = calendars.calendars[place], index.members(place)
        table = bucket_table((calendar,), source, source)
        begins = [_begin(calendar, start, index, i) for i in members]
        until = min(_end(calendar, end), closed_before(table, now))
        slots = _slots(calendar, table, min(begins), until)
        for i, begin in zip(members, begins, strict=True):
            runs = _runs(_there(slots, index.own(i), begin, fetched.get(index.names[i], ())))
            runs = runs if longest is None else _cut(slots, runs, longest)
            first, stop = runs.T
            own = (np.full(len(runs), i), slots.open[first], slots.close[stop - 1], stop - first)
            found.append(np.stack(own, axis=1))
    instrument, starts, ends, counts = np.concatenate(found).T
    names = pl.Series(index.names, dtype=pl.String).gather(instrument)
    columns = dict(zip(SEGMENT_SCHEMA, (names, starts, ends, counts), strict=True))
    return pl.DataFrame(columns, schema_overrides=SEGMENT_SCHEMA).sort("instrument", "start")


def _intervals(asked: pl.DataFrame | None) -> dict[str, list[tuple[int, int]]]:
    """Return each instrument's segments that were fetched before, in microseconds."""
    found: dict[str, list[tuple[int, int]]] = {}
    if asked is not None:
        limits = (pl.col(name).cast(TIME_TYPE).to_physical() for name in ("start", "end"))
        for name, since, until in asked.select("instrument", *limits).iter_rows():
            found.setdefault(name, []).append((since, until))
    return found


def _begin(calendar: Calendar, start: Limit | None, index: CandleIndex, i: int) -> int:
    """Return the instant from which an instrument's candles are wanted."""
    if start is None:
        return index.candle(i, -1) + 1
    first = at_venue("start", start, calendar)
    if isinstance(first, datetime):
        return to_us(first)
    if not calendar.first_date <= first <= calendar.assumed_until:
        raise calendar.coverage_error(first)
    return session_start(calendar, first, calendar.sessions().covered_until)


def _end(calendar: Calendar, end: Limit | None) -> int:
    if end is None:
        return END_OF_TIME
    last = at_venue("end", end, calendar)
    if isinstance(last, datetime):
        return to_us(last)
    is_covered = last <= calendar.assumed_until
    beyond = calendar.sessions().covered_until if is_covered else END_OF_TIME
    return session_start(calendar, last, beyond, after=True)


def _slots(calendar: Calendar, table: BucketTable, begin: int, until: int) -> _Slots:
    """Return the slots of all candles that open in ``begin <= open < until``."""
    sessions = calendar.sessions()
    if begin < until and not sessions.covered_from <= begin <= until <= sessions.covered_until:
        early = begin < sessions.covered_from
        raise calendar.coverage_error(local_date(calendar, begin if early else until))
    inside = (table.segment_close > begin) & (table.segment_open < until)
    if table.step_us:
        has_hours = np.isin(table.segment_open, sessions.segment_open)
        for place in np.flatnonzero(inside & ~has_hours)[:1]:
            day = local_date(calendar, int(table.segment_open[place]))
            warn_caller(f"{calendar.unknown_times_error(day)}; it is left out")
        inside &= has_hours
    opens, closes, ends = table.segment_open[inside], table.segment_close[inside], table.row_end
    slots = _Slots(opens, closes, ends[inside])
    if table.step_us:
        slots = _steps(opens, closes, table.step_us)
    low, high = np.searchsorted(slots.open, (begin, until))
    return _Slots(*(column[low:high] for column in slots))


def _steps(opens: Times, closes: Times, step: int) -> _Slots:
    """Return the slots of candles that last `step`, from each segment's open on."""
    counts = -((opens - closes) // step)
    total = int(counts.sum())
    if total > COVERAGE_CANDLES_MAX:
        raise RangeError(
            f"missing_segments: {counted(total, 'candle')} per instrument; must be at most "
            f"{COVERAGE_CANDLES_MAX}; ask for a shorter range"
        )
    segment = np.repeat(np.arange(len(opens)), counts)
    nth = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = opens[segment] + nth * step
    return _Slots(starts, starts + 1, np.minimum(starts + step, closes[segment]))


def _there(slots: _Slots, times: Times, begin: int, fetched: Sequence[tuple[int, int]]) -> Flags:
    """Say whether each slot needs no fetching: too early, filled, or asked for before."""
    there = slots.open < begin
    if not len(there):
        return there
    low, high = np.searchsorted(times, (slots.open[0], slots.reach[-1]))
    own = times[low:high]
    at = np.searchsorted(slots.open, own, side="right") - 1
    there[at[own < slots.reach[at]]] = True
    for since, until in fetched:
        there[slice(*np.searchsorted(slots.open, (since, until)))] = True
    return there


def _runs(there: Flags) -> Ints:
    """Return ``[runs, 2]``: from which slot to before which one candles are missing."""
    return np.flatnonzero(np.diff(there, prepend=True, append=True)).reshape(-1, 2)


def _cut(slots: _Slots, runs: Ints, longest: timedelta) -> Ints:
    """Cut runs that span more than `longest`."""
    span = longest // MICROSECOND
    too_long = slots.close[runs[:, 1] - 1] - slots.open[runs[:, 0]] > span
    pieces = [runs[~too_long]]
    for first, stop in runs[too_long].tolist():
        edges = [first]
        while edges[-1] < stop:
            fits = np.searchsorted(slots.close, slots.open[edges[-1]] + span, side="right")
            edges.append(min(stop, max(int(fits), edges[-1] + 1)))
        pieces.append(np.stack([edges[:-1], edges[1:]], axis=1))
    return np.concatenate(pieces)
