"""What volume is part of."""

from __future__ import annotations

from tests.textbook.numbers import fsum
from tests.textbook.parts import (
    PRICE,
    VOLUME,
    Column,
    Parameters,
    combine,
    delayed,
    exponential,
    hidden,
    known,
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


def flows(high: list[float], low: list[float], close: list[float], volume: list[float]) -> Column:
    """Return volume by where in its range a row closed; none of it in a row without range."""
    return combine(
        lambda h, l, c, units: units * ((c - l) - (h - c)) / (h - l) if h != l else 0.0,  # noqa: E741
        high,
        low,
        close,
        volume,
    )


def line_of_flows(*columns: list[float]) -> list[float]:
    every = known(flows(*columns))
    return [fsum(every[: i + 1]) for i in range(len(every))]


@recursive(0.0)
def ad(
    _: Parameters, high: list[float], low: list[float], close: list[float], volume: list[float]
) -> tuple[Column, ...]:
    return ([*line_of_flows(high, low, close, volume)],)


@recursive(0.0)
def adosc(
    p: Parameters, high: list[float], low: list[float], close: list[float], volume: list[float]
) -> tuple[Column, ...]:
    line = line_of_flows(high, low, close, volume)
    fast, slow = int(p["fast_length"]), int(p["slow_length"])
    averages = [_average(line, n, str(p["seed"])) for n in (fast, slow)]
    later = max(fast, slow) - 1
    difference = combine(lambda a, b: a - b, *averages)
    return (delayed(later, difference[later:])[: len(line)],)


def _average(line: list[float], n: int, seed: str) -> Column:
    if seed == "mean":
        return exponential(line, n, 2.0 / (n + 1))
    return exponential(line, 1, 2.0 / (n + 1))


def _index(base: float, close: list[float], moves: list[bool]) -> Column:
    result: Column = [base] if close else []
    for i in range(1, len(close)):
        before = result[-1] or 0.0
        moved = moves[i] and close[i - 1] != 0
        result.append(before * close[i] / close[i - 1] if moved else before)
    return result


@recursive(1.0, talib=1000.0)
def nvi(p: Parameters, close: list[float], volume: list[float]) -> tuple[Column, ...]:
    moves = [i > 0 and volume[i] < volume[i - 1] for i in range(len(close))]
    return (_index(float(p["base"]), close, moves),)


@recursive(1.0, talib=1000.0)
def pvi(p: Parameters, close: list[float], volume: list[float]) -> tuple[Column, ...]:
    moves = [i > 0 and volume[i] > volume[i - 1] for i in range(len(close))]
    return (_index(float(p["base"]), close, moves),)


@recursive(0.0)
def pvt(_: Parameters, close: list[float], volume: list[float]) -> tuple[Column, ...]:
    every = [0.0] if close else []
    for i in range(1, len(close)):
        before = close[i - 1]
        every.append(volume[i] * (close[i] - before) / before if before else 0.0)
    return ([fsum(every[: i + 1]) for i in range(len(every))],)
