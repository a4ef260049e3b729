"""Random histories for sequences, as the twin has them and as candles."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import polars as pl
from polars import selectors

import tallow
from tallow.analysis.sequence_result import SequenceResult
from tests.analysis.twin import Asked, Bar, World

HOUR = 3_600_000_000
OPEN = 1_750_000_000_000_000 - 1_750_000_000_000_000 % HOUR
ENGINE = tallow.AnalyticsEngine(calendar="24/7", no_trade="keep")


def make_world(seed: int) -> World:
    """Return hours of up to four instruments: walks, few prices, flat ones, missing ones."""
    draw = random.Random(seed)
    return {name: make_bars(draw) for name in "ABCD"[: draw.randint(1, 4)]}


def make_bars(draw: random.Random) -> list[Bar]:
    few, missing, idle = draw.random() < 0.4, draw.choice((0.0, 0.1)), draw.random() < 0.1
    bars, close = [], 100.0
    for hour in range(draw.randint(1, 90)):
        if draw.random() < missing:
            continue
        opens = draw.choice((90.0, 100.0, 125.0)) if few else close * draw.uniform(0.98, 1.02)
        close = draw.choice((90.0, 100.0, 125.0)) if few else opens * draw.uniform(0.97, 1.03)
        volume = 0.0 if idle else float(draw.choice((0, 1, 3, 10, 50)))
        begin = OPEN + hour * HOUR
        bars.append(Bar(begin, begin + HOUR, opens, close, volume))
    return bars


def candles_of(world: World) -> pl.DataFrame:
    rows = [
        (
            name,
            datetime.fromtimestamp(bar.opens / 1e6, UTC),
            *(bar.open, max(bar.open, bar.close), min(bar.open, bar.close), bar.close, bar.volume),
        )
        for name, bars in world.items()
        for bar in bars
    ]
    names = ["instrument", "timestamp", "open", "high", "low", "close", "volume"]
    kinds = dict.fromkeys(names[2:], pl.Float64)
    schema: dict[str, Any] = {names[0]: pl.String, names[1]: pl.Datetime("us", "UTC"), **kinds}
    return pl.DataFrame(rows, schema=schema, orient="row")


def ask(candles: pl.DataFrame, asked: Asked, **more: Any) -> SequenceResult:
    """Ask an engine what the twin is asked."""
    moves = f"move({asked.length}, {asked.threshold}, {asked.volume_weight})"
    given: dict[str, Any] = {"moves": moves, "horizon": asked.horizon, "split": asked.split}
    return ENGINE.sequences("1h", candles=candles, source_timeframe="1h", **(given | more))


def rows_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return rows with times in microseconds."""
    return frame.with_columns(selectors.datetime(time_zone="*").dt.epoch("us")).to_dicts()
