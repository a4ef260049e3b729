"""The old system's candles, series and rows, and its rounding.

Times are those of a candle's open, in seconds since 1970 UTC.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

INDIA = timezone(timedelta(hours=5.5))

TimedValues = list[tuple[int, float]]
"""Values with their times, in the order of their candles."""

LegacyRow = dict[str, float]
"""A bar as it is answered or stored, under the old names, with ``timestamp``."""


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
    """Round half away from zero; values that are not finite are unchanged."""
    if not math.isfinite(value):
        return value
    scale = 10.0**digits
    scaled = abs(value) * scale
    whole = math.floor(scaled)
    # Not floor(scaled + 0.5): that sum is rounded itself, and 0.49999999999999994 would go up.
    if scaled - whole >= 0.5:
        whole += 1
    return -whole / scale if value < 0.0 else whole / scale


def finite(value: float) -> float:
    """Return 0 instead of NaN and infinity."""
    return value if math.isfinite(value) else 0.0


def between(candles: Iterable[Candle], first: float, last: float) -> list[Candle]:
    """Return the candles of a range, both ends included, like SQL's BETWEEN."""
    return [candle for candle in candles if first <= candle.timestamp <= last]


def in_india(timestamp: float) -> datetime:
    """Return a time in the exchange's time zone."""
    return datetime.fromtimestamp(timestamp, INDIA)
