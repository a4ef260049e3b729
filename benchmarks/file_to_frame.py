"""From a Parquet file of one-minute candles to a frame of five-minute bars with the default set."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

import tallow
from benchmarks.market import CALENDAR
from benchmarks.measure import TIMING_COLUMNS, Figure, Outcome, Timing, take_turns
from benchmarks.peers import (
    COLUMNS,
    pandas_floor,
    pandas_resample,
    polars_dynamic_bars,
    polars_talib,
)
from benchmarks.settings import Settings

RELATIVE = 1e-6
"""Peers' sums run on over the whole column: their deviations carry that much dust."""

SIZES = ["5m", "15m", "30m", "1h", "1d"]
TALLOW, FIVE, READ = "Tallow", f"Tallow, {' '.join(SIZES)}", "Polars reads the file"
TALIB, DYNAMIC = "Polars + polars-talib", "the same, group_by_dynamic"
RESAMPLE, FLOOR = "pandas resample + TA-Lib", "pandas floor, groupby + TA-Lib"


def measure(settings: Settings) -> Outcome:
    """Measure Tallow against reading alone, Polars + polars-talib, and pandas + TA-Lib."""
    check_peers(settings)
    market = settings.market
    path, part = market.main_file, market.some(settings.peer_instruments)
    engine = tallow.AnalyticsEngine(calendar=CALENDAR)
    whole: dict[str, Callable[[], object]] = {
        READ: lambda: pl.read_parquet(path),
        TALLOW: lambda: engine.process_candles(path, "5m").frame,
        FIVE: lambda: engine.process_candles(path, SIZES),
        TALIB: lambda: polars_talib(path),
        DYNAMIC: lambda: polars_talib(path, polars_dynamic_bars),
    }
    some: dict[str, Callable[[], object]] = {
        RESAMPLE: lambda: pandas_resample(part),
        FLOOR: lambda: pandas_floor(part),
    }
    rows = market.rows(path)
    timings = take_turns(whole, settings.rounds, rows)
    for name, timing in take_turns(some, settings.rounds, market.rows(part)).items():
        timings[name] = timing.scaled(name, rows)
    return Outcome(
        "file-to-frame",
        f"File to frame: {rows:,} one-minute candles in Parquet to 5m bars, default set",
        TIMING_COLUMNS,
        [timing.cells() for timing in timings.values()],
        _figures(timings),
        (
            f"pandas: measured on {market.rows(part):,} of the rows, whole instruments; scaled.",
            f"All results agree within {RELATIVE:g}.",
        ),
    )


def _figures(timings: dict[str, Timing]) -> list[Figure]:
    own = timings[TALLOW].median
    times_faster = {name: timing.median / own for name, timing in timings.items()}
    return [
        Figure(f"Tallow's time / {READ}", 1.0 / times_faster[READ], target=1.4),
        Figure("five timeframes / 5m alone", times_faster[FIVE], target=1.5),
        Figure(f"{TALIB} / Tallow's time", times_faster[TALIB], target=2.5, better="higher"),
        Figure(f"{DYNAMIC} / Tallow's time", times_faster[DYNAMIC], better="higher"),
        Figure(f"{RESAMPLE} / Tallow's time", times_faster[RESAMPLE], target=20, better="higher"),
        Figure(f"{FLOOR} / Tallow's time", times_faster[FLOOR], better="higher"),
    ]


def check_peers(settings: Settings) -> None:
    """Assert that every peer computes what Tallow does: nobody is fast by leaving work out."""
    path = settings.market.some(min(20, settings.peer_instruments))
    engine = tallow.AnalyticsEngine(calendar=CALENDAR, convention="talib")
    expected = engine.process_candles(path, "5m").frame
    peers = {
        TALIB: polars_talib(path),
        DYNAMIC: polars_talib(path, polars_dynamic_bars),
        RESAMPLE: pl.from_pandas(pandas_resample(path)),
        FLOOR: pl.from_pandas(pandas_floor(path)),
    }
    for name, frame in peers.items():
        _assert_same(name, frame, expected)


def _assert_same(name: str, frame: pl.DataFrame, expected: pl.DataFrame) -> None:
    keys = [pl.col("instrument"), pl.col("timestamp").dt.epoch("us")]
    assert frame.select(keys).equals(expected.select(keys)), f"{name}: other bars"
    for column in ("open", "high", "low", "close", "volume", *COLUMNS):
        own = expected[column].to_numpy()
        is_close = np.isclose(frame[column].to_numpy(), own, RELATIVE, 0.0, equal_nan=True)
        # A band's width of zero, on a frozen day, is dust where sums run on.
        is_close |= np.abs(frame[column].to_numpy() - own) < RELATIVE
        assert is_close.all(), f"{name}: {column} differs in {np.sum(~is_close)} rows"
