"""Goal: a downloader is sent for exactly what is missing, in as few segments as can be.

Method: ranges worked out by hand on NSE's calendar. A walk over every minute of random histories is
in `test_coverage_twin`.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import (
    RangeError,
    TallowWarning,
)
from tallow.data.coverage.missing import missing_segments
from tests.frames import candles, local, minutes, moment

NSE = CalendarAssignment("XNSE")
NOBODY = candles("A", [])


def us(text: str) -> int:
    return int(moment(text).timestamp()) * 1_000_000


LATE = us("2026-06-01T00:00+05:30")


def full_day(day: str, instrument: str = "A") -> pl.DataFrame:
    return candles(instrument, minutes(f"{day}T09:15+05:30", 375))


def segments(frame: pl.DataFrame) -> list[tuple[str, str, str, int]]:
    """Return segments with their times as a clock in India shows them."""
    columns = frame["instrument"], local(frame["start"]), local(frame["end"]), frame["candles"]
    return list(zip(*columns, strict=True))


def test_a_back_fill_is_one_segment_over_nights_weekends_and_holidays():
    wanted: dict[str, Any] = {"start": date(2025, 3, 27), "end": date(2025, 4, 3)}
    found = missing_segments(NOBODY, NSE, now=LATE, instruments=["B", "A"], **wanted)
    whole = ("2025-03-27 09:15", "2025-04-03 15:30", 5 * 375)
    assert segments(found) == [("A", *whole), ("B", *whole)]


def test_what_is_there_splits_a_segment():
    rows = pl.concat([full_day("2025-06-03"), full_day("2025-06-04")])
    rows = rows.filter(pl.col("timestamp") != moment("2025-06-04T10:00+05:30"))
    found = missing_segments(rows, NSE, now=LATE, start=date(2025, 6, 2), end=date(2025, 6, 5))
    assert segments(found) == [
        ("A", "2025-06-02 09:15", "2025-06-02 15:30", 375),
        ("A", "2025-06-04 10:00", "2025-06-04 10:01", 1),
        ("A", "2025-06-05 09:15", "2025-06-05 15:30", 375),
    ]


def test_an_update_reaches_from_the_last_candle_to_the_last_closed_minute():
    rows = pl.concat(
        [candles("A", minutes("2025-06-06T09:20+05:30", 369)), full_day("2025-06-05", "B")]
    )
    found = missing_segments(rows, NSE, now=us("2025-06-09T09:17:40+05:30"))
    assert segments(found) == [
        ("A", "2025-06-06 15:29", "2025-06-09 09:17", 3),
        ("B", "2025-06-06 09:15", "2025-06-09 09:17", 377),
    ]
    assert segments(missing_segments(rows, NSE, now=us("2025-06-06T15:29:59+05:30")))[0][0] == "B"


def test_instants_cut_anywhere_and_other_instruments_do_not_matter():
    rows = pl.concat([full_day("2025-06-02"), full_day("2025-06-03", "B")])
    found = missing_segments(
        rows,
        NSE,
        now=LATE,
        start=moment("2025-06-03T15:27:30+05:30"),
        end=moment("2025-06-04T09:16+05:30"),
        instruments=["A"],
    )
    assert segments(found) == [("A", "2025-06-03 15:28", "2025-06-04 09:16", 3)]


def test_the_last_date_that_is_known_can_be_asked_for():
    last: dict[str, Any] = {"start": date(2026, 12, 31), "end": date(2026, 12, 31)}
    for time, wanted in (("09:15", 0), ("23:00", 1)):
        now = us(f"2026-12-31T{time}+05:30")
        assert len(missing_segments(NOBODY, NSE, now=now, instruments=["A"], **last)) == wanted


def test_no_request_spans_more_than_a_provider_takes():
    found = missing_segments(
        NOBODY,
        NSE,
        now=LATE,
        start=date(2025, 1, 1),
        end=date(2025, 12, 31),
        instruments=["A"],
        longest=timedelta(days=60),
    )
    assert ((found["end"] - found["start"]) <= timedelta(days=60)).all()
    # 249 sessions, of which Muhurat's has 60 minutes.
    assert found["candles"].sum() == 248 * 375 + 60
    assert len(found) == 7
    assert segments(found)[0][1:3] == ("2025-01-01 09:15", "2025-02-28 15:30")
    assert segments(found)[1][1] == "2025-03-03 09:15"


def test_what_a_provider_did_not_have_is_not_asked_for_again():
    rows = full_day("2025-06-02").gather_every(3)
    wanted: dict[str, Any] = {"start": date(2025, 6, 2), "end": date(2025, 6, 3)}
    first = missing_segments(NOBODY, NSE, now=LATE, instruments=["A"], **wanted)
    assert segments(first) == [("A", "2025-06-02 09:15", "2025-06-03 15:30", 750)]
    assert len(missing_segments(rows, NSE, now=LATE, **wanted)) == 125
    assert len(missing_segments(rows, NSE, now=LATE, asked=first, **wanted)) == 0
    later: dict[str, Any] = {"start": date(2025, 6, 2), "end": date(2025, 6, 4)}
    assert segments(missing_segments(rows, NSE, now=LATE, asked=first, **later)) == [
        ("A", "2025-06-04 09:15", "2025-06-04 15:30", 375)
    ]


def test_daily_candles_are_fetched_once_their_session_is_over():
    rows = candles("A", [moment("2026-11-06T00:00+05:30"), moment("2026-11-08T00:00+05:30")])
    monday = ("A", "2026-11-09 00:00", "2026-11-09 15:30", 1)
    for time, wanted in (("15:29", []), ("15:30", [monday])):
        now = us(f"2026-11-09T{time}+05:30")
        found = missing_segments(rows, NSE, now=now, source_timeframe="1d", start=date(2026, 11, 6))
        assert segments(found) == wanted


def test_a_session_of_unknown_hours_is_left_out_and_told():
    with pytest.warns(TallowWarning, match="date=2026-11-08; a session is announced.*left out"):
        found = missing_segments(
            full_day("2026-11-06"),
            CalendarAssignment("XNSE", beyond="raise"),
            now=us("2026-11-09T09:16+05:30"),
            start=date(2026, 11, 6),
        )
    assert segments(found) == [("A", "2026-11-09 09:15", "2026-11-09 09:16", 1)]


def test_a_range_of_too_many_candles_is_an_error():
    with pytest.raises(RangeError, match="must be at most"):
        missing_segments(
            NOBODY,
            CalendarAssignment("24/7"),
            now=LATE,
            start=date(1990, 1, 1),
            instruments=["A"],
        )
