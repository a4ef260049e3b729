"""Goal: real candles, ingested in the worst of orders, come out as the clean file, and so do bars.

Method: the clean file is cut into shuffled chunks; some come twice, some wrong first, some are
deleted and come again. An oracle keeps the last that was written of each key. On the way the store
is read as of earlier moments, and an engine that remembers its earlier answers is asked for random
ranges: it must give what the core gives on the oracle's candles. At the end these are the file's.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import polars as pl
import pytest

from tallow import AnalyticsEngine, read_candles
from tallow.data.store.store import Store, open_store
from tests.data.store.campaign import lower_limits, seed_of
from tests.frames import assert_same_frame

KEY = ["instrument", "timestamp"]
Event = tuple[Literal["write", "delete"], pl.DataFrame]


def wrong(rows: pl.DataFrame, draw: random.Random) -> pl.DataFrame:
    """Return candles that a feed may have sent before it corrected itself."""
    prices = pl.col("open", "high", "low", "close")
    return rows.with_columns(draw.choice([prices * 1.25, pl.col("volume") + 1.0]))


def events(clean: pl.DataFrame, draw: random.Random, mean_rows: int) -> list[Event]:
    """Return what happens to a store until it holds the clean candles."""
    shuffled = clean.sample(fraction=1.0, shuffle=True, seed=draw.randrange(2**32))
    told: list[tuple[float, Event]] = []
    start = 0
    while start < len(shuffled):
        size = 1 + int(draw.expovariate(1 / mean_rows))
        rows = shuffled[start : start + size]
        start += size
        story: list[Event] = draw.choice(
            [
                [("write", rows)],
                [("write", rows), ("write", rows.sample(fraction=0.5, seed=size))],
                [("write", wrong(rows, draw)), ("write", rows)],
                [("write", rows), ("delete", rows.select(KEY)), ("write", rows)],
                [("delete", rows.select(KEY)), ("write", wrong(rows, draw)), ("write", rows)],
            ]
        )
        # Each chunk's story in its order, and all stories at the same time.
        told += zip(sorted(draw.random() for _ in story), story, strict=True)
    return [event for _, event in sorted(told, key=lambda each: each[0])]


@dataclass
class Oracle:
    """The last that was written of each key, after each write."""

    states: list[pl.DataFrame]
    received: list[int] = field(default_factory=lambda: [0])

    def apply(self, store: Store, event: Event) -> None:
        kind, rows = event
        kept = self.states[-1].join(rows, on=KEY, how="anti")
        if kind == "write":
            store.write(
                rows.sample(fraction=1.0, shuffle=True, seed=len(rows)), source_timeframe="1m"
            )
            kept = pl.concat([kept, rows])
        else:
            store.delete(rows)
        self.states.append(kept.sort(KEY))
        self.received.append(store.last_received())


def question(draw: random.Random, candles: pl.DataFrame) -> dict[str, Any]:
    """Return the arguments of a random query."""
    times, names = candles["timestamp"], candles["instrument"].unique().sort().to_list()
    start: datetime = times[draw.randrange(len(times))]
    end = start + timedelta(minutes=draw.choice([1, 45, 375, 1_440, 10_080]))
    by_date = draw.random() < 0.3
    return {
        "instruments": draw.choice([None, names, draw.sample(names, 1)]),
        "timeframe": draw.choice(["1m", "3m", "5m", "7m", "15m", "1h", "1d", "1w"]),
        "start": draw.choice([None, start.date() if by_date else start]),
        "end": draw.choice([None, end.date() if by_date else end]),
        "indicators": draw.choice(["default", "rsi(14), macd(3, 5, 2)", "sma(50)", "ema(9)"]),
    }


def ingest_and_ask(store: Store, clean: pl.DataFrame, draw: random.Random, asked: int) -> None:
    """Ingest the clean candles in a bad order; look back, and ask, along the way and at the end."""
    engine = AnalyticsEngine(calendar="XNSE", store=store)
    oracle = Oracle([clean.clear()])
    told = events(clean, draw, mean_rows=300)
    for number, event in enumerate(told):
        oracle.apply(store, event)
        if draw.random() < asked / (2 * len(told)) and len(oracle.states[-1]):
            ask(engine, oracle.states[-1], question(draw, oracle.states[-1]))
            back = draw.randrange(number + 2)
            then = store.read(known_at=oracle.received[back])
            assert_same_frame(then, oracle.states[back])
    assert_same_frame(oracle.states[-1], clean)
    assert_same_frame(store.read(), clean)
    for _ in range(asked // 2):
        ask(engine, clean, question(draw, clean))


def ask(engine: AnalyticsEngine, candles: pl.DataFrame, arguments: dict[str, Any]) -> None:
    wanted = engine.process_candles(read_candles(candles), **arguments).frame
    for _ in ("computed", "remembered"):
        assert_same_frame(engine.query(**arguments).frame, wanted)


def test_shuffled_repeated_and_corrected_candles(reference, tmp_path, request, monkeypatch):
    lower_limits(monkeypatch)
    clean = read_candles(reference / "data" / "candles_1m.csv").frame
    with open_store(tmp_path, create=True) as store:
        ingest_and_ask(store, clean, random.Random(seed_of(request)), asked=20)
        store.compact()
        assert_same_frame(store.read(), clean)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(10))
def test_many_such_histories(reference, tmp_path, request, monkeypatch, part):
    if part % 2:
        lower_limits(monkeypatch)
    clean = read_candles(reference / "data" / "candles_1m.csv").frame
    with open_store(tmp_path, create=True) as store:
        ingest_and_ask(store, clean, random.Random(seed_of(request) + part), asked=200)
