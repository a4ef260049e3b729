"""Candles that indicators are checked on: what moves, ticks, stands still, jumps or is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from tallow.core.arrays import Flags, Floats

Rows = Mapping[str, Floats]
"""Input columns by name, equally long; NaN where a value is missing."""

WALK_ROWS: Final = 700
"""Enough for whatever takes one row after the other."""


def part(rows: Rows, start: int, stop: int | None = None) -> Rows:
    """Return rows ``start:stop`` of every column."""
    return {name: column[start:stop] for name, column in rows.items()}


def joined(pieces: Sequence[Rows]) -> Rows:
    """Return the pieces one after the other."""
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def length(rows: Rows) -> int:
    """Return how many rows there are."""
    return len(next(iter(rows.values())))


def walk(rows: int = WALK_ROWS, seed: int = 1, price: float = 546.2) -> Rows:
    """Return a random walk without special cases: prices move and volume trades on every row."""
    random = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(random.normal(0.0, 0.002, rows)))
    opened = np.concatenate([[price], close[:-1]]) * np.exp(random.normal(0.0, 0.0005, rows))
    high = np.maximum(opened, close) * (1.0 + np.abs(random.normal(0.0, 0.001, rows)))
    low = np.minimum(opened, close) * (1.0 - np.abs(random.normal(0.0, 0.001, rows)))
    return _candles(opened, high, low, close, random.integers(1, 50_000, rows).astype(np.float64))


def ticking(rows: int = WALK_ROWS, seed: int = 2) -> Rows:
    """Return candles shaped like an illiquid stock's: few ticks, frozen stretches, no volume."""
    random = np.random.default_rng(seed)
    close = (546.2 + 0.05 * np.cumsum(random.integers(-1, 2, rows))).astype(np.float64)
    for start in random.integers(0, rows, 4):
        close[start : start + 40] = close[start]
    opened = np.concatenate([close[:1], close[:-1]])
    high = np.maximum(opened, close) + 0.05 * random.integers(0, 2, rows)
    low = np.minimum(opened, close) - 0.05 * random.integers(0, 2, rows)
    volume = random.integers(0, 500, rows).astype(np.float64) * random.integers(0, 2, rows)
    return _candles(opened, high, low, close, volume)


def wild(rows: int = WALK_ROWS, seed: int = 3) -> Rows:
    """Return huge, tiny and jumping prices, one after the other."""
    stretch = rows // 4
    parts = [
        walk(stretch, seed, price=1e-5),
        walk(stretch, seed + 1, price=1e12),
        walk(stretch, seed + 2, price=0.05),
    ]
    rest = walk(rows - 3 * stretch, seed + 3, price=1.0)
    random = np.random.default_rng(seed)
    jumps = 10.0 ** random.integers(-5, 6, rows - 3 * stretch)
    for name in ("open", "high", "low", "close", "volume"):
        rest[name][:] *= jumps
    return joined([*parts, rest])


def flat(rows: int = WALK_ROWS, price: float = 546.2, volume: float = 100.0) -> Rows:
    """Return candles that never move."""
    still = np.full(rows, price)
    return _candles(still, still.copy(), still.copy(), still.copy(), np.full(rows, volume))


def with_gaps(rows: Rows, missing: Flags) -> Rows:
    """Return `rows` with nothing known of those that `missing` marks."""
    return {name: np.where(missing, np.nan, column) for name, column in rows.items()}


def gaps(rows: int, seed: int = 5) -> Flags:
    """Mark a few single rows and a stretch; two thirds stay whole, for long windows."""
    missing = np.zeros(rows, dtype=np.bool_)
    missing[np.random.default_rng(seed).integers(20, rows // 3, 5)] = True
    missing[rows // 8 : rows // 8 + 6] = True
    missing[0] = True
    return missing


def uneven(rows: int, seed: int = 11) -> Rows:
    """Return candles with ticks, frozen stretches, and gaps of missing rows."""
    half = joined([ticking(rows // 3, seed), walk(rows - rows // 3, seed)])
    return with_gaps(half, gaps(rows, seed))


def _candles(opened: Floats, high: Floats, low: Floats, close: Floats, volume: Floats) -> Rows:
    row = np.arange(len(close))
    return {
        "open": opened,
        "high": high,
        "low": low,
        "close": close,
        "volume": volume,
        # The sessions of five days make a week; numbers as anchors have them.
        "session": (20_000 + row // 75).astype(np.float64),
        "week": (2_800 + row // 375).astype(np.float64),
        "month": (600 + row // 1_000).astype(np.float64),
        # Of a year of such sessions, which differ from year to year.
        "year_rows": (75 * (247 + row // 375 % 5)).astype(np.float64),
        # Of bars of five minutes.
        "minute": (5 * (row % 75)).astype(np.float64),
        "since": np.ones(len(close)),
    }
