"""Minutes made up for a test."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tallow.migrate.legacy.candles import Candle
from tests.migrate.legacy.reading import seconds

OPEN = seconds("2025-07-18T09:15+05:30")
"""A Friday's open, for whoever needs no other day."""


def minutes(closes: Sequence[float], start: int = OPEN, step: int = 60) -> list[Candle]:
    """Return candles that are as high as they are low, of volumes 1, 2, 3 and so on."""
    return [Candle(start + step * i, c, c, c, c, float(i + 1)) for i, c in enumerate(closes)]


def walk(count: int, start: int = OPEN, seed: int = 1) -> list[Candle]:
    """Return minutes that rise and fall by up to half a rupee around 500."""
    draw = random.Random(seed)
    closes = [500.0]
    while len(closes) < count:
        closes.append(round(closes[-1] + draw.uniform(-0.5, 0.5), 2))
    return minutes(closes, start)
