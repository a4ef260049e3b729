"""What tests of candle patterns share: candles in which all of them occur, and TA-Lib's answers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import talib

from tallow.core.arrays import Floats

NAMES = tuple(name for name in talib.get_functions() if name.startswith("CDL"))
"""TA-Lib's functions."""

COLUMNS = {name: f"cdl_{name.removeprefix('CDL').lower()}" for name in NAMES}
PRICES = ("open", "high", "low", "close")
TICK = 1 / 64
"""A power of two: sums of such prices are exact, so that no running sum drifts, theirs included."""

BUILT: Mapping[str, str] = {
    # Open, high, low and close in ticks, after candles with bodies of 4 in ranges of 10.
    "CDL3STARSINSOUTH": "90 91 45 70 | 80 82 64 72 | 74 74 73 73",
    "CDLCONCEALBABYSWALL": "90 90 80 80 | 80 80 70 70 | 66 74 60 62 | 75 78 55 56",
    "CDLMATHOLD": "60 81 59 80 | 84 86 81 82 | 81 82 77 78 | 79 80 75 76 | 78 90 77 88",
    "CDLBREAKAWAY": "90 91 74 75 | 70 71 66 68 | 68 69 63 65 | 65 66 61 62 | 62 73 61 72",
}
"""Patterns that are rare among drawn candles."""


def drawn(rows: int, seed: int) -> dict[str, Floats]:
    """Return candles of few sizes, with gaps, equal ends and bodies without height."""
    draw = np.random.default_rng(seed)
    gap = draw.integers(-9, 10, rows) * (draw.random(rows) < 0.3)
    body = draw.choice([0, 1, 2, 3, 9, 14], rows) * draw.choice([-1, 1], rows)
    close = 4096 + np.cumsum(gap + body)
    upper, lower = (draw.choice([0, 0, 0, 1, 3, 7], rows) for _ in range(2))
    opened = close - body
    high, low = np.maximum(opened, close) + upper, np.minimum(opened, close) - lower
    given = zip(PRICES, (opened, high, low, close), strict=True)
    return {name: np.ascontiguousarray(column * TICK) for name, column in given}


def built(name: str) -> dict[str, Floats]:
    """Return the candles of a rare pattern, after twenty usual ones."""
    usual = [(70, 75, 65, 74), (74, 79, 69, 70)] * 10
    own = [tuple(map(int, candle.split())) for candle in BUILT[name].split("|")]
    table = np.array([*usual, *own]).T * TICK
    return {name: np.ascontiguousarray(row) for name, row in zip(PRICES, table, strict=True)}


def theirs(name: str, rows: Mapping[str, Floats], **parameters: float) -> Floats:
    """Return what TA-Lib's function gives; 0 also before it has values."""
    found: Floats = getattr(talib, name)(*(rows[each] for each in PRICES), **parameters)
    return found.astype(np.float64)
