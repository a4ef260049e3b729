"""What volume is part of."""

from __future__ import annotations

from tallow.textbook.numbers import fsum
from tallow.textbook.parts import (
    PRICE,
    VOLUME,
    Column,
    Parameters,
    combine,
    hidden,
    over_windows,
    recursive,
    window,
)


@recursive(PRICE, zeros=None)
def vwap(
    p: Parameters,
    high: list[float],
    low: list[float],
    close: list[float],
    volume: list[float],
    period: list[float],
) -> tuple[Column, ...]:
    result: Column = []
    start = 0
    for i in range(len(close)):
        if period[i] != period[i - 1]:
            start = i
        rows = range(start, i + 1)
        if p["source"] == "hlc3":
            prices = [(high[j] + low[j] + close[j]) / 3.0 for j in rows]
        else:
            prices = [close[j] for j in rows]
        units = fsum(volume[j] for j in rows)
        traded = fsum(price * volume[j] for price, j in zip(prices, rows, strict=True))
        result.append(traded / units if units else None)
    return (result,)


@recursive(0.0, talib=VOLUME)
def obv(p: Parameters, close: list[float], volume: list[float]) -> tuple[Column, ...]:
    result: Column = []
    for i, x in enumerate(close):
        if i == 0:
            result.append(volume[0] if p["first"] == "volume" else 0.0)
            continue
        rises, falls = x > close[i - 1], x < close[i - 1]
        result.append(fsum([result[-1] or 0.0, volume[i] * (rises - falls)]))
    return (result,)


@window(PRICE, zeros=None)
def vwma(p: Parameters, close: Column, volume: Column) -> tuple[Column, ...]:
    n = int(p["length"])
    traded = combine(lambda x, units: x * units, close, volume)
    units = over_windows(hidden(volume, close), n, fsum)
    return (combine(lambda t, u: t / u if u else None, over_windows(traded, n, fsum), units),)


@recursive(PRICE, zeros=None)
def anchored_vwap(
    p: Parameters,
    high: list[float],
    low: list[float],
    close: list[float],
    volume: list[float],
    since: list[float],
) -> tuple[Column, ...]:
    first = next((i for i, is_past in enumerate(since) if is_past), len(since))
    prices = close if p["source"] == "close" else thirds(high, low, close)
    return (means_since([first] * len(close), prices, volume),)


@recursive(PRICE, zeros=None)
def event_vwap(
    p: Parameters,
    high: list[float],
    low: list[float],
    close: list[float],
    volume: list[float],
    source: list[float],
) -> tuple[Column, ...]:
    starts, start = [], len(source)
    for i, x in enumerate(source):
        if (i == 0 or x != source[i - 1]) if p["event"] == "change" else x != 0.0:
            start = i
        starts.append(start)
    return (means_since(starts, thirds(high, low, close), volume),)


def thirds(high: list[float], low: list[float], close: list[float]) -> list[float]:
    """Return the mean of three prices of each row."""
    return [(h + l + c) / 3.0 for h, l, c in zip(high, low, close, strict=True)]


def means_since(starts: list[int], prices: list[float], volume: list[float]) -> Column:
    """Return the mean price of a unit traded from a row's start on, which may not be there yet."""
    result: Column = []
    for i, start in enumerate(starts):
        units = fsum(volume[start : i + 1])
        traded = fsum(prices[j] * volume[j] for j in range(start, i + 1))
        result.append(traded / units if units else None)
    return result
