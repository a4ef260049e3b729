"""Which candles there should be, which there are, and what a downloader must fetch.

A candle is expected where continuous trading goes on and the candle is closed; nothing is guessed
about sessions whose hours are not known. Costs some ten nanoseconds a row; what is too large for
memory is given some instruments at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from tallow.core.arrays import Floats, Ints, Times
from tallow.core.calendars import Calendar, anchor_boundaries
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.kernel import read_only
from tallow.core.moments import Limit, at_venue
from tallow.core.time import to_us
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.coverage.candle_index import CandleIndex, daily_at_most, index_candles
from tallow.data.coverage.days import KINDS, WEEKEND, Days, closed_before, days, local_date
from tallow.data.kernels import aggregate as bars
from tallow.data.kernels.buckets import bucket_table
from tallow.data.reading.schema import NUMBERS

COUNTS = ("expected", "present", "missing", "no_trade", "outside")

COVERAGE_SCHEMA: dict[str, pl.DataType] = {
    "instrument": pl.String(),
    "session": pl.Date(),
    "kind": pl.String(),
    **dict.fromkeys(COUNTS, pl.Int64()),
}
"""Columns of `coverage`, in order."""

_DAY = parse_timeframe("1d")
_POLICIES: tuple[bars.NoTrade, ...] = ("keep", "drop")


def coverage(
    candles: pl.DataFrame,
    calendars: CalendarAssignment,
    *,
    now: int,
    source_timeframe: str | Timeframe = "1m",
    start: Limit | None = None,
    end: Limit | None = None,
    instruments: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Count, per instrument and session, the candles that are there and those that are missing.

    Parameters
    ----------
    candles
        Candle frame, sorted by instrument and timestamp. Rows before `start` are not counted, but
        show whether an instrument had traded before (see `no_trade` below).
    now
        Microseconds since 1970 UTC. Candles that are not closed by then are neither expected nor
        counted, and dates that begin later are not listed.
    source_timeframe
        How long each candle lasts: intraday, or ``1d``.
    start, end
        First and last date, both included; for an instant, its date at the venue. None is the date
        of each instrument's own first candle, and of `now`.
    instruments
        Which ones, also such as have no candle; None is those of the frame.

    Returns
    -------
    pl.DataFrame
        Columns of `COVERAGE_SCHEMA`, sorted by instrument and session.

        - `kind`: ``regular``; ``special``, where hours or weekday are not the usual ones of these
          weeks; ``provisional``, where no fact states the session or its hours, and it is
          assumed; ``unknown``, where it is known to exist but not when; ``holiday``, a weekday
          without a session; ``weekend``, listed only where it has rows.
        - `expected`: candles of the session's continuous trading; null where its hours are unknown.
        - `present`, `missing`: how many of them are there, and are not.
        - `no_trade`: those among the present that make no bar, because they only fill minutes
          without trades, as `tallow.data.kernels.aggregate` finds them.
        - `outside`: the date's other rows: auctions, what is off the timeframe's grid, and such as
          count in no bar since another row has their day. Together with `present` these are all.

    Raises
    ------
    CoverageError
        If a date of the range, or a row before its end, lies outside the years of its calendar.
    RangeError
        If `start` is None for an instrument without candles.
    CalendarError, CandleInputError, TimeframeError
        If an instrument has no calendar, the frame is not sorted, or a candle lasts over a day.
    """
    source = daily_at_most(source_timeframe)
    index = index_candles(candles, calendars, instruments).with_lookup_times(calendars, source)
    plans: dict[int, _Plan] = {}
    for place in sorted(set(index.calendar_of.tolist())):
        calendar = calendars.calendars[place]
        first = min(_first_date(calendar, start, index, i) for i in index.members(place))
        plans[place] = _plan(calendar, source, first, _last_date(calendar, end, now), now)
    index = index.before({place: plan.until for place, plan in plans.items()})
    sessions = _count(index.one_a_period(calendars, source), calendars, source)
    parts = [_rows(index, place, plan, sessions, start is None) for place, plan in plans.items()]
    return pl.concat([pl.DataFrame(schema=COVERAGE_SCHEMA), *parts]).sort("instrument", "session")


def _first_date(calendar: Calendar, start: Limit | None, index: CandleIndex, i: int) -> date:
    if start is None:
        first = local_date(calendar, index.candle(i, 0))
    else:
        first = _venue_date(calendar, "start", start)
    if not calendar.first_date <= first <= calendar.assumed_until:
        raise calendar.coverage_error(first)
    return first


def _last_date(calendar: Calendar, end: Limit | None, now: int) -> date:
    # The session of tomorrow's date may have begun this evening.
    last = local_date(calendar, now) + timedelta(days=1)
    if end is not None:
        last = min(last, _venue_date(calendar, "end", end))
    if last > calendar.assumed_until and now >= calendar.sessions().covered_until:
        raise calendar.coverage_error(last)
    return min(last, calendar.assumed_until)


def _venue_date(calendar: Calendar, name: str, limit: Limit) -> date:
    """Return a limit's date; of an instant, what date it is at the venue."""
    moment = at_venue(name, limit, calendar)
    return local_date(calendar, to_us(moment)) if isinstance(moment, datetime) else moment


class _Plan(NamedTuple):
    """What a calendar expects: `expected` candles per date (-1 is unknown), before `until`."""

    days: Days
    expected: Ints
    until: int
    day_open: Times


