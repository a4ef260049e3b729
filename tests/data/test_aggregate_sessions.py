"""Goal: bars open and close where a person with NSE's timetable expects them.

Method: literal days, every expected time written as a clock in Mumbai (or New York, or Tokyo) shows
it; no expected value is computed.
"""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from tallow import AnalyticsEngine, read_candles
from tallow.core.errors import AllFailedError, CalendarError, TimeframeError
from tests.frames import candles, flat_candle, local, market, minutes

NSE_DAY = 375
CLOSING_AUCTION = "XNSE:cash-eligible-for-closing-auction"


def bars(frame, timeframe, calendar="XNSE", **options):
    final_at = options.pop("final_at", None)
    return AnalyticsEngine(calendar, **options).process_candles(
        frame, timeframe, (), final_at=final_at
    )


def day(text, rows=NSE_DAY, name="A"):
    return candles(name, minutes(f"{text}T09:15+05:30", rows))


@pytest.mark.parametrize(
    ("timeframe", "opens", "candles_in_last"),
    [
        ("1h", ["09:15", "10:15", "11:15", "12:15", "13:15", "14:15", "15:15"], 15),
        ("2h", ["09:15", "11:15", "13:15", "15:15"], 15),
        ("4h", ["09:15", "13:15"], 135),
        ("125m", ["09:15", "11:20", "13:25"], 125),
        ("24h", ["09:15"], 375),
        ("1d", ["09:15"], 375),
    ],
)
def test_a_day_on_nse(timeframe, opens, candles_in_last):
    frame = bars(day("2025-06-02"), timeframe).frame
    assert local(frame["timestamp"]) == [f"2025-06-02 {time}" for time in opens]
    assert frame["candles"].to_list()[-1] == candles_in_last
    assert frame["is_final"].all()


def test_seven_minutes_do_not_divide_the_day():
    frame = bars(day("2025-06-02"), "7m").frame
    assert local(frame["timestamp"])[:3] == [f"2025-06-02 09:{m}" for m in (15, 22, 29)]
    assert local(frame["timestamp"])[-1] == "2025-06-02 15:26"
    assert frame["candles"].to_list()[-1] == 4


def test_a_bar_opens_where_its_bucket_does_though_its_first_minutes_are_missing():
    frame = bars(day("2025-06-02").slice(8, 4), "5m").frame
    assert local(frame["timestamp"]) == ["2025-06-02 09:20", "2025-06-02 09:25"]
    assert frame["candles"].to_list() == [2, 2]


def test_weeks_start_on_monday_and_months_on_the_first():
    """2025-03-31 (Monday) is a holiday, and 2025-03-14 (Friday), and 2025-06-01 is a Sunday."""
    days = ["2025-03-13", "2025-03-28", "2025-04-01", "2025-04-04", "2025-06-02", "2025-06-30"]
    frame = pl.concat([day(each, 2) for each in days])
    weekly = bars(frame, "1w").frame
    assert local(weekly["timestamp"]) == [
        "2025-03-10 09:15",
        "2025-03-24 09:15",
        "2025-04-01 09:15",
        "2025-06-02 09:15",
        "2025-06-30 09:15",
    ]
    assert weekly["candles"].to_list() == [2, 2, 4, 2, 2]
    monthly = bars(frame, "1mo").frame
    assert local(monthly["timestamp"]) == [
        "2025-03-03 09:15",
        "2025-04-01 09:15",
        "2025-06-02 09:15",
    ]


def test_a_split_session_starts_buckets_anew_but_is_one_day():
    """2024-03-02: 09:15 to 10:00 and 11:30 to 12:30, for a drill at the recovery site."""
    parts = [minutes("2024-03-02T09:10+05:30", 60), minutes("2024-03-02T11:25+05:30", 70)]
    frame = candles("A", [time for part in parts for time in part])
    hourly = bars(frame, "1h")
    assert local(hourly.frame["timestamp"]) == ["2024-03-02 09:15", "2024-03-02 11:30"]
    assert hourly.frame["candles"].to_list() == [45, 60]
    assert hourly.report.candles.outside_session == 25
    assert bars(frame, "1d").frame["candles"].to_list() == [105]


