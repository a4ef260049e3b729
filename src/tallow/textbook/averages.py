"""Averages and deviations."""

from __future__ import annotations

from math import isqrt

from tallow.textbook.numbers import atan, degrees, fsum
from tallow.textbook.parts import (
    PRICE,
    VOLUME,
    Column,
    Parameters,
    combine,
    delayed,
    deviation,
    exponential,
    mean,
    over_windows,
    recursive,
    repeated,
    window,
)


@window(PRICE)
def sma(p: Parameters, close: Column) -> tuple[Column, ...]:
    return (over_windows(close, int(p["length"]), mean),)


@window(VOLUME)
def volume_sma(p: Parameters, volume: Column) -> tuple[Column, ...]:
    return sma(p, volume)


@window(PRICE)
def hl2(_: Parameters, *prices: Column) -> tuple[Column, ...]:
    return (combine(lambda *x: fsum(x) / len(x), *prices),)


@window(PRICE)
def hlc3(_: Parameters, *prices: Column) -> tuple[Column, ...]:
    return hl2(_, *prices)


@window(PRICE)
def ohlc4(_: Parameters, *prices: Column) -> tuple[Column, ...]:
    return hl2(_, *prices)


@window(PRICE)
def wma(p: Parameters, close: Column) -> tuple[Column, ...]:
    def weighted(part: list[float]) -> float:
        weights = range(1, len(part) + 1)
        return fsum(w * x for w, x in zip(weights, part, strict=True)) / sum(weights)

    return (over_windows(close, int(p["length"]), weighted),)


@recursive(PRICE)
def ema(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    return (exponential(close, int(p["length"]), 2.0 / (int(p["length"]) + 1)),)


@recursive(PRICE)
def rma(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    return (exponential(close, int(p["length"]), 1.0 / int(p["length"])),)


@window(0.0)
def stddev(p: Parameters, close: Column) -> tuple[Column, ...]:
    return (over_windows(close, int(p["length"]), deviation),)


@window(still=(PRICE, PRICE, PRICE, 0.0, 0.0, None), zeros=(0.0, 0.0, 0.0, 0.0, None, None))
def bollinger(p: Parameters, close: Column) -> tuple[Column, ...]:
    n, times = int(p["length"]), float(p["multiplier"])
    middle = over_windows(close, n, mean)
    reach = over_windows(close, n, deviation)
    upper = combine(lambda m, d: m + times * d, middle, reach)
    lower = combine(lambda m, d: m - times * d, middle, reach)
    width = combine(lambda d: 2.0 * times * d, reach)
    percent = combine(lambda w, m: 100.0 * w / m if m else None, width, middle)
    place = combine(lambda c, l, w: (c - l) / w if w else None, close, lower, width)
    return upper, middle, lower, width, percent, place


@recursive(PRICE)
def dema(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    first, second = repeated(close, int(p["length"]), 2)
    return (combine(lambda a, b: 2.0 * a - b, first, second),)


@recursive(PRICE)
def tema(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    first, second, third = repeated(close, int(p["length"]), 3)
    return (combine(lambda a, b, c: 3.0 * a - 3.0 * b + c, first, second, third),)


@recursive(PRICE)
def zlema(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    n = int(p["length"])
    lag = (n - 1) // 2
    moved = [2.0 * x - close[i] for i, x in enumerate(close[lag:])]
    return (delayed(lag, exponential(moved, n, 2.0 / (n + 1)))[: len(close)],)


@window(PRICE)
def trima(p: Parameters, close: Column) -> tuple[Column, ...]:
    """Straight from the weights, which rise to the middle and fall again: 1, 2, 3, 2, 1."""

    def triangular(part: list[float]) -> float:
        weights = [min(k + 1, len(part) - k) for k in range(len(part))]
        return fsum(w * x for w, x in zip(weights, part, strict=True)) / sum(weights)

    return (over_windows(close, int(p["length"]), triangular),)


@window(PRICE)
def hma(p: Parameters, close: Column) -> tuple[Column, ...]:
    n = int(p["length"])
    (half,), (whole,) = (wma({"length": m}, close) for m in (n // 2, n))
    return wma({"length": isqrt(n)}, combine(lambda a, b: 2.0 * a - b, half, whole))


@window(PRICE)
def midpoint(p: Parameters, close: Column) -> tuple[Column, ...]:
    return (over_windows(close, int(p["length"]), lambda part: (max(part) + min(part)) / 2.0),)


@window(PRICE)
def midprice(p: Parameters, high: Column, low: Column) -> tuple[Column, ...]:
    highest = over_windows(high, int(p["length"]), max)
    lowest = over_windows(low, int(p["length"]), min)
    return (combine(lambda a, b: (a + b) / 2.0, highest, lowest),)


# The line of least squares


def line_of(part: list[float]) -> tuple[float, float]:
    """Return the mean of a window and its line's rise a row."""
    middle, average = (len(part) - 1) / 2.0, mean(part)
    spread = fsum((k - middle) ** 2 for k in range(len(part)))
    rise = fsum((k - middle) * (x - average) for k, x in enumerate(part)) / spread
    return average, rise


@window(still=(PRICE, 0.0, PRICE, 0.0))
def linreg(p: Parameters, close: Column) -> tuple[Column, ...]:
    n = int(p["length"])
    average = over_windows(close, n, lambda part: line_of(part)[0])
    slope = over_windows(close, n, lambda part: line_of(part)[1])
    end = combine(lambda a, b: a + b * (n - 1) / 2.0, average, slope)
    begin = combine(lambda a, b: a - b * (n - 1) / 2.0, average, slope)
    return end, slope, begin, combine(lambda b: degrees(atan(b)), slope)


@window(PRICE)
def tsf(p: Parameters, close: Column) -> tuple[Column, ...]:
    end, slope, *_ = linreg(p, close)
    return (combine(lambda a, b: a + b, end, slope),)


@window(None)
def r_squared(p: Parameters, close: Column) -> tuple[Column, ...]:
    def share(part: list[float]) -> float | None:
        if min(part) == max(part):
            return None
        average, rise = line_of(part)
        middle = (len(part) - 1) / 2.0
        explained = fsum((rise * (k - middle)) ** 2 for k in range(len(part)))
        return explained / fsum((x - average) ** 2 for x in part)

    return (over_windows(close, int(p["length"]), share),)
