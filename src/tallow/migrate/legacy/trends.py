"""The old system's analysers: trend strength, volatility and trend, of candles of days.

They take candles with the newest first, as all of the old system's answers are. Nothing is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from tallow.migrate.legacy.candles import Candle, between, in_india
from tallow.migrate.legacy.days import previous

EMA_LENGTH = 50
HISTORY_WEEKDAYS = 60
THRESHOLD = 60.0
DAYS_OF_YEAR = 252.0
BULLISH, BEARISH, NEUTRAL = 1.0, -1.0, 0.0


def trend_strength(closes: Sequence[float]) -> float:
    """Return the root of R squared of closes on their places, signed as the slope.

    The newest is the first place: where prices rise, the sign is minus. 0 for less than two closes,
    NaN where all are equal.
    """
    count = len(closes)
    if count < 2:
        return 0.0
    middle, mean = (count - 1) / 2.0, sum(closes) / count
    together = sum((place - middle) * (close - mean) for place, close in enumerate(closes))
    slope = together / sum((place - middle) ** 2 for place in range(count))
    fitted = [mean + slope * (place - middle) for place in range(count)]
    whole = sum((close - mean) ** 2 for close in closes)
    rest = sum((close - line) ** 2 for close, line in zip(closes, fitted, strict=True))
    if not whole:
        return math.nan
    strength = math.copysign(math.sqrt(abs(1.0 - rest / whole)), slope)
    return max(-1.0, min(1.0, strength))


def volatility(closes: Sequence[float]) -> float:
    """Return the population deviation of logarithmic returns, times the root of 252, as a ratio."""
    if len(closes) < 2:
        return 0.0
    returns = [math.log(newer / older) for newer, older in pairwise(closes)]
    mean = sum(returns) / len(returns)
    variance = sum((each - mean) ** 2 for each in returns) / len(returns)
    return math.sqrt(variance) * math.sqrt(DAYS_OF_YEAR)


def trend(averages: Sequence[float | None], closes: Sequence[float]) -> tuple[float, float]:
    """Return the trend of some days, and the percent of closes on their averages' larger side.

    Neutral, and 0 percent, where one of the `averages` could not be computed. A close that is its
    average counts as above.
    """
    below = 0
    for average, close in zip(averages, closes, strict=True):
        if average is None:
            return NEUTRAL, 0.0
        below += close < average
    under = 100.0 * below / len(closes)
    over = 100.0 * (len(closes) - below) / len(closes)
    found = BEARISH if under >= THRESHOLD else BULLISH if over >= THRESHOLD else NEUTRAL
    return found, max(under, over)


def last_averages(days: Sequence[Candle]) -> list[float | None]:
    """Return of each of ascending days the average of the days since 60 weekdays before it."""
    found = []
    for day in days:
        moment = in_india(day.timestamp)
        for _ in range(HISTORY_WEEKDAYS):
            moment = previous(moment)
        history = between(days, moment.timestamp(), day.timestamp)
        found.append(_ema([each.close for each in history]))
    return found


def _ema(closes: Sequence[float]) -> float | None:
    """Return the last exponential mean, which begins with a simple one; None of too few closes."""
    if len(closes) < EMA_LENGTH:
        return None
    mean = sum(closes[:EMA_LENGTH]) / EMA_LENGTH
    for close in closes[EMA_LENGTH:]:
        mean += (close - mean) * 2.0 / (EMA_LENGTH + 1)
    return mean