def _plan(calendar: Calendar, source: Timeframe, first: date, last: date, now: int) -> _Plan:
    table = bucket_table((calendar,), source, source)
    dates = days(calendar, first, max(last, first - timedelta(days=1)))
    begun = int(np.searchsorted(dates.start[:-1], now))
    dates = Days(
        dates.date[:begun], dates.start[: begun + 1], dates.kind[:begun], dates.session[:begun]
    )
    closed = closed_before(table, now)
    opens, closes, step = table.segment_open, table.segment_close, table.step_us
    counts = (opens < closed).astype(np.int64)
    if step:
        counts = np.maximum(-((opens - np.minimum(closes, closed)) // step), 0)
    on = np.searchsorted(anchor_boundaries(calendar.sessions(), calendar.timezone), opens, "right")
    by_session = np.bincount(on - 1, counts, len(calendar.sessions().day_date)).astype(np.int64)
    expected = np.where(dates.session >= 0, by_session[dates.session], 0)
    if step:
        known = calendar.sessions().day_known
        expected[(dates.session >= 0) & ~known[dates.session]] = -1
    return _Plan(dates, expected, min(closed, int(dates.start[-1])), calendar.sessions().day_open)


class _SessionRows(NamedTuple):
    """Counted rows: the instrument, the open of the session, and their number."""

    instrument: Ints
    day_open: Times
    rows: Ints


def _count(
    index: CandleIndex, calendars: CalendarAssignment, source: Timeframe
) -> list[_SessionRows]:
    """Return the rows in each session, with those that only fill minutes and without them.

    Daily bars count them: what lies in a session, and what a filler is, is said in one place.
    """
    table = bucket_table(calendars.calendars, _DAY, source)
    # Here a session of unknown hours is its whole date: its rows are counted, not placed.
    table = table._replace(known=np.ones_like(table.known))
    opens, highs, lows, closes, volumes = (
        read_only(index.frame[name].to_numpy()) for name in NUMBERS
    )
    candles = bars.CandleArrays(
        index.offsets, index.times, opens, highs, lows, closes, volumes, read_only(np.empty(0))
    )
    found, scratch = [], bars.Scratch()
    for policy in _POLICIES:
        state = bars.new_state(len(index.names))
        built = bars.aggregate(state, candles, index.calendar_of, True, table, policy, scratch).bars
        _check_covered(state, index, calendars)
        instrument = np.repeat(np.arange(len(index.names)), np.diff(built.offsets))
        # Copies: the next pass writes into the same arrays.
        found.append(
            _SessionRows(instrument, built.timestamp.copy(), built.candles.astype(np.int64))
        )
    return found


def _check_covered(state: Floats, index: CandleIndex, calendars: CalendarAssignment) -> None:
    for i in np.flatnonzero(state[:, bars.FAILED])[:1].tolist():
        calendar = calendars.calendars[index.calendar_of[i]]
        raise calendar.coverage_error(local_date(calendar, int(state[i, bars.LAST_TIME])))


def _rows(
    index: CandleIndex, place: int, plan: _Plan, sessions: Sequence[_SessionRows], from_first: bool
) -> pl.DataFrame:
    """Return one calendar's rows of the result; without those before the first candle, if asked."""
    members, dates, expected = index.members(place), plan.days, plan.expected
    shape = (len(members), len(dates.date))
    rows = np.empty(shape, dtype=np.int64)
    listed = np.ones(shape, dtype=np.bool_)
    for row, i in enumerate(members):
        edges = np.searchsorted(index.own(i), dates.start)
        rows[row] = np.diff(edges)
        # The date that has the first candle is the first one after which there is a candle.
        if from_first:
            listed[row] = edges[1:] > 0
    present, kept = (_by_date(each, index, members, plan) for each in sessions)
    listed &= (dates.kind != WEEKEND) | (rows > 0)
    own, day = np.nonzero(listed)
    missing = np.where(expected < 0, -1, np.maximum(expected - present, 0))
    counts = (np.broadcast_to(expected, shape), present, missing, present - kept, rows - present)
    columns = {
        "instrument": pl.Series(index.names).gather(np.array(members)[own]),
        "session": pl.Series(dates.date[day]),
        "kind": pl.Series(KINDS).gather(dates.kind[day]),
        **{name: pl.Series(c[listed]) for name, c in zip(COUNTS, counts, strict=True)},
    }
    known = [pl.when(pl.col(name) >= 0).then(name) for name in ("expected", "missing")]
    return pl.DataFrame(columns, schema_overrides=COVERAGE_SCHEMA).with_columns(known)


def _by_date(rows: _SessionRows, index: CandleIndex, members: Sequence[int], plan: _Plan) -> Ints:
    """Return counts ``[members, dates]``, 0 where there is no session."""
    session = np.searchsorted(plan.day_open, rows.day_open)
    column = np.full(len(plan.day_open) + 1, -1)
    trades = np.flatnonzero(plan.days.session >= 0)
    column[plan.days.session[trades]] = trades
    row = np.full(len(index.names), -1)
    row[members] = np.arange(len(members))
    at = row[rows.instrument], column[session]
    wanted = (at[0] >= 0) & (at[1] >= 0)
    found = np.zeros((len(members), len(plan.days.date)), dtype=np.int64)
    found[at[0][wanted], at[1][wanted]] = rows.rows[wanted]
    return found
