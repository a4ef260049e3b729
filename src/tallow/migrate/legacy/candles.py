"""What the old system's parts pass each other: candles, series, rows; and how it rounds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TypeVar

INDIA = timezone(timedelta(hours=5.5))

MINUTE, DAY = 60, 86_400
"""In seconds, as all times here: of a candle's open, since 1970 UTC."""

Series = list[tuple[int, float]]
"""Values with their times, in the order of the candles they were computed from."""

Row = dict[str, float]
"""A bar as it is answered or stored, under the old names; ``timestamp`` among them."""


T = TypeVar("T")


@dataclass(slots=True)
class Candle:
    """A candle of a minute or a day, or a bar; prices in rupees, volume in units."""

    timestamp: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    open_interest: float = 0.0


def rounded(value: float, digits: int) -> float:
    """Round half away from zero; what is not finite stays."""
    if not math.isfinite(value):
        return value
    scale = 10.0**digits
    scaled = abs(value) * scale
    whole = math.floor(scaled)
    # Not floor(scaled + 0.5): that sum itself rounds, and takes 0.49999999999999994 up.
    if scaled - whole >= 0.5:
        whole += 1
    return -whole / scale if value < 0.0 else whole / scale


def finite(value: float) -> float:
    """Return 0 in place of NaN and infinity."""
    return value if math.isfinite(value) else 0.0


def between(candles: Iterable[Candle], first: float, last: float) -> list[Candle]:
    """Return the candles of a time, both ends included, as SQL's BETWEEN does."""
    return [candle for candle in candles if first <= candle.timestamp <= last]


def newest_first(rows: Sequence[T]) -> list[T]:
    """Return ascending rows from the newest to the oldest."""
    return list(reversed(rows))


def in_india(timestamp: float) -> datetime:
    """Return a time as the exchange's clocks show it."""
    return datetime.fromtimestamp(timestamp, INDIA)
