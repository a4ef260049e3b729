"""Goal: Renko bricks, volume and dollar bars are those of a plain reading, however candles come.

Method: a twin in plain Python that takes one candle at a time; drawn candles cut into updates at
drawn places; bricks and bars worked out by hand.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from tallow import CandleTransformer, TallowError, transform_candles

START = datetime(2025, 7, 18, 3, 45, tzinfo=UTC)


def candles(rows: list[tuple[str, int, float, float]]) -> pl.DataFrame:
    """Return flat candles of instrument, minute, price and volume."""
    return pl.DataFrame(
        [
            (name, START + timedelta(minutes=minute), *[price] * 4, volume)
            for name, minute, price, volume in rows
        ],
        ["instrument", "timestamp", "open", "high", "low", "close", "volume"],
        orient="row",
    )


def drawn(seed: int) -> list[tuple[str, int, float, float]]:
    draw, rows = random.Random(seed), []
    for name in ("A", "B"):
        price = 100.0
        for minute in range(120):
            price = max(price + draw.choice([0.0, 0.25, -0.25, 1.0, -1.5, 7.0, -6.75]), 1.0)
            if draw.random() < 0.9:
                rows.append((name, minute, price, float(draw.choice([0, 10, 500]))))
    return rows


def bricks(rows: list[tuple[str, int, float, float]], size: float) -> list[Any]:
    """Return instrument, minute, place among its candle's, open, close, volume and candles."""
    made: list[Any] = []
    edges: dict[str, tuple[float, float]] = {}
    since: dict[str, list[float]] = {}
    for name, minute, price, volume in rows:
        # The lowest and highest price of the newest brick; before it, the first close.
        low, high = edges.setdefault(name, (price, price))
        waiting, place = since.setdefault(name, []), 0
        waiting.append(volume)
        while price >= high + size or price <= low - size:
            rises = price >= high + size
            edge = high if rises else low
            low, high = (edge, edge + size) if rises else (edge - size, edge)
            ends = (low, high) if rises else (high, low)
            made.append((name, minute, place, *ends, sum(waiting), len(waiting)))
            waiting.clear()
            place += 1
        edges[name] = low, high
    return made


def bars(rows: list[tuple[str, int, float, float]], size: float, *, dollars: bool) -> list[Any]:
    """Return instrument, first and last minute, open, high, low, close, volume of each bar."""
    made, open_rows = [], dict[str, list[tuple[str, int, float, float]]]()
    for row in rows:
        part = open_rows.setdefault(row[0], [])
        part.append(row)
        if sum(volume * (price if dollars else 1.0) for _, _, price, volume in part) >= size:
            prices = [price for _, _, price, _ in part]
            ends = (part[0][1], part[-1][1])
            shape = (prices[0], max(prices), min(prices), prices[-1])
            made.append((row[0], *ends, *shape, sum(volume for *_, volume in part)))
            part.clear()
    return made


def minutes(frame: pl.DataFrame, name: str) -> list[tuple[int, int]]:
    """Return minutes since the start, and microseconds after them."""
    past = [(time - START) // timedelta(microseconds=1) for time in frame[name]]
    return [divmod(time, 60_000_000) for time in past]


@pytest.mark.parametrize("seed", range(5))
def test_bricks_are_those_of_a_plain_reading(seed):
    rows = drawn(seed)
    found = transform_candles(candles(rows), "renko(1.25)")
    times, (ends, rest) = minutes(found, "timestamp"), zip(*minutes(found, "end"), strict=True)
    columns = (found[name].to_list() for name in ("open", "close", "volume", "candles"))
    minute, place = zip(*times, strict=True)
    got = list(zip(found["instrument"], minute, place, *columns, strict=True))
    assert got == bricks(rows, 1.25)
    assert (ends, set(rest)) == (minute, {0})
    assert (
        found["high"].to_list()
        == found.select(pl.max_horizontal("open", "close"))["open"].to_list()
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("text", "size"), [("volume_bars(900)", 900), ("dollar_bars(7e4)", 7e4)])
def test_traded_bars_are_those_of_a_plain_reading(seed, text, size):
    rows = drawn(seed)
    found = transform_candles(candles(rows), text)
    names = ("open", "high", "low", "close", "volume")
    first, last = ([minute for minute, _ in minutes(found, name)] for name in ("timestamp", "end"))
    columns = (found[name].to_list() for name in names)
    got = list(zip(found["instrument"], first, last, *columns, strict=True))
    assert got == bars(rows, size, dollars="dollar" in text)


@pytest.mark.parametrize("text", ["renko(1.25)", "volume_bars(size=900)", "dollar_bars(7e4)"])
def test_however_candles_are_cut_the_bars_are_the_same(text):
    rows, draw = drawn(9), random.Random(9)
    whole = transform_candles(candles(rows), text)
    transformer, parts, low = CandleTransformer(text), [], 0
    while low < 120:
        high = low + draw.choice([1, 2, 40])
        some = candles([row for row in rows if low <= row[1] < high])
        parts.append(transformer.update(some) if len(some) else whole.clear())
        low = high
    assert pl.concat(parts).sort("instrument", "timestamp").equals(whole)


def test_a_late_candle_changes_nothing_and_is_told():
    transformer = CandleTransformer("renko(1)")
    transformer.update(candles([("A", 3, 100.0, 1.0), ("B", 1, 50.0, 1.0)]))
    with pytest.raises(TallowError, match="instrument='A'; has a candle that is not later"):
        transformer.update(candles([("A", 3, 105.0, 1.0), ("B", 2, 52.0, 1.0)]))
    found = transformer.update(candles([("B", 2, 52.0, 1.0)]))
    assert found["close"].to_list() == [51.0, 52.0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("renko", r"takes one value, size, the price from brick to brick; give renko\(1\)"),
        ("renko(1, 2)", "takes one value"),
        ("renko(box=1)", "takes one value"),
        ("renko(0)", "renko: size=0; must be 1e-09..1e"),
        ("renko(x)", "renko: size=x; must be"),
        ("rengo(1)", "transformer: 'rengo'; unknown; did you mean renko"),
        ("volume_bars(1)[close]", "must read like renko"),
        (7, "must read like renko"),
    ],
)
def test_what_is_no_transformer_is_told(text, why):
    with pytest.raises(TallowError, match=why):
        CandleTransformer(text)


def test_a_size_that_makes_no_end_of_bricks_is_told():
    rows = [("A", 0, 1e9, 1.0), ("A", 1, 2e9, 1.0)]
    with pytest.raises(TallowError, match="size=1e-09; makes more than 16,777,216 bricks"):
        transform_candles(candles(rows), "renko(1e-9)")
