"""Goal: an instrument whose segment changes on a date trades by each in its time.

Method: a stock that gets a closing auction: its hours before and after, from the exchange's notice.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from tallow import AnalyticsEngine, load_calendar
from tallow.core.errors import CalendarError

AUCTION = "XNSE, XNSE:cash-eligible-for-closing-auction from 2026-09-10"


def close(name: str, day: date) -> str:
    session = load_calendar(name).session(day)
    assert session is not None
    return f"{session.segments[-1][1]:%H:%M}"


def test_the_segment_changes_on_its_date():
    # 15:30 and 15:15 in India.
    assert close(AUCTION, date(2026, 9, 9)) == "10:00"
    assert close(AUCTION, date(2026, 9, 10)) == "09:45"
    calendar = load_calendar(AUCTION)
    assert (calendar.first_date, calendar.last_date) == (date(2015, 1, 1), date(2026, 12, 31))
    assert load_calendar(AUCTION.replace("XNSE,", "nse:cash-other ,")) is calendar
    late = calendar.session(date(2027, 1, 4))
    assert late is not None
    assert late.provisional


def test_one_instrument_has_it_and_the_others_do_not():
    engine = AnalyticsEngine({"A": AUCTION, "*": "XNSE"})
    times = [
        datetime(2026, 9, day, 9, 30, tzinfo=UTC) + timedelta(minutes=k)
        for day in (9, 10)
        for k in range(30)
    ]
    frame = pl.concat(
        pl.DataFrame({"symbol": name, "ts": times}).with_columns(
            open=1.0, high=1.0, low=1.0, close=1.0, volume=5.0
        )
        for name in ("A", "B")
    )
    result = engine.process_candles(frame, "1d", "")
    assert result.frame["candles"].to_list() == [30, 15, 30, 30]
    assert result.report.candles.outside_session == 15


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("XNSE, XNSE:derivatives", "each name after the first needs a date"),
        ("XNSE, XBOM from 2026-02-30", "each name after the first needs a date"),
        ("XNSE, XBOM from 2026-03-02, XNSE from 2026-03-02", "later than the one before"),
        ("XNSE, XNYS from 2026-03-02", "XNYS is of America/New_York, XNSE:cash-other of Asia"),
        ("XNSE, MCX from 2020-03-02", "MCX covers 2025-01-01"),
        ("XNSE, NSEE from 2020-03-02", "did you mean"),
    ],
)
def test_what_cannot_be_is_told(name, message):
    with pytest.raises(CalendarError, match=message):
        load_calendar(name)
