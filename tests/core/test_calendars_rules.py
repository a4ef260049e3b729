"""Goal: BSE, MCX and the week of currencies are as their venues say, night, summer time and all.

Method: hours reckoned plainly with zoneinfo, date by date, and dates from notices, written out.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from tallow import AnalyticsEngine, load_calendar
from tallow.core.errors import CalendarError

NEW_YORK, INDIA = ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")


def hours(name: str, day: str, zone: ZoneInfo = INDIA) -> list[str] | None:
    session = load_calendar(name).session(date.fromisoformat(day))
    if session is None:
        return None
    return [
        "-".join(f"{t.astimezone(zone):%H:%M}" for t in interval) for interval in session.segments
    ]


def test_currencies_trade_from_sunday_to_friday_at_five_in_new_york():
    calendar = load_calendar("FX")
    for offset in range(3 * 366):
        day = date(2023, 12, 30) + timedelta(days=offset)
        session = calendar.session(day)
        if day.weekday() > 4:
            assert session is None
            continue
        five = datetime.combine(day, time(17), NEW_YORK).astimezone(UTC)
        assert session is not None
        # No clock changes between Sunday and Friday at 17:00: all sessions last 24 hours.
        assert session.segments == ((five - timedelta(hours=24), five),)
        assert five.hour == (21 if datetime.combine(day, time(17), NEW_YORK).dst() else 22)
        assert not session.provisional
    assert load_calendar("forex") is calendar


def test_a_day_of_currencies_is_one_bar_and_the_weekend_none():
    start = datetime(2025, 7, 13, 17, tzinfo=NEW_YORK).astimezone(UTC)
    times = [start + timedelta(minutes=k) for k in range(-60, 5 * 1440 + 60)]
    frame = pl.DataFrame({"symbol": "EURUSD", "ts": times}).with_columns(
        open=1.1, high=1.2, low=1.0, close=1.1, volume=1.0
    )
    result = AnalyticsEngine("FX").process_candles(frame, "1d", "")
    assert result.frame["candles"].to_list() == [1440] * 5
    assert result.frame["timestamp"][0] == start
    assert result.report.candles.outside_session == 120
    hourly = AnalyticsEngine("FX").process_candles(frame, "4h", "")
    assert hourly.frame["candles"].to_list() == [240] * 30


def test_own_dates_may_cross_midnight(tmp_path):
    dates = tmp_path / "dates.toml"
    dates.write_text('[[session]]\ndate = 2025-07-14\nopen = "17:00"\nclose = "12:00"\n')
    # Chicago's sessions open on the evening before their date, and so does this one.
    chicago = load_calendar("CMES", calendar_dates=dates).session(date(2025, 7, 14))
    assert chicago is not None
    assert [str(t)[:16] for t in chicago.segments[0]] == ["2025-07-13 22:00", "2025-07-14 17:00"]
    dates.write_text('[[session]]\ndate = 2025-07-14\nopen = "18:00"\nclose = "02:30"\n')
    mumbai = load_calendar("MCX", calendar_dates=dates).session(date(2025, 7, 14))
    assert mumbai is not None
    assert [str(t)[:16] for t in mumbai.segments[0]] == ["2025-07-14 12:30", "2025-07-14 21:00"]
    # It lasts into the next date's session.
    dates.write_text('[[session]]\ndate = 2025-07-14\nopen = "18:00"\nclose = "09:30"\n')
    with pytest.raises(CalendarError, match="date=2025-07-14; its session overlaps that of"):
        load_calendar("MCX", calendar_dates=dates)


def test_mcx_closes_by_the_summer_time_of_the_usa():
    calendar = load_calendar("MCX")
    usual = 0
    for offset in range(730):
        day = date(2025, 1, 1) + timedelta(days=offset)
        session = calendar.session(day)
        if session is None or session.provisional:
            continue
        opens, closes = (t.astimezone(INDIA) for t in session.segments[0])
        # Summer time: from the second Sunday of March to the first Sunday of November.
        march, november = date(day.year, 3, 8), date(day.year, 11, 1)
        begins = march + timedelta(days=(6 - march.weekday()) % 7)
        ends = november + timedelta(days=(6 - november.weekday()) % 7)
        last = "23:30" if begins <= day < ends else "23:55"
        if f"{opens:%H:%M}" == "09:00" and day.weekday() < 5:
            usual += 1
            assert f"{closes:%H:%M}" == last or day in (date(2025, 1, 1), date(2026, 1, 1)), day
    # 522 weekdays; 31 listed holidays, 1 date of unknown hours, and 2 with a morning only.
    assert usual == 522 - 31 - 1 + 2


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-01-01", ["09:00-17:00"]),  # the evening is closed
        ("2026-01-26", None),
        ("2026-03-03", ["17:00-23:55"]),  # the morning is closed
        ("2026-03-26", ["17:00-23:30"]),
        ("2026-11-24", ["17:00-23:55"]),
        ("2025-02-01", ["09:00-17:00"]),  # a Saturday, and the budget
        ("2026-02-01", ["09:00-17:00"]),  # a Sunday, and the budget
        ("2025-10-21", ["13:45-14:45"]),  # Muhurat
    ],
)
def test_mcx_on_holidays_and_budget_days(day, expected):
    assert hours("MCX", day) == expected


@pytest.mark.filterwarnings("ignore")
def test_bse_is_open_where_the_library_says_and_on_its_special_days():
    exchange_calendars = pytest.importorskip("exchange_calendars")
    theirs = exchange_calendars.get_calendar("XBOM", start="2015-01-01", end="2026-12-31")
    listed = {day.date() for day in theirs.schedule.index}
    ours = set(load_calendar("BSE", beyond_coverage="raise").sessions().day_date.tolist())
    assert listed <= ours
    # Muhurat, budget weekends, drills and a day in lieu: the library lacks these.
    assert {str(day) for day in ours - listed} <= {
        *("2015-02-28", "2015-11-11", "2016-10-30", "2017-10-19", "2018-11-07", "2019-10-27"),
        *("2020-02-01", "2020-11-14", "2021-11-04", "2022-10-24", "2023-11-12", "2024-01-20"),
        *("2024-03-02", "2024-05-18", "2024-11-01", "2025-02-01", "2025-10-21", "2026-02-01"),
        "2026-11-08",
    }


def test_bse_traded_on_while_nse_stood_still():
    assert hours("BSE", "2021-02-24") == ["09:15-17:00"]
    assert hours("NSE", "2021-02-24") == ["09:15-11:40", "15:45-17:00"]
    assert hours("BSE:derivatives", "2026-08-03") == ["09:15-15:40"]
    assert hours("BSE", "2026-03-03") is None


@pytest.mark.parametrize(
    ("name", "near"), [("forx", "FOREX"), ("BSEE", "BSE"), ("MXC", "MCX"), ("FXX", "FX")]
)
def test_near_names_are_told(name, near):
    with pytest.raises(CalendarError, match=f"did you mean .*{near}"):
        load_calendar(name)


def test_a_candle_of_before_1990_needs_no_hours():
    frame = pl.DataFrame(
        {"symbol": "IBM", "ts": [datetime(1985, 7, 15, 4, tzinfo=UTC)], "open": [120.0]}
    ).with_columns(high=122.0, low=119.0, close=121.0, volume=1000.0)
    rows = frame.rename({"symbol": "instrument", "ts": "timestamp"})
    from tallow import read_candles

    candles = read_candles(rows, source_timeframe="1d")
    engine = AnalyticsEngine("XNYS", beyond_coverage="weekdays")
    assert engine.process_candles(candles, "1d", "").frame["candles"].to_list() == [1]
    with pytest.raises(Exception, match=r'date=1985-07-15; .*beyond_coverage="weekdays"$'):
        AnalyticsEngine("XNYS").process_candles(candles, "1d", "")
