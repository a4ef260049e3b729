"""Goal: a range of bars is made of just the rows that its span names.

Method: any bars limit a range; aggregating the rows of its span alone must give those bars, and
those rows must not be more than the bars count.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest

from tallow import AnalyticsEngine, load_calendar
from tallow.core.time import to_us
from tallow.core.timeframe import parse_timeframe
from tallow.data.reading.schema import time_view
from tallow.runtime.spans import calendar_buckets, span_of
from tests.frames import assert_same_frame
from tests.runtime.histories import CALENDAR, market

MARKET = market(3)
ENGINE = AnalyticsEngine(CALENDAR, no_trade="keep", threads=1)
SOURCE = parse_timeframe("1m")


def buckets_of(calendar: str, timeframe: str):
    return calendar_buckets(load_calendar(calendar), parse_timeframe(timeframe), SOURCE)


@pytest.mark.parametrize("timeframe", ["1m", "7m", "1h", "1d", "1w", "1mo"])
@pytest.mark.parametrize("name", ["A", "N", "C"])
def test_a_span_holds_the_rows_of_its_bars(name, timeframe):
    rows = MARKET.filter(pl.col("instrument") == name)
    bars = ENGINE.process_candles(rows, timeframe, ()).frame
    buckets = buckets_of(CALENDAR.get(name, "XNSE"), timeframe)
    times, opens = time_view(rows), [*time_view(bars).tolist(), 2**61]
    for place in range(0, len(bars), max(1, len(bars) // 40)):
        wanted = bars[place : place + 3]
        span = span_of(buckets, (opens[place], opens[place + len(wanted)]), False, False)
        assert span is not None
        inside = rows.filter((times >= (span.start or 0)) & (times < (span.end or 2**61)))
        alone = ENGINE.process_candles(inside, timeframe, ())
        assert_same_frame(alone.frame.drop("is_final"), wanted.drop("is_final"))
        taken = [t for t in time_view(inside).tolist() if buckets.takes(t)]
        assert len(taken) == wanted["candles"].sum()
        assert buckets.at(taken[0]) == buckets.before(opens[place]) == span.number


@pytest.mark.parametrize("timeframe", ["1m", "7m", "1d", "1w"])
def test_buckets_are_numbered_in_order_and_do_not_overlap(timeframe):
    """Tokyo: two segments a day."""
    buckets = buckets_of("XTKS", timeframe)
    last = int(buckets.numbers[-1])
    for number in range(last - 700, last - 1):
        start, end = buckets.start(number), buckets.end(number)
        assert start < end <= buckets.start(number + 1)
        assert buckets.at(start) == buckets.at(end - 1) == number
        assert buckets.before(start) == number
        assert buckets.before(end) == number + 1


@pytest.mark.parametrize(
    ("source", "moment", "until"),
    [
        ("1m", "09:20:00", "09:20"),
        ("1m", "09:20:30", "09:20"),
        ("1m", "03:00:00", "03:00"),
        ("7m", "09:29:00", "09:29"),
        ("7m", "09:28:00", "09:22"),
        # The last candle of the session is shorter.
        ("7m", "15:30:00", "15:30"),
        ("7m", "15:29:00", "15:26"),
    ],
)
def test_candles_have_closed_up_to_where_one_was_open(source, moment, until):
    size = parse_timeframe(source)
    buckets = calendar_buckets(load_calendar("XNSE"), size, size)
    times = [to_us(datetime.fromisoformat(f"2025-07-18T{each}+05:30")) for each in (moment, until)]
    assert buckets.closed_by(times[0]) == times[1]


def test_between_two_sessions_there_is_no_span():
    buckets, table = buckets_of("XNSE", "5m"), load_calendar("XNSE").sessions()
    limits = int(table.day_close[-2]), int(table.day_open[-1])
    assert span_of(buckets, limits, from_origin=False, to_end=False) is None


def test_rows_that_no_calendar_covers_are_wanted():
    """They make their instrument fail, which is better than silence."""
    buckets, until = buckets_of("XNSE", "5m"), load_calendar("XNSE").sessions().covered_until
    span = span_of(buckets, (until + 1, until + 2), from_origin=False, to_end=False)
    assert span is not None
    assert (span.start, span.end) == (until, None)
