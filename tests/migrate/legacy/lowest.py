"""The job that finds the lowest band widths; the API and the monitor read its file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from tallow.migrate.legacy.candles import Candle, TimedValues, in_india

LENGTH = 20
WIDTH_MIN = 0.001
"""Narrower bands do not count."""

P10_MIN = 0.01


@dataclass(frozen=True)
class QuietDay:
    """A day's low percentiles of the width, and its least width, in rupees at two digits."""

    day: date
    p10: float
    p15: float
    lowest: float


def quietest_day(bars: Sequence[Candle]) -> QuietDay | None:
    """Return the day with the lowest tenth percentile of the width; None where there is none.

    Parameters
    ----------
    bars
        Five-minute bars, ascending. Windows go on over nights.
    """
    by_day: dict[date, list[float]] = {}
    for time, width in sample_widths(bars):
        if width > WIDTH_MIN:
            by_day.setdefault(in_india(time).date(), []).append(width)
    days = [_quiet_day(day, sorted(widths)) for day, widths in by_day.items()]
    able = [day for day in days if day.p10 >= P10_MIN and day.p15 > 0.0]
    return min(able, key=lambda day: day.p10, default=None)


def sample_widths(bars: Sequence[Candle]) -> TimedValues:
    """Return band widths by the SAMPLE deviation, 1.026 times those that they are compared with."""
    widths: TimedValues = []
    for last in range(LENGTH, len(bars) + 1):
        window = [bar.close for bar in bars[last - LENGTH : last]]
        mean = math.fsum(window) / LENGTH
        squares = math.fsum((close - mean) ** 2 for close in window)
        deviation = math.sqrt(squares / (LENGTH - 1))
        widths.append((bars[last - 1].timestamp, (mean + 2 * deviation) - (mean - 2 * deviation)))
    return widths


def smallest_positive(widths: Sequence[float]) -> float:
    """Return the smallest width above zero; the first one where none is smaller."""
    smallest = widths[0]
    for width in widths:
        if 0.0 < width < smallest:
            smallest = width
    return smallest


def _quiet_day(day: date, widths: Sequence[float]) -> QuietDay:
    p10, p15 = (round(_percentile(widths, share), 2) for share in (0.10, 0.15))
    return QuietDay(day, p10, p15, round(widths[0], 2))


def _percentile(rising: Sequence[float], share: float) -> float:
    place = share * (len(rising) - 1)
    low = math.floor(place)
    high = min(low + 1, len(rising) - 1)
    return rising[low] + (rising[high] - rising[low]) * (place - low)
