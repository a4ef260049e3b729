"""Goal: nothing of Tallow's own looks ahead, as `check_leaks` sees it: every indicator, chains,
ranks among instruments, and values anchored at sessions, weeks and months, on simulated and on
real candles.

Method: all declared indicators run beside each other through the engine, under both conventions, at
short and long timeframes; every column must have values, and none may move.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

import tallow
from tallow.core.calendars import load_calendar
from tallow.testing import LeakReport, check_leaks
from tests.frames import simulate_candles
from tests.running import all_indicators
from tests.sizes import sized

CHAINS = "ema(rsi(14), 9), sma(bollinger(20, 2)[upper], 5), sma(20, source=hl2), ema(ema(ema(9)))"
ANCHORS = "vwap(anchor=session), vwap(anchor=week), vwap(anchor=month)"
RANKS = "cs_rank, cs_pct_rank(rsi(14)), cs_zscore(volume), ema(cs_rank(rsi(14)), 9)"
FITTING = {
    "opening_range": "opening_range(60)",
    "squeeze": "squeeze(20, 2, 60)",
    "volatility_state": "volatility_state(10, 50)",
}
"""What has a value in so few bars, and takes whole ones of an hour."""
EVERYTHING = ", ".join(
    [*(FITTING.get(name, name) for name in all_indicators()), CHAINS, ANCHORS, RANKS]
)


def computing(
    indicators: str, timeframe: str, convention: str = "tradingview"
) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Return a function from candles to bars with indicators."""
    engine = tallow.AnalyticsEngine(convention=convention, threads=1)
    return lambda candles: engine.process_candles(candles, timeframe, indicators).frame


def require_clean(report: LeakReport) -> None:
    assert report.is_clean, str(report)
    assert len(report.columns) > len(all_indicators())


@pytest.mark.parametrize(
    ("timeframe", "convention", "sessions"),
    [("5m", "tradingview", 2), ("1m", "talib", 2), ("1h", "tradingview", 18)],
)
def test_no_indicator_looks_ahead(timeframe: str, convention: str, sessions: int) -> None:
    # A week and a month end in between.
    market = simulate_candles(3, sessions, calendar=load_calendar("XNSE"), start=date(2025, 6, 27))
    compute = computing(EVERYTHING, timeframe, convention)
    require_clean(check_leaks(compute, market, moments=sized(8, 30)))


def test_no_indicator_looks_ahead_on_real_candles(reference: Path) -> None:
    candles = tallow.read_candles(reference / "data" / "candles_1m.csv")
    require_clean(check_leaks(computing(EVERYTHING, "5m"), candles, moments=sized(8, 30)))


def test_rows_as_they_are_do_not_look_ahead() -> None:
    engine = tallow.AnalyticsEngine(threads=1)
    market = simulate_candles(2, 2, calendar=load_calendar("XNSE"), start=date(2025, 7, 17))
    report = check_leaks(
        lambda candles: engine.calculate_indicators(candles, EVERYTHING),
        market,
        moments=sized(8, 20),
    )
    require_clean(report)


def test_a_longer_bar_joined_on_its_end_and_final_bars_alone_are_clean() -> None:
    engine = tallow.AnalyticsEngine(threads=1)

    def with_hours(candles: pl.DataFrame) -> pl.DataFrame:
        bars, hours = (engine.process_candles(candles, size, ()).frame for size in ("5m", "1h"))
        opened = pl.col("timestamp")
        close = opened.dt.date().dt.combine(pl.time(10)).dt.replace_time_zone("UTC")
        ends = pl.min_horizontal(opened + pl.duration(hours=1), close)
        known = hours.filter("is_final").select("instrument", ends=ends, hour="close")
        asked = bars.with_columns(ends=opened + pl.duration(minutes=5))
        return asked.join_asof(known, on="ends", by="instrument", check_sortedness=False)

    # The fourth instrument lacks half of its minutes: its bars end late, or without their last one.
    market = simulate_candles(4, 2, calendar=load_calendar("XNSE"), start=date(2025, 7, 17))
    report = check_leaks(with_hours, market, moments=sized(12, 40))
    assert report.is_clean, str(report)
    report = check_leaks(
        lambda candles: with_hours(candles).filter("is_final"), market, moments=sized(12, 40)
    )
    assert report.is_clean, str(report)
