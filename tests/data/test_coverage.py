"""Goal: what is expected, there and missing is told right, session by session.

Method: days worked out by hand, on NSE's calendar above all, and its published holidays and special
sessions. A walk over every minute of random histories is in `test_coverage_twin`.
"""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow import AnalyticsEngine, read_candles
from tallow.core.calendars import Calendar, load_calendar
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.calendars.table import planned_segments
from tallow.core.errors import (
    CalendarError,
    CandleInputError,
    CoverageError,
    RangeError,
    TimeframeError,
)
from tallow.data.coverage.days import days
from tallow.data.coverage.missing import missing_segments
from tallow.data.coverage.sessions import coverage
from tests.frames import candles, flat_candle, minutes, moment

NSE = CalendarAssignment("XNSE")
NOBODY = candles("A", [])


def us(text: str) -> int:
    return int(moment(text).timestamp()) * 1_000_000


LATE = us("2026-06-01T00:00+05:30")


def full_day(day: str, instrument: str = "A") -> pl.DataFrame:
    return candles(instrument, minutes(f"{day}T09:15+05:30", 375))


def summary(frame: pl.DataFrame) -> list[tuple]:
    """Return all of a coverage but the instrument, with dates as text."""
    return frame.with_columns(pl.col("session").cast(pl.String)).drop("instrument").rows()


def test_a_week_counts_every_row_and_says_why_a_day_has_none():
    rows = pl.concat(
        [
            full_day("2025-03-27"),
            candles("A", minutes("2025-03-28T09:15+05:30", 100)),
            *(flat_candle("A", f"2025-03-28T11:{m}+05:30", 9.0, 0.0) for m in (10, 11, 12)),
            candles("A", minutes("2025-03-28T15:30+05:30", 2)),
            candles("A", minutes("2025-03-30T12:00+05:30", 1)),
            candles("A", minutes("2025-04-01T09:16+05:30", 1)),
        ]
    )
    # 2025-03-31, a Monday, was Id-Ul-Fitr; the 29th and 30th are a weekend.
    # At 11:10 the price fell without volume; the two minutes after it only repeat that.
    assert summary(coverage(rows, NSE, now=us("2025-04-01T18:00+05:30"))) == [
        ("2025-03-27", "regular", 375, 375, 0, 0, 0),
        ("2025-03-28", "regular", 375, 103, 272, 2, 2),
        ("2025-03-30", "weekend", 0, 0, 0, 0, 1),
        ("2025-03-31", "holiday", 0, 0, 0, 0, 0),
        ("2025-04-01", "regular", 375, 1, 374, 0, 0),
    ]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2024-11-01", 60),  # Muhurat: 18:00-19:00
        ("2024-03-02", 105),  # a Saturday's drill: 09:15-10:00 and 11:30-12:30
        ("2024-01-20", 375),  # a whole Saturday
        ("2021-02-24", 220),  # the outage: 09:15-11:40 and 15:45-17:00
    ],
)
def test_special_sessions_have_their_own_length(day, expected):
    only = date.fromisoformat(day)
    found = coverage(NOBODY, NSE, now=LATE, start=only, end=only, instruments=["A"])
    assert summary(found) == [(day, "special", expected, 0, expected, 0, 0)]


def test_nothing_is_expected_of_what_is_not_closed():
    rows = candles("A", minutes("2025-06-02T09:15+05:30", 11))
    for now, expected, present in (("09:24:59", 9, 9), ("09:25:00", 10, 10), ("09:26:30", 11, 11)):
        found = coverage(rows, NSE, now=us(f"2025-06-02T{now}+05:30"))
        assert summary(found) == [("2025-06-02", "regular", expected, present, 0, 0, 0)]
    # The next day has begun, but not its session.
    assert summary(coverage(rows, NSE, now=us("2025-06-03T08:00+05:30")))[1:] == [
        ("2025-06-03", "regular", 0, 0, 0, 0, 0)
    ]


def test_a_short_last_candle_is_expected_and_one_off_the_grid_is_outside():
    rows = candles("A", minutes("2025-06-02T09:15+05:30", 7, step=60))
    stray = candles("A", minutes("2025-06-02T11:20+05:30", 1))
    held = pl.concat([rows[:2], stray, rows[3:]])
    found = coverage(held, NSE, now=LATE, source_timeframe="1h", end=date(2025, 6, 2))
    assert summary(found) == [("2025-06-02", "regular", 7, 6, 1, 0, 1)]


def test_daily_candles_need_no_hours():
    rows = candles("A", [moment("2026-11-06T00:00+05:30"), moment("2026-11-08T00:00+05:30")])
    now = us("2026-11-09T15:29+05:30")
    assert summary(coverage(rows, NSE, now=now, source_timeframe="1d")) == [
        ("2026-11-06", "regular", 1, 1, 0, 0, 0),
        ("2026-11-08", "provisional", 1, 1, 0, 0, 0),
        ("2026-11-09", "regular", 0, 0, 0, 0, 0),
    ]