def test_muhurat_belongs_to_its_evening():
    """2024-11-01: closed by day, 18:00 to 19:00."""
    frame = candles(
        "A", minutes("2024-11-01T09:15+05:30", 2) + minutes("2024-11-01T18:00+05:30", 60)
    )
    result = bars(frame, "1d")
    assert local(result.frame["timestamp"]) == ["2024-11-01 18:00"]
    assert result.frame["candles"].to_list() == [60]
    assert result.report.candles.outside_session == 2


def test_new_york_opens_at_half_past_nine_before_and_after_the_clocks_change():
    times = minutes("2025-03-07T14:30+00:00", 390) + minutes("2025-03-10T13:30+00:00", 390)
    frame = bars(candles("A", times), "4h", "XNYS").frame
    assert local(frame["timestamp"], "America/New_York") == [
        "2025-03-07 09:30",
        "2025-03-07 13:30",
        "2025-03-10 09:30",
        "2025-03-10 13:30",
    ]
    assert frame["candles"].to_list() == [240, 150, 240, 150]


def test_tokyo_has_lunch():
    frame = bars(candles("A", minutes("2025-06-02T09:00+09:00", 390)), "2h", "XTKS").frame
    assert local(frame["timestamp"], "Asia/Tokyo") == [
        "2025-06-02 09:00",
        "2025-06-02 11:00",
        "2025-06-02 12:30",
        "2025-06-02 14:30",
    ]
    assert frame["candles"].to_list() == [120, 30, 120, 60]


def test_what_never_closes_starts_its_buckets_at_midnight_utc():
    frame = bars(candles("BTC", minutes("2025-05-31T22:00+00:00", 300, step=7)), "4h", "24/7").frame
    assert local(frame["timestamp"], "UTC")[:3] == [
        "2025-05-31 20:00",
        "2025-06-01 00:00",
        "2025-06-01 04:00",
    ]


# Sessions whose hours changed, or are not known


def test_from_august_2026_continuous_trading_ends_early_for_some():
    frame = day("2026-08-03")
    early, usual = bars(frame, "15m", CLOSING_AUCTION), bars(frame, "15m")
    assert local(early.frame["timestamp"])[-1] == "2026-08-03 15:00"
    assert early.report.candles.outside_session == 15
    assert local(usual.frame["timestamp"])[-1] == "2026-08-03 15:15"
    assert bars(day("2026-07-31"), "15m", CLOSING_AUCTION).report.candles.outside_session == 0


@pytest.mark.parametrize(
    ("final_at", "final"),
    [
        ("2026-11-06T15:30+05:30", False),
        ("2026-11-08T23:59+05:30", False),
        ("2026-11-09T00:00+05:30", True),
    ],
)
def test_a_week_that_ends_with_unknown_hours_lasts_to_the_end_of_that_date(final_at, final):
    """Muhurat of 2026, a Sunday, is announced without its hours."""
    weekly = bars(day("2026-11-06"), "1w", final_at=final_at).frame
    assert weekly["is_final"].to_list() == [final]
    assert local(weekly["timestamp"]) == ["2026-11-02 09:15"]


@pytest.mark.twin
def test_rows_in_unknown_hours_are_set_aside():
    muhurat = candles("M", minutes("2026-11-08T18:15+05:30", 10))
    frame = pl.concat([day("2026-11-06", 10), day("2026-11-06", 10, "M"), muhurat])
    result = bars(frame, "5m", beyond_coverage="raise")
    assert (result.report.candles.in_bars, result.report.candles.not_covered) == (20, 10)
    assert result.frame["instrument"].to_list() == ["A", "A", "M", "M"]
    with pytest.raises(AllFailedError) as failed:
        bars(muhurat, "5m", beyond_coverage="raise")
    assert str(failed.value) == (
        "M: "
        "calendar XNSE:cash-other: date=2026-11-08; a session is announced, its hours are not "
        "known; add them in a TOML file given as calendar_dates=: [[session]], date = 2026-11-08, "
        'open = "HH:MM", close = "HH:MM"'
    )


