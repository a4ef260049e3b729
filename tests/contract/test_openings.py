"""Goal: an opening range is that of its session's first minutes, whatever the session's hours.

Method: sessions of a usual day, of an evening of an hour, across midnight and of a market that
never closes, from their calendars; high and low of the first minutes are counted here.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

import tallow
from tallow.core.calendars import load_calendar
from tallow.core.errors import ParameterError

MINUTE_US = 60_000_000
SESSIONS = [
    ("XNSE", date(2025, 7, 18)),
    # Muhurat: an hour in the evening.
    ("XNSE", date(2024, 11, 1)),
    ("MCX", date(2025, 7, 18)),
    # From 17:00 in New York, over midnight there and in UTC.
    ("FX", date(2025, 7, 17)),
    ("24/7", date(2025, 7, 18)),
]


def candles(name: str, day: date, minutes: int = 60) -> pl.DataFrame:
    """Return the first minutes of a session, and the last ones of the session before it."""
    table = load_calendar(name).sessions()
    place = int(np.searchsorted(table.day_date, np.datetime64(day)))
    assert table.day_date[place] == np.datetime64(day)
    steps = np.arange(minutes) * MINUTE_US
    times = np.concatenate(
        [table.day_close[place - 1] - steps[:0:-1], table.day_open[place] + steps]
    )
    draw = np.random.default_rng(7)
    close = 500.0 + draw.integers(-40, 41, len(times)) / 4
    return pl.DataFrame(
        {
            "instrument": ["A"] * len(times),
            "timestamp": pl.Series(times).cast(pl.Datetime("us", "UTC")),
            "open": close,
            "high": close + 1.0,
            "low": close - 1.0,
            "close": close,
            "volume": [10.0] * len(times),
        }
    )


@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m"])
@pytest.mark.parametrize(("calendar", "day"), SESSIONS, ids=str)
def test_a_range_is_that_of_the_first_minutes(calendar: str, day: date, timeframe: str) -> None:
    rows = candles(calendar, day)
    first = rows.tail(60).head(30)
    engine = tallow.AnalyticsEngine(calendar=calendar)
    bars = engine.process_candles(rows, timeframe, ["opening_range(30, 3)", "atr(3)"]).frame
    begin, over = first["timestamp"][0], first["timestamp"][-1]
    early = bars.filter(pl.col("timestamp").is_between(begin, over))
    late = bars.filter(pl.col("timestamp") > over)
    assert len(early) == len(late) == 30 // int(timeframe[:-1])
    assert early["opening_range_30_3"].null_count() == len(early)
    assert set(late["opening_high_30_3"]) == {first["high"].max()}
    assert set(late["opening_low_30_3"]) == {first["low"].min()}
    wide = late["opening_high_30_3"] - late["opening_low_30_3"]
    assert late["opening_range_30_3"].to_list() == wide.to_list()
    assert late["opening_range_atr_30_3"].to_list() == (wide / late["atr_3"]).to_list()


def test_a_session_whose_first_minutes_are_missing_has_no_range() -> None:
    rows = candles("XNSE", date(2025, 7, 18))
    late = rows.head(59).vstack(rows.tail(30))
    engine = tallow.AnalyticsEngine(calendar="XNSE")
    bars = engine.process_candles(late, "5m", "opening_range(30)").frame
    assert bars.tail(6)["opening_high_30_14"].null_count() == 6


@pytest.mark.parametrize("timeframe", ["10m", "1h"])
def test_bars_that_do_not_fit_into_the_minutes_are_refused(timeframe: str) -> None:
    engine = tallow.AnalyticsEngine(calendar="XNSE")
    with pytest.raises(ParameterError, match=r"minutes=15; must be a whole number of bars"):
        engine.process_candles(candles("XNSE", date(2025, 7, 18)), timeframe, "opening_range(15)")
    with pytest.raises(ParameterError, match=r"minutes=15; must be a whole number of bars"):
        tallow.LiveEngine(timeframe, "opening_range(15)")


def test_a_day_has_no_value_and_is_no_mistake() -> None:
    engine = tallow.AnalyticsEngine(calendar="XNSE")
    bars = engine.process_candles(
        candles("XNSE", date(2025, 7, 18)), "1d", "opening_range(15)"
    ).frame
    assert bars["opening_range_15_14"].null_count() == len(bars)