def test_a_session_of_unknown_hours_is_marked_and_never_guessed():
    rows = candles("A", minutes("2026-11-08T18:15+05:30", 5))
    strict, assuming = CalendarAssignment("XNSE", beyond="raise"), NSE
    for calendars, kind in ((strict, "unknown"), (assuming, "provisional")):
        first = summary(coverage(rows, calendars, now=us("2026-11-09T09:15+05:30")))[0]
        assert first == ("2026-11-08", kind, None, 5, None, 0, 0)


def test_an_evening_session_belongs_to_its_own_date():
    # Globex opens on Sunday at 17:00 in Chicago for Monday, 2025-06-02.
    calendars = CalendarAssignment("CMES")
    rows = candles("A", minutes("2025-06-01T17:00-05:00", 300))
    found = coverage(rows, calendars, now=us("2025-06-01T23:00-05:00"))
    assert summary(found) == [("2025-06-02", "regular", 360, 300, 60, 0, 0)]


def test_every_instrument_has_its_own_calendar_and_begins_with_its_own_first_candle():
    calendars = CalendarAssignment({"A": "XNSE", "B": "XNYS", "C": "XNSE"})
    rows = pl.concat(
        [
            full_day("2025-07-03", "A"),
            candles("B", minutes("2025-07-03T09:30-04:00", 210)),
            full_day("2025-07-04", "C"),
        ]
    )
    found = coverage(rows, calendars, now=us("2025-07-04T23:00-04:00"))
    assert found.select("instrument", "session", "kind", "missing").rows() == [
        ("A", date(2025, 7, 3), "regular", 0),
        ("A", date(2025, 7, 4), "regular", 375),
        ("B", date(2025, 7, 3), "special", 0),
        ("B", date(2025, 7, 4), "holiday", 0),
        ("C", date(2025, 7, 4), "regular", 0),
    ]


def test_an_instant_stands_for_its_date_at_the_venue():
    rows = pl.concat([full_day("2025-06-02"), full_day("2025-06-03"), full_day("2025-06-04")])
    begin, end = moment("2025-06-02T18:30+00:00"), moment("2025-06-03T18:29+00:00")
    found = coverage(rows, NSE, now=LATE, start=begin, end=end)
    assert summary(found) == [("2025-06-03", "regular", 375, 375, 0, 0, 0)]


def test_rows_before_the_range_tell_what_a_filler_is():
    # After a candle that moved, nine that repeat its close: fillers, once there was volume.
    traded = candles("A", minutes("2025-06-02T09:15+05:30", 1), volume=5.0)
    moving = candles("A", minutes("2025-06-03T09:15+05:30", 1), volume=0.0)
    times = [f"2025-06-03T09:{minute}+05:30" for minute in range(16, 25)]
    still = pl.concat(flat_candle("A", time, moving["close"][0], 0.0) for time in times)
    for history, fillers in ((traded.clear(), 0), (traded, 9)):
        rows = pl.concat([history, moving, still])
        found = coverage(rows, NSE, now=us("2025-06-03T20:00+05:30"), start=date(2025, 6, 3))
        assert found["no_trade"].to_list() == [fillers]


def test_rows_after_the_range_do_not_matter_even_where_no_calendar_reaches():
    rows = pl.concat([full_day("2026-12-31"), full_day("2027-01-04")])
    found = coverage(rows, NSE, now=us("2027-02-01T00:00+05:30"), end=date(2026, 12, 31))
    assert summary(found) == [("2026-12-31", "regular", 375, 375, 0, 0, 0)]


def test_the_rows_of_a_night_belong_to_the_date_that_its_session_is_of():
    nights = {date(2025, 6, day): ((22 * 60, 26 * 60),) for day in (5, 6)}
    first, last = date(2025, 6, 1), date(2025, 6, 30)
    table = planned_segments(nights, "UTC").table("UTC", first, last)
    found = days(Calendar("X", "", "UTC", first, last, table), date(2025, 6, 5), date(2025, 6, 7))
    starts = [datetime.fromtimestamp(start / 1e6, UTC) for start in found.start[1:].tolist()]
    assert [f"{start:%d %H:%M}" for start in starts] == ["06 02:00", "07 02:00", "08 00:00"]


def test_dates_before_the_first_session_have_no_rows():
    # Tokyo is known from 1997 on, when its first session was on Monday, 6 January.
    found = days(load_calendar("XTKS"), date(1997, 1, 1), date(1997, 1, 6))
    assert set(found.start[:6].tolist()) == {us("1997-01-01T00:00+09:00")}
    assert found.start[6] == us("1997-01-07T00:00+09:00")


