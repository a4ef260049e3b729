"""Goal: an answer without a bar is never silent in Python either, and says once why.

Method: three candles of one session and questions that miss them in each way; the warning must name
what is there, at the line that asked.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tallow import AnalyticsEngine, Store, open_store
from tallow.core.errors import EmptyWarning

FRAME = pl.DataFrame(
    {
        "instrument": ["A"] * 3,
        "timestamp": [f"2025-07-18T{time}+05:30" for time in ("09:15", "09:16", "09:20")],
        **{name: [10.0, 11.0, 12.0] for name in ("open", "high", "low", "close")},
        "volume": [100, 200, 300],
    }
)
SPAN = "2025-07-18 09:15 to 2025-07-18 09:20 Asia/Kolkata"
EVENING = FRAME.with_columns(pl.col("timestamp").str.replace("T09", "T19"))


@pytest.mark.parametrize(
    ("candles", "asked", "message"),
    [
        (FRAME.clear(), {}, "no candles: the input holds no row"),
        (EVENING, {}, "19:15 to 2025-07-18 19:20 Asia/Kolkata, lie outside the sessions of XNSE"),
        (FRAME, {"start": "2025-07-21"}, f"none opens in the range; the candles are of {SPAN}"),
    ],
)
def test_a_run_without_a_bar(candles: pl.DataFrame, asked: dict[str, Any], message: str) -> None:
    with pytest.warns(EmptyWarning, match=message) as caught:
        result = AnalyticsEngine().process_candles(candles, "5m", "sma(1)", **asked)
    assert message in result.report.why_empty
    assert [warning.filename for warning in caught] == [__file__]


def test_several_timeframes_say_it_once() -> None:
    with pytest.warns(EmptyWarning) as caught:
        AnalyticsEngine().aggregate_timeframes(EVENING, ["5m", "15m"])
    assert len(caught) == 1


def test_arrays_and_rows_say_it_too() -> None:
    with pytest.warns(EmptyWarning, match="outside the sessions"):
        AnalyticsEngine().calculate_arrays(EVENING, "5m", "sma(1)")
    with pytest.warns(EmptyWarning, match="holds no row"):
        AnalyticsEngine().calculate_indicators(FRAME.clear(), "sma(1)")


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "store", create=True) as store:
        store.write(FRAME, source_timeframe="1m")
        yield store


@pytest.mark.parametrize(
    ("instruments", "calendar", "asked", "message"),
    [
        ("A", "XNSE", {"start": "2025-07-21"}, f"has no candle; those in the store are of {SPAN}"),
        (None, "XNSE", {"start": "2025-07-21"}, f"no candle; those in the store are of {SPAN}"),
        ("A", "XNSE", {"known_at": "2020-01-01T00:00Z"}, "knew none of them at known_at="),
        ("A", "XNYS", {}, "lie outside the sessions of XNYS"),
        (None, "XNSE", {"source_timeframe": "1d", "timeframe": "1d"}, "has 1m raw, and no 1d raw"),
    ],
)
def test_a_query_without_a_bar(
    store: Store, instruments: str | None, calendar: str, asked: dict[str, Any], message: str
) -> None:
    engine = AnalyticsEngine(calendar, store=store)
    for _ in range(2):  # from the store, and from the cache
        with pytest.warns(EmptyWarning, match=message):
            result = engine.query(instruments, indicators="sma(1)", **asked)
        assert message in result.report.why_empty


def test_an_empty_store_says_that_it_is(tmp_path) -> None:
    with open_store(tmp_path / "store", create=True) as store:
        engine = AnalyticsEngine(store=store)
        with pytest.warns(EmptyWarning, match="no bars: the store has none"):
            engine.query()
