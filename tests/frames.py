"""What tests of frames share: candles to run, and comparing frames bit by bit."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from tallow.core.calendars import Calendar
from tallow.data.reading.schema import CANDLE_SCHEMA, TIME_TYPE
from tallow.data.simulate import simulate_blocks

MINUTE = timedelta(minutes=1)


def moment(text: str) -> datetime:
    """Return the instant, in UTC, that ISO text with an offset names."""
    return datetime.fromisoformat(text).astimezone(UTC)


def simulate_candles(
    instruments: int, sessions: int, *, calendar: Calendar, start: date, seed: int = 0
) -> pl.DataFrame:
    """Return the blocks of `simulate_blocks` as one frame."""
    blocks = simulate_blocks(instruments, sessions, calendar=calendar, start=start, seed=seed)
    return pl.concat(blocks, rechunk=True)


def minutes(start: str, count: int, step: int = 1) -> list[datetime]:
    """Return `count` instants from `start` on, `step` minutes apart."""
    first = moment(start)
    return [first + step * k * MINUTE for k in range(count)]


def candles(
    instrument: str, times: Iterable[datetime], seed: int = 1, volume: float | None = None
) -> pl.DataFrame:
    """Return candles at `times` with prices on ticks of 0.05, and volume unless one is given."""
    draw = random.Random(seed)
    rows: list[tuple[Any, ...]] = []
    close = 100.0 + draw.randrange(400)
    for time in times:
        opened = close + 0.05 * draw.randrange(-3, 4)
        close = opened + 0.05 * draw.randrange(-9, 10)
        high = max(opened, close) + 0.05 * draw.randrange(4)
        low = min(opened, close) - 0.05 * draw.randrange(4)
        units = draw.uniform(1.0, 9_000.0) if volume is None else volume
        rows.append((instrument, time, opened, high, low, close, units))
    return pl.DataFrame(rows, schema=CANDLE_SCHEMA, orient="row")


def market(
    names: Sequence[str], start: str = "2025-06-02T09:15+05:30", rows: int = 120, seed: int = 7
) -> pl.DataFrame:
    """Return candles of several instruments, each with a third of the minutes missing."""
    frames = []
    for place, name in enumerate(names):
        draw = random.Random(seed + place)
        times = [time for time in minutes(start, rows) if draw.random() < 0.67]
        frames.append(candles(name, times, seed + place))
    return pl.concat(frames).sort("instrument", "timestamp")


def flat_candle(instrument: str, time: str, price: float, volume: float) -> pl.DataFrame:
    """Return one candle whose four prices are the same."""
    row = (instrument, moment(time), price, price, price, price, volume)
    return pl.DataFrame([row], schema=CANDLE_SCHEMA, orient="row")


def local(times: pl.Series, zone: str = "Asia/Kolkata") -> list[str]:
    """Return times as a clock on the wall shows them."""
    return times.dt.convert_time_zone(zone).dt.strftime("%Y-%m-%d %H:%M").to_list()


def assert_same_frame(left: pl.DataFrame, right: pl.DataFrame) -> None:
    """Assert equal columns, the same null mask, and equal int64 views of all other values."""
    assert left.schema == right.schema
    assert len(left) == len(right)
    for name in left.columns:
        a, b = left[name], right[name]
        assert a.is_null().equals(b.is_null()), f"{name}: null masks differ"
        if a.dtype == pl.Float64:
            a, b = bits(a), bits(b)
        assert a.equals(b), f"{name}: values differ"


def bits(column: pl.Series) -> pl.Series:
    """Return a float64 column's values as int64, nulls as zero."""
    return pl.Series(column.fill_null(0.0).to_numpy().view(np.int64))


def times_column(times: Sequence[datetime]) -> pl.Series:
    return pl.Series("timestamp", times, dtype=TIME_TYPE)