def test_kinds_are_those_of_the_exchanges_own_lists(reference):
    def dates(name: str, keep) -> list[str]:
        with (Path(reference) / "nse" / name).open() as file:
            return sorted({row["date"] for row in csv.DictReader(file) if keep(row)})

    every = coverage(
        NOBODY,
        CalendarAssignment("XNSE", beyond="raise"),
        now=us("2026-12-31T23:00+05:30"),
        start=date(2015, 1, 1),
        instruments=["A"],
    ).with_columns(pl.col("session").cast(pl.String))
    of_kind = {kind: own["session"].to_list() for (kind,), own in every.group_by("kind")}
    assert sorted(of_kind["holiday"]) == dates("holidays.csv", lambda r: r["status"] == "closed")
    special = dates("special_sessions.csv", lambda r: r["segment"] in {"all", "cash"})
    assert sorted(of_kind["special"] + of_kind["unknown"]) == special
    assert of_kind["unknown"] == ["2026-11-08"]
    assert "weekend" not in of_kind


def test_new_hours_are_regular_ones_even_in_the_last_weeks_known():
    # Derivatives trade to 15:45 since 2026-12-07; the 25th was a holiday.
    calendars = CalendarAssignment("XNSE:derivatives")
    found = coverage(
        NOBODY,
        calendars,
        now=us("2026-12-31T23:00+05:30"),
        start=date(2026, 12, 4),
        instruments=["A"],
    )
    kinds = {row[1].day: (row[2], row[3]) for row in found.iter_rows()}
    assert kinds.pop(4) == ("regular", 385)
    assert kinds.pop(25) == ("holiday", 0)
    assert set(kinds.values()) == {("regular", 390)}


def test_real_candles_have_no_gaps(reference):
    rows = read_candles(Path(reference) / "data" / "candles_1m.csv").frame
    key = rows.group_by("instrument").len().sort("len")["instrument"][-1]
    own = rows.filter(instrument=key)
    found = coverage(own, NSE, now=us("2025-08-01T00:00+05:30"), end=own["timestamp"][-1])
    traded = found.filter(pl.col("kind") == "regular")
    assert traded.select("expected", "present", "missing", "outside").unique().rows() == [
        (375, 375, 0, 0)
    ]
    assert (len(traded), traded["no_trade"].sum()) == (25, 39)


@pytest.mark.parametrize(
    ("error", "message", "changes"),
    [
        (CoverageError, "date=2014-12-31; covers 2015-01-01", {"start": date(2014, 12, 31)}),
        (CoverageError, "date=2027-01-0", {"now": us("2027-01-05T12:00+05:30")}),
        (RangeError, "'B' has no candle to start from", {"instruments": ["A", "B"], "start": None}),
        (TimeframeError, "must last a day at most", {"source_timeframe": "1w"}),
        (CandleInputError, "must be sorted", {"candles": full_day("2025-06-02").reverse()}),
        (CalendarError, "'A'; the mapping must name it", {"calendars": {"B": "XNSE"}}),
    ],
)
@pytest.mark.parametrize("ask", [coverage, missing_segments])
def test_mistakes_are_errors(ask, error, message, changes):
    given_ = {"candles": full_day("2025-06-02"), "now": LATE, "start": date(2025, 6, 2), **changes}
    calendars = CalendarAssignment(given_.pop("calendars", "XNSE"), beyond="raise")
    with pytest.raises(error, match=message):
        ask(given_.pop("candles"), calendars, **given_)


def test_a_row_outside_the_calendars_years_is_an_error():
    rows = candles("A", minutes("2014-12-31T09:15+05:30", 1))
    with pytest.raises(CoverageError, match="date=2014-12-31"):
        coverage(rows, NSE, now=LATE, start=date(2025, 6, 2))


def test_nothing_held_is_nothing_told():
    assert len(coverage(NOBODY, NSE, now=LATE)) == 0
    assert len(missing_segments(NOBODY, NSE, now=LATE)) == 0


def test_of_two_rows_of_one_day_one_is_present_as_one_is_a_candle():
    """A forming candle beside the final one; and two rows in five minutes, of which none is one."""
    days = pl.concat(
        flat_candle("A", f"2025-03-{day}T{hour}:00+05:30", 9.0, 5.0)
        for day, hour in (("26", "00"), ("27", "00"), ("27", "16"), ("28", "16"))
    )
    asked: dict[str, Any] = {"now": LATE, "start": date(2025, 3, 26), "end": date(2025, 3, 28)}
    told = coverage(days, NSE, source_timeframe="1d", **asked)
    assert told.select("present", "missing", "outside").rows() == [(1, 0, 0), (1, 0, 1), (1, 0, 0)]
    fives = pl.concat(
        flat_candle("A", f"2025-03-28T{time}+05:30", 9.0, 5.0)
        for time in ("09:15", "09:17", "09:20")
    )
    asked["start"] = date(2025, 3, 28)
    told = coverage(fives, NSE, source_timeframe="5m", **asked)
    assert told.select("present", "missing", "outside").rows() == [(1, 74, 2)]
    fetch = missing_segments(fives, NSE, source_timeframe="5m", **asked)
    assert fetch.select("start", "candles").rows() == [
        (moment("2025-03-28T09:15+05:30"), 1),
        (moment("2025-03-28T09:25+05:30"), 73),
    ]
    bars = AnalyticsEngine().process_candles(read_candles(fives, source_timeframe="5m"), "5m", "")
    assert bars.frame["timestamp"].to_list() == [moment("2025-03-28T09:20+05:30")]
