"""Trades that make candles, and the candles that they make."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import polars as pl

from tallow.data.reading.schema import TIME_TYPE
from tests.runtime.live.markets import Key, Values


class Tick(NamedTuple):
    """A trade: microseconds UTC, price, units."""

    time: int
    price: float
    quantity: float


def drawn_ticks(draw: random.Random, minutes: Iterable[Key]) -> list[tuple[Key, Tick]]:
    """Return trades in some minutes, none at one instant, a few without units."""
    return [
        (key, Tick(key[1] + second * 1_000_000, price, float(draw.randrange(20))))
        for key in minutes
        for second in sorted(draw.sample(range(60), draw.choice([1, 2, 5])))
        for price in [100.0 + 0.05 * draw.randrange(40)]
    ]


def folded(ticks: Iterable[Tick]) -> Values:
    """Return the candle of a minute's trades."""
    order = sorted(ticks)
    prices = [tick.price for tick in order]
    volume = sum(tick.quantity for tick in order)
    return Values(prices[0], max(prices), min(prices), prices[-1], volume)


def tick_frame(ticks: Sequence[tuple[Key, Tick]]) -> pl.DataFrame:
    """Return ticks as a frame, in their order."""
    rows = [(key[0], *tick) for key, tick in ticks]
    types = [pl.String(), pl.Int64(), pl.Float64(), pl.Float64()]
    schema = dict(zip(["instrument", "timestamp", "price", "quantity"], types, strict=True))
    return pl.DataFrame(rows, schema, orient="row").cast({"timestamp": TIME_TYPE})
