"""The kernels of the library that the old system used, cinar/indicator v1.3.0.

Lists of floats in, one value for each out, in either order of time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def sma(length: int, values: Sequence[float]) -> list[float]:
    """Return the mean of the last `length` values; of all so far if there are fewer."""
    means, total = [], 0.0
    for number, value in enumerate(values):
        total += value
        if number >= length:
            total -= values[number - length]
        means.append(total / min(number + 1, length))
    return means


def ema(length: int, values: Sequence[float]) -> list[float]:
    """Return the exponential mean, which begins at the first value."""
    means: list[float] = []
    weight = 2.0 / (1 + length)
    for value in values:
        means.append(value * weight + means[-1] * (1.0 - weight) if means else value)
    return means


def rma(length: int, values: Sequence[float]) -> list[float]:
    """Return Wilder's mean; the mean of all so far in the first `length` values."""
    means, mean = [], 0.0
    for number, value in enumerate(values):
        count = min(number, length - 1)
        mean = (mean * count + value) / (count + 1)
        means.append(mean)
    return means


def rsi(length: int, closes: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return the relative strength and its index, in this order.

    The relative strength is NaN while nothing has moved, infinite while nothing has fallen.
    """
    gains, losses = [0.0], [0.0]
    for row in range(1, len(closes)):
        change = closes[row] - closes[row - 1]
        gains.append(max(change, 0.0))
        losses.append(max(-change, 0.0))
    means = zip(rma(length, gains), rma(length, losses), strict=True)
    strength = [_ratio(gain, loss) for gain, loss in means]
    return strength, [100.0 - 100.0 / (1.0 + each) for each in strength]


def atr(
    length: int, highs: Sequence[float], lows: Sequence[float], closes: Sequence[float]
) -> tuple[list[float], list[float]]:
    """Return the true range and its simple mean, in this order.

    It takes the close of the same bar, so that the range is never more than high minus low.
    """
    ranges = [
        max(high - low, high - close, close - low)
        for high, low, close in zip(highs, lows, closes, strict=True)
    ]
    return ranges, sma(length, ranges)


def _ratio(part: float, whole: float) -> float:
    if whole:
        return part / whole
    return math.inf if part > 0.0 else math.nan
