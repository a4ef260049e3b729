"""Goal: the old system's analysers give what its formulas give, worked out by hand.

Method: a few closes whose lines, deviations and averages are known as fractions. Closes that rise
by one a day lie 24.5 above an average of 50, from its first value on: (24.5 + 1) x 49 / 51 = 24.5.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import isnan, log, sqrt

import numpy as np
import polars as pl
import pytest

from tallow.core.errors import EngineError
from tallow.migrate.engines import load_engine
from tallow.migrate.legacy import trends
from tallow.migrate.legacy.candles import INDIA, Candle
from tallow.migrate.protocol import Request


def weekdays(closes: list[float]) -> list[Candle]:
    """Return days from Monday, 2024-01-01, on."""
    first = np.datetime64("2024-01-01")
    dates = [np.busday_offset(first, k).astype(object) for k in range(len(closes))]
    times = [int(datetime(d.year, d.month, d.day, tzinfo=INDIA).timestamp()) for d in dates]
    return [Candle(t, c, c, c, c, 1.0) for t, c in zip(times, closes, strict=True)]


def test_strength_has_the_sign_of_time_running_backwards() -> None:
    assert trends.trend_strength([3.0, 2.0, 1.0]) == -1.0
    assert trends.trend_strength([1.0, 3.0, 2.0]) == pytest.approx(0.5, abs=1e-15)
    assert trends.trend_strength([5.0]) == trends.trend_strength([]) == 0.0
    assert isnan(trends.trend_strength([7.0, 7.0, 7.0]))


def test_volatility_takes_252_days_and_all_returns() -> None:
    wanted = log(2.0) * sqrt(252.0)
    assert trends.volatility([1.0, 2.0, 1.0]) == pytest.approx(wanted, rel=1e-15)
    assert trends.volatility([2.0]) == 0.0


def test_averages_see_60_weekdays() -> None:
    closes = [100.0 + day for day in range(75)]
    found = trends.last_averages(weekdays(closes))
    assert found[:49] == [None] * 49
    assert found[49:] == pytest.approx([close - 24.5 for close in closes[49:]], rel=1e-12)
    # What lies 61 weekdays back is not seen, whatever it was.
    changed = trends.last_averages(weekdays([1e6, *closes[1:]]))
    assert changed[61:] == found[61:]
    assert changed[60] != found[60]


def test_trend() -> None:
    average: list[float | None] = [10.0] * 5
    assert trends.trend(average, [11.0, 11.0, 10.0, 9.0, 9.0]) == (trends.BULLISH, 60.0)
    assert trends.trend(average, [11.0, 11.0, 9.0, 9.0, 9.0]) == (trends.BEARISH, 60.0)
    assert trends.trend(average[:4], [11.0, 11.0, 9.0, 9.0]) == (trends.NEUTRAL, 50.0)
    assert trends.trend([*average[:4], None], [11.0] * 5) == (trends.NEUTRAL, 0.0)


def candles(closes: list[float]) -> pl.DataFrame:
    """Return daily candles at NSE's open."""
    times = [datetime.fromtimestamp(day.timestamp, INDIA) for day in weekdays(closes)]
    opens = [time + timedelta(hours=9, minutes=15) for time in times]
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), closes)
    frame = pl.DataFrame({"instrument": ["A"] * len(closes), "timestamp": opens, **prices})
    return frame.with_columns(pl.col("timestamp").dt.convert_time_zone("UTC"))


def test_the_engine_answers_for_days() -> None:
    frame = candles([100.0 + day for day in range(75)])
    asked = "trend_strength(3)[strength], realised_volatility(2), trend_state(50, 4), sma(3)"
    request = Request(frame, "1d", asked, source_timeframe="1d", calendar="24/7")
    answer = load_engine("legacy_trends").answer(request)
    assert answer["trend_strength_3"].to_list()[:3] == [0.0, -1.0, -1.0]
    assert answer["trend_state_50_4"].to_list() == [0.0] * 52 + [1.0] * 23
    assert answer["trend_share_50_4"].to_list()[-1] == 100.0
    first = log(101 / 100), log(102 / 101)
    wanted = sqrt(252.0) * (first[0] - first[1]) / 2.0
    assert answer["realised_volatility_2"][2] == pytest.approx(wanted, rel=1e-9)
    assert "sma_3" not in answer.columns
    other = Request(frame, "1d", "trend_state(20, 4)", source_timeframe="1d", calendar="24/7")
    assert "trend_state_20_4" not in load_engine("legacy_trends").answer(other).columns


def test_it_analyses_days_only() -> None:
    request = Request(candles([1.0]), "5m", "trend_strength(3)")
    with pytest.raises(EngineError, match=r"legacy_trends: timeframe=5m; .* 1d only"):
        load_engine("legacy_trends").answer(request)
