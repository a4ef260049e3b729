"""What tests of range queries share: a market over some months, and what a query must return."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from tallow import AnalyticsEngine
from tallow.data.reading.readers import read_candles
from tallow.data.store.store import Store, open_store
from tests.frames import MINUTE, assert_same_frame, candles

CALENDAR = {"N": "XNYS", "C": "24/7", "*": "XNSE"}
HOURS = {
    "A": ("Asia/Kolkata", "09:07", 390),
    "B": ("Asia/Kolkata", "09:07", 390),
    "IDX": ("Asia/Kolkata", "09:15", 375),
    "N": ("America/New_York", "09:30", 395),
    "C": ("UTC", "00:00", 1440),
}
"""Zone, first minute and minutes: A and B have rows before and after the session too."""
NAMES = tuple(HOURS)
OHLC = ("open", "high", "low", "close")
SPECS = ("default", "sma(9), stddev(5)", "", "macd(3, 5, 2), vwap(week)", "sma(60)")
CHAINS = ("sma(20, source=hl2), sma(9)", "ema(rsi(3), 4), sma(vwap, 3), wma(bb(3)[percent_b], 2)")
"""Of rows that have a value each, and of such as have none midway."""
FIRST = date(2025, 2, 20)
"""Three weeks before New York's clocks change; the months end within."""


def market(seed: int = 1, days: int = 40, share: float = 0.12) -> pl.DataFrame:
    """Return gapped candles of five instruments: with fillers, an index, and open interest.

    Of the candles without volume, about half repeat the close before.

    B starts two weeks later than the others; every instrument misses whole sessions.
    """
    draw = random.Random(seed)
    frames = []
    for place, name in enumerate(NAMES):
        times: list[datetime] = []
        for day in range(14 if name == "B" else 0, days):
            if draw.random() < 0.9:
                part = share / 4 if name == "C" else share
                times += [t for t in _minutes(name, day) if draw.random() < part]
        frame = candles(name, times, seed + place, volume=0.0 if name == "IDX" else None)
        quiet = pl.Series([draw.random() < 0.25 for _ in times])
        known = pl.Series([draw.random() < 0.5 for _ in times])
        again = random.Random(place)
        still = quiet & pl.Series([k > 0 and again.random() < 0.5 for k in range(len(times))])
        last = pl.when(~still).then("close").forward_fill()
        frames.append(
            frame.with_columns(
                *(pl.when(still).then(last).otherwise(name).alias(name) for name in OHLC),
                pl.when(quiet).then(0.0).otherwise("volume").alias("volume"),
                pl.when(known).then(pl.col("volume").round()).alias("open_interest"),
            )
        )
    return pl.concat(frames).sort("instrument", "timestamp")


def _minutes(name: str, day: int) -> list[datetime]:
    zone, opens, count = HOURS[name]
    today = FIRST + timedelta(days=day)
    if today.weekday() > 4 and name != "C":
        return []
    first = datetime.fromisoformat(f"{today}T{opens}").replace(tzinfo=ZoneInfo(zone))
    return [first.astimezone(UTC) + k * MINUTE for k in range(count)]


def new_store(folder: Path) -> Store:
    """Return a store whose clock runs through the market's own weeks, an hour from write to write.

    So what was known at a moment, and which bars had ended by then, depend on each other.
    """
    hours = itertools.count(1)
    begin = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(days=25)
    return open_store(
        folder, create=True, clock=lambda: int(begin.timestamp() + 3600 * next(hours)) * 1_000_000
    )


def new_engine(store: Any, **options: Any) -> AnalyticsEngine:
    """Return an engine that remembers nothing, but for what is on disk."""
    return AnalyticsEngine(**{"calendar": CALENDAR, "threads": 2, **options}, store=store)


def whole(
    engine: AnalyticsEngine,
    store: Store,
    names: Sequence[str] | None,
    timeframe: str,
    start: Any,
    end: Any,
    indicators: Any,
    known_at: datetime | None = None,
    source_timeframe: str = "1m",
) -> pl.DataFrame:
    """Return the bars of all candles that the store knew at `known_at`, cut to the range."""
    moment = None if known_at is None else round(known_at.timestamp() * 1e6)
    frame = store.read(names, source_timeframe=source_timeframe, known_at=moment)
    if not store.has_interest(source_timeframe):
        frame = frame.drop("open_interest")
    rows = read_candles(frame, source_timeframe=source_timeframe)
    limits = {"start": start, "end": end, "final_at": known_at}
    return engine.process_candles(rows, timeframe, indicators, **limits).frame


def assert_as_whole(
    engine: AnalyticsEngine, store: Store, *question: Any, **options: Any
) -> pl.DataFrame:
    """Assert that a query has the same bits as the whole history cut to its range."""
    got = engine.query(*question, **options).frame
    assert_same_frame(got, whole(engine, store, *question, **options))
    return got


def received(store: Store) -> datetime:
    """Return when the newest write was received."""
    return datetime.fromtimestamp(store.last_received() / 1e6, UTC)


def questions(draw: random.Random, receipts: Sequence[datetime], frame: pl.DataFrame) -> Any:
    """Return the arguments of a random query."""
    first: Any = frame["timestamp"].min()
    last: Any = frame["timestamp"].max()
    start = first + draw.random() * (last - first)
    end = start + timedelta(days=draw.choice([0.2, 1, 4, 15, 60]))
    limits = [moment.date() if draw.random() < 0.5 else moment for moment in (start, end)]
    return (
        draw.choice([None, ["A"], ["IDX"], ["N", "C"], ["B", "A", "IDX"], ["C"]]),
        draw.choice(["1m", "5m", "7m", "1h", "1d", "1w", "1mo"]),
        None if draw.random() < 0.1 else limits[0],
        None if draw.random() < 0.2 else limits[1],
        draw.choice([*SPECS, *CHAINS]),
        draw.choice([None, None, *receipts, first + draw.random() * (last - first)]),
    )
