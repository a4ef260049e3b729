"""Goal: on real candles we give what TradingView, and the old system's API, gave for them.

Method: TradingView's bands at their four printed decimals, on the closes that TradingView used; the
API's five-minute bars exactly; a day on which nothing moved.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import tallow
from tallow.data.kernels.aggregate import NoTrade
from tests.oracles.reading import CANDLE, columns, records
from tests.running import all_indicators, outputs

FOUR_DECIMALS = 0.5e-4
"""The printed values are rounded: at most half a unit of the last place is lost."""


@pytest.fixture(scope="module")
def candles(reference: Path) -> tallow.Candles:
    return tallow.read_candles(reference / "data" / "candles_1m.csv")


def test_only_what_is_compared_here_is_said_to_be() -> None:
    said = [each.name for each in all_indicators().values() if "tradingview" in each.compared]
    assert said == ["bollinger"]


@pytest.mark.parametrize(("interval", "count"), [("1m", 37), ("5m", 29)])
def test_tradingview_bollinger(reference: Path, interval: str, count: int) -> None:
    folder = reference / "data"
    recovered = records(folder / "tradingview_recovered_closes.csv")
    closes = [row for row in recovered if row["interval"] == interval]
    ours = outputs("bollinger(20, 2)", {"close": columns(closes, "tv_close")["tv_close"]})
    place = {row["ts"]: i for i, row in enumerate(closes)}
    published = records(folder / f"tradingview_bb_{interval}.csv")
    assert len(published) == count
    for row in published:
        i = place[row["ts"]]
        for theirs, name in (
            ("bb_upper", "upper"),
            ("bb_middle", "middle"),
            ("bb_lower", "lower"),
            ("bb_width_pct", "width_percent"),
        ):
            value = pytest.approx(float(row[theirs]), rel=0.0, abs=FOUR_DECIMALS + 1e-9)
            assert ours[name][i] == value, (row["ts"], theirs)


def test_five_minute_bars_of_the_old_api(reference: Path, candles: tallow.Candles) -> None:
    """75 of 75 bars, with the provider's zero-volume fillers kept, as the old system did."""
    published = records(reference / "data" / "legacy_5m_goapi_RAYMOND_20250718.csv")
    keys = {row["instrument_key"] for row in published}
    engine = tallow.AnalyticsEngine(calendar="XNSE", no_trade="keep")
    result = engine.process_candles(candles, "5m", (), instruments=sorted(keys))
    local = pl.col("timestamp").dt.convert_time_zone("Asia/Kolkata").dt.strftime("%Y-%m-%dT%H:%M")
    bars = result.frame.select(local, *CANDLE).rows()
    expected = [(row["ts"][:16], *(float(row[name]) for name in CANDLE)) for row in published]
    assert len(expected) == 75
    assert bars == expected


@pytest.mark.parametrize("convention", ["tradingview", "talib"])
@pytest.mark.parametrize(
    ("timeframe", "no_trade", "rows"),
    [("1m", "keep", 375), ("1m", "drop", 373), ("5m", "keep", 75)],
)
def test_a_frozen_day(
    candles: tallow.Candles, convention: str, timeframe: str, no_trade: NoTrade, rows: int
) -> None:
    """PREMEXPLN on 2025-05-23: every minute closes at 546.20; two of them only fill, untraded."""
    engine = tallow.AnalyticsEngine(calendar="XNSE", convention=convention, no_trade=no_trade)
    result = engine.process_candles(
        candles, timeframe, "default, stddev(20)", instruments="NSE_EQ|INE863B01029"
    )
    local = pl.col("timestamp").dt.convert_time_zone("Asia/Kolkata")
    day = result.frame.filter(local.dt.date() == pl.date(2025, 5, 23))
    assert len(day) == rows
    assert (day["close"] == 546.2).all()
    full_windows = day[19:]
    for name in ("bb_width_20_2", "bb_width_percent_20_2", "stddev_20"):
        np.testing.assert_array_equal(full_windows[name], 0.0)
    for name in ("bb_upper_20_2", "bb_middle_20_2", "bb_lower_20_2", "sma_9"):
        np.testing.assert_array_equal(full_windows[name], 546.2)
    assert day["rsi_14"].is_finite().all()
    assert day["rsi_14"].is_between(0.0, 100.0).all()