def test_hours_from_a_file_put_that_right(tmp_path):
    facts = tmp_path / "facts.toml"
    facts.write_text('[[session]]\ndate = 2026-11-08\nopen = "18:15"\nclose = "19:15"\n')
    muhurat = candles("M", minutes("2026-11-08T18:10+05:30", 10))
    result = bars(muhurat, "5m", calendar_dates=facts)
    assert local(result.frame["timestamp"]) == ["2026-11-08 18:15"]
    assert result.report.candles.outside_session == 5


@pytest.mark.twin
@pytest.mark.parametrize(
    ("start", "date"),
    [
        ("2014-12-31T09:15+05:30", "2014-12-31"),
        ("1800-01-01T12:00+00:00", "1800-01-01"),
    ],
)
def test_rows_in_years_without_facts_fail_their_instrument(start, date):
    with pytest.raises(AllFailedError, match=f"date={date}; covers 2015-01-01..2026-12-31"):
        bars(candles("A", minutes(start, 2)), "5m", beyond_coverage="raise")


def test_weekdays_may_stand_in_for_missing_facts():
    frame = pl.concat([day("2014-12-22"), candles("A", minutes("2014-12-27T09:15+05:30", 3))])
    result = bars(frame, "1d", beyond_coverage="weekdays")
    assert local(result.frame["timestamp"]) == ["2014-12-22 09:15"]
    assert result.report.candles.outside_session == 3


# Which calendar


def test_each_instrument_trades_by_its_own_calendar():
    engine = AnalyticsEngine({"AAPL": "XNYS", "FUT": ("XNSE", "derivatives"), "*": "XNSE"})
    times = minutes("2025-06-02T13:30+00:00", 30)
    frame = pl.concat([candles("AAPL", times), candles("FUT", times), day("2025-06-02", 20, "TCS")])
    result = engine.process_candles(frame, "15m", ())
    assert result.frame["instrument"].to_list() == ["AAPL", "AAPL", "TCS", "TCS"]
    assert result.report.candles.outside_session == 30
    assert result.report.failures == {}


@pytest.mark.twin
def test_an_instrument_that_the_mapping_forgets_fails():
    frame = pl.concat([day("2025-06-02", 20, name) for name in ("TCS", "WIPRO")])
    result = AnalyticsEngine({"TCS": "XNSE"}).process_candles(frame, "5m", "vwap")
    assert set(result.frame["instrument"]) == {"TCS"}
    assert result.report.failures == {
        "WIPRO": "calendar: the mapping does not name this instrument; "
        'add it, or "*" for all others'
    }


@pytest.mark.parametrize("calendar", [{}, "XNSX", {"*": "XNSE:cash"}])
def test_calendars_that_do_not_exist(calendar):
    with pytest.raises(CalendarError):
        AnalyticsEngine(calendar)


# Final or forming


def test_the_last_bar_is_final_when_its_last_minute_is_there():
    assert bars(day("2025-06-02", 9), "5m").frame["is_final"].to_list() == [True, False]
    assert bars(day("2025-06-02", 10), "5m").frame["is_final"].to_list() == [True, True]


def test_rows_that_make_no_bar_show_that_time_has_passed():
    """A filler, and an auction print at 15:40, end the bars before them."""
    some = day("2025-06-02", 6)
    filler = flat_candle("A", "2025-06-02T09:24+05:30", some["close"][-1], 0.0)
    assert bars(pl.concat([some, filler]), "5m").frame["is_final"].all()
    auction = flat_candle("A", "2025-06-02T15:40+05:30", 100.0, 7.0)
    assert bars(pl.concat([some, auction]), "1d").frame["is_final"].all()
    assert not bars(some, "1d").frame["is_final"].any()


def test_each_instrument_ends_with_its_own_last_row():
    frame = pl.concat([day("2025-06-02", 375, "A"), day("2025-06-02", 3, "B")])
    assert bars(frame, "1d").frame["is_final"].to_list() == [True, False]


