"""Goal: dates after the calendar's facts stop nothing, and what is assumed of them is marked.

Method: candles on dates that no fact tells of; bars counted by hand; the same candles with facts.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from tallow import AnalyticsEngine, ProcessingResult, load_calendar, open_store, read_candles
from tallow.core.calendars import Calendar, coverage_warning
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import (
    AllFailedError,
    CoverageError,
    SessionTimesUnknownError,
    TallowWarning,
)
from tallow.data.coverage.missing import missing_segments
from tallow.data.coverage.sessions import coverage
from tallow.runtime.live.live_engine import LiveEngine

LATER = "2028-03-01T00:00+05:30"
"""A clock of after all dates below."""

MUHURAT = '[[session]]\ndate = 2026-11-08\nopen = "18:15"\nclose = "19:15"\n'


def candles(start: str, count: int, name: str = "A") -> pl.DataFrame:
    first = datetime.fromisoformat(start).astimezone(UTC)
    times = [first + timedelta(minutes=k) for k in range(count)]
    prices = [100.0 + k % 7 for k in range(count)]
    return pl.DataFrame(
        {"symbol": name, "timestamp": times, "open": prices, "high": prices, "low": prices}
    ).with_columns(close=pl.col("open"), volume=10.0)


def process(frame: pl.DataFrame, timeframe: str = "1d", **options: Any) -> ProcessingResult:
    engine = AnalyticsEngine("XNSE", **options)
    return engine.process_candles(frame, timeframe, "", final_at=LATER)


def is_assumed(calendar: Calendar, day: date) -> bool:
    session = calendar.session(day)
    assert session is not None
    return session.provisional


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1e6)


def test_a_year_without_facts_makes_bars_that_are_marked():
    known, assumed = candles("2026-12-31T09:15+05:30", 375), candles("2027-01-04T09:15+05:30", 375)
    result = process(pl.concat([known, assumed]))
    assert result.frame["candles"].to_list() == [375, 375]
    assert result.provisional["timestamp"].to_list() == [datetime(2027, 1, 4, 3, 45, tzinfo=UTC)]
    assert "XNSE:cash-other: last_date=2026-12-31; bars=1" in result.report.assumed
    assert result.report.to_dict()["provisional"] == 1
    assert len(result.report.quarantine) == 0
    # A week that has one assumed session is provisional as a whole.
    weekly = process(pl.concat([known, candles("2027-01-01T09:15+05:30", 375)]), "1w")
    assert weekly.frame["candles"].to_list() == [750]
    assert len(weekly.provisional) == 1


def test_where_facts_tell_of_all_nothing_is_marked():
    result = process(candles("2026-12-31T09:15+05:30", 375), "5m")
    assert (len(result.provisional), result.report.assumed) == (0, "")


def test_a_session_without_hours_is_any_time_of_its_date_and_judged_again(tmp_path):
    rows = candles("2026-11-08T18:10+05:30", 70)
    result = process(rows)
    assert result.frame["candles"].to_list() == [70]
    assert len(result.provisional) == 1
    facts = tmp_path / "facts.toml"
    facts.write_text(MUHURAT)
    again = process(rows, calendar_dates=facts)
    assert again.frame["candles"].to_list() == [60]
    assert len(again.provisional) == 0


def test_a_user_s_dates_after_the_facts_are_facts(tmp_path):
    facts = tmp_path / "facts.toml"
    facts.write_text(
        "[[holiday]]\ndate = 2027-01-26\n"
        '[[session]]\ndate = 2027-01-27\nopen = "10:00"\nclose = "11:00"\n'
    )
    calendar = load_calendar("XNSE", calendar_dates=facts)
    assert calendar.session(date(2027, 1, 26)) is None
    assert not is_assumed(calendar, date(2027, 1, 27))
    assert is_assumed(calendar, date(2027, 1, 28))


def test_four_hundred_days_and_not_one_more():
    calendar = load_calendar("XNSE")
    # 2026-12-31 and 365 days is 2027-12-31; 31 more make 2028-01-31, and 4 more.
    assert (calendar.last_date, calendar.assumed_until) == (date(2026, 12, 31), date(2028, 2, 4))
    assert is_assumed(calendar, date(2028, 2, 4))
    assert calendar.session(date(2028, 1, 1)) is None  # a Saturday
    with pytest.raises(CoverageError, match=r"covers 2015-01-01..2026-12-31, assumed to 2028-02"):
        calendar.session(date(2028, 2, 5))
    days = ("2028-02-04", "2028-02-07")
    result = process(pl.concat([candles(f"{day}T10:00+05:30", 5) for day in days]))
    assert result.frame["candles"].to_list() == [5]
    assert result.report.quarantine["rule"].to_list() == ["not_covered"] * 5


def test_the_strict_word_says_no():
    calendar = load_calendar("XNSE", beyond_coverage="raise")
    with pytest.raises(CoverageError):
        calendar.session(date(2027, 1, 4))
    with pytest.raises(SessionTimesUnknownError):
        calendar.session(date(2026, 11, 8))
    for day in ("2027-01-04", "2026-11-08"):
        with pytest.raises(AllFailedError, match=f"date={day}"):
            process(candles(f"{day}T10:00+05:30", 5), beyond_coverage="raise")


def test_calendars_by_rule_and_by_weekdays_assume_nothing():
    for calendar in (load_calendar("24/7"), load_calendar("XNSE", beyond_coverage="weekdays")):
        assert not calendar.sessions().day_provisional.any()


def test_files_and_the_store_mark_them_too(tmp_path):
    frame = candles("2026-11-08T18:15+05:30", 60)
    source = tmp_path / "in.parquet"
    frame.write_parquet(source)
    report = AnalyticsEngine("XNSE").process_files(source, tmp_path / "out.csv", "1d", "")
    assert (report.bars, len(report.provisional)) == (1, 1)
    facts = tmp_path / "facts.toml"
    facts.write_text(MUHURAT.replace("19:15", "19:00"))
    with open_store(tmp_path / "store", create=True) as store:
        store.write(read_candles(frame), source_timeframe="1m")
        guess = AnalyticsEngine("XNSE", store=store)
        for _ in range(2):  # the second comes out of the cache
            found = guess.query("A", "1d", indicators="")
            assert found.frame["candles"].to_list() == [60]
            assert len(found.provisional) == 1
        # Engines may share what they keep; an answer of other facts is none.
        known = AnalyticsEngine("XNSE", store=store, calendar_dates=facts, cache=guess.cache)
        found = known.query("A", "1d", indicators="")
        assert (found.frame["candles"].to_list(), len(found.provisional)) == ([45], 0)


def test_a_live_engine_goes_on():
    live = LiveEngine(("1d",), "", calendar="XNSE")
    live.advance(datetime.fromisoformat("2027-01-04T09:20+05:30"))
    update = live.update(candles("2027-01-04T09:15+05:30", 5))
    assert update.frames["1d"]["candles"].to_list() == [5]
    assert update.report.quarantined == 0
    assert update.provisional["1d"]["instrument"].to_list() == ["A"]


def test_coverage_marks_them_and_a_downloader_is_not_stopped():
    calendars = CalendarAssignment("XNSE")
    rows = candles("2026-11-06T09:15+05:30", 375).rename({"symbol": "instrument"})
    asked: Any = {"now": us("2027-01-05T20:00+05:30"), "start": date(2026, 11, 6)}
    found = coverage(rows, calendars, **asked)
    marked = found.filter(pl.col("kind") == "provisional").select("session", "expected").rows()
    assert marked == [
        (date(2026, 11, 8), None),
        (date(2027, 1, 1), 375),
        (date(2027, 1, 4), 375),
        (date(2027, 1, 5), 375),
    ]
    with pytest.warns(TallowWarning, match="date=2026-11-08; a session is announced"):
        wanted = missing_segments(rows, calendars, **asked)
    # Of the days between, but of the date without hours nobody can say what it lacks.
    sessions = found.filter(pl.col("expected") == 375).height - 1
    assert wanted["candles"].sum() == 375 * sessions


def test_the_warning_says_what_comes_after():
    text = str(coverage_warning(load_calendar("XNSE"), date(2027, 1, 5)))
    assert "ended 5 days ago; later sessions, to 2028-02-04, are assumed and marked" in text