def test_final_at_decides_for_all():
    frame = day("2025-06-02", 20)
    final_at = datetime(2025, 6, 2, 3, 55, tzinfo=UTC)
    for moment in (final_at, "2025-06-02T09:25:00+05:30"):
        assert bars(frame, "5m", final_at=moment).frame["is_final"].to_list() == [
            True,
            True,
            False,
            False,
        ]


# Coarser candles


@pytest.mark.twin
def test_rows_off_the_source_timeframes_grid_are_quarantined():
    times = [*minutes("2025-06-02T09:15+05:30", 3, step=5), *minutes("2025-06-02T09:33+05:30", 1)]
    read = read_candles(candles("A", times), source_timeframe="5m")
    result = bars(read, "15m")
    assert result.frame["candles"].to_list() == [3]
    assert result.report.candles.off_grid == 1
    assert result.report.quarantine.select("instrument", "timestamp", "rule").rows() == [
        ("A", times[-1], "off_grid")
    ]
    # 15 minutes of data have passed, and the stray row is at 09:33.
    assert result.frame["is_final"].to_list() == [True]


@pytest.mark.parametrize(
    ("source", "target"),
    [("5m", "1m"), ("5m", "7m"), ("1d", "5m"), ("1w", "1mo"), ("1mo", "1w"), ("1w", "1d")],
)
def test_a_target_must_be_a_multiple_of_the_source(source, target):
    with pytest.raises(
        TimeframeError, match=f"timeframe: {target} from source_timeframe={source};"
    ):
        bars(read_candles(market(["A"]), source_timeframe=source), target)


def test_daily_candles_make_weeks_and_months_by_their_date():
    """Any time of the date will do: midnight, the open, or the evening."""
    frame = pl.concat(
        [
            flat_candle("A", "2025-03-28T00:00+05:30", 10.0, 1.0),
            flat_candle("A", "2025-03-31T00:00+05:30", 99.0, 1.0),
            flat_candle("A", "2025-04-01T09:15+05:30", 11.0, 2.0),
            flat_candle("A", "2025-04-04T23:59+05:30", 12.0, 4.0),
        ]
    )
    read = read_candles(frame, source_timeframe="1d")
    weekly = bars(read, "1w")
    assert local(weekly.frame["timestamp"]) == ["2025-03-24 09:15", "2025-04-01 09:15"]
    assert weekly.frame["volume"].to_list() == [1.0, 6.0]
    assert weekly.frame["is_final"].to_list() == [True, True]
    # 2025-03-31 was a holiday: a candle of that date cannot be right.
    assert weekly.report.candles.outside_session == 1
    assert bars(read, "1mo").frame["close"].to_list() == [10.0, 12.0]


def test_a_daily_row_on_a_day_off_shows_only_that_this_day_has_come():
    """Saturday 2025-06-28; the month ends with Monday's session."""
    friday = flat_candle("A", "2025-06-27T00:00+05:30", 10.0, 1.0)
    saturday = flat_candle("A", "2025-06-28T00:00+05:30", 10.0, 1.0)
    read = read_candles(pl.concat([friday, saturday]), source_timeframe="1d")
    assert bars(read, "1w").frame["is_final"].to_list() == [True]
    assert bars(read, "1mo").frame["is_final"].to_list() == [False]


def test_weekly_and_monthly_candles_may_be_dated_on_a_holiday():
    """Monday 2025-03-31 had no session, and 2025-06-01 was a Sunday."""
    week = read_candles(flat_candle("A", "2025-03-31T00:00+05:30", 1.0, 1.0), source_timeframe="1w")
    assert local(bars(week, "1w").frame["timestamp"]) == ["2025-04-01 09:15"]
    month = read_candles(
        flat_candle("A", "2025-06-01T00:00+05:30", 1.0, 1.0), source_timeframe="1mo"
    )
    assert local(bars(month, "1mo").frame["timestamp"]) == ["2025-06-02 09:15"]
