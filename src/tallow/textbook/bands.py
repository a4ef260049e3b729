"""Ranges, bands and channels."""

from __future__ import annotations

from tallow.textbook.parts import (
    PRICE,
    Column,
    Parameters,
    combine,
    delayed,
    exponential,
    hidden,
    known,
    mean_ranges,
    over_windows,
    ranges,
    recursive,
    window,
)


@window(0.0)
def true_range(_: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    return (hidden(ranges(high, low, close), close),)


@recursive(0.0)
def atr(p: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    return (mean_ranges(p, "length", high, low, close),)


@window(PRICE)
def donchian(p: Parameters, high: Column, low: Column) -> tuple[Column, ...]:
    highest = over_windows(high, int(p["length"]), max)
    lowest = over_windows(low, int(p["length"]), min)
    return highest, combine(lambda a, b: (a + b) / 2.0, highest, lowest), lowest


@recursive(PRICE)
def keltner(p: Parameters, high: Column, low: Column, close: list[float]) -> tuple[Column, ...]:
    n, m, times = int(p["length"]), int(p["atr_length"]), float(p["multiplier"])
    typical = known(combine(lambda h, l, c: (h + l + c) / 3.0, high, low, close))
    prices = close if p["source"] == "close" else typical
    first = 0 if p["first_range"] == "high_low" else 1
    # Aligned: neither average begins before the rows that lead to the first row with both.
    both = max(n - 1, m - 1 + first) if p["seed"] == "aligned" else 0
    a, b = max(both - (n - 1), 0), max(both - (m - 1), first)
    middle = delayed(a, exponential(prices[a:], n, 2.0 / (n + 1)))[: len(close)]
    every = known(combine(lambda h, l: h - l, high[:1], low[:1]) + ranges(high, low, [*close])[1:])
    reach = delayed(b, exponential(every[b:], m, 1.0 / m))[: len(close)]
    upper, lower = (combine(lambda x, r, t=t: x + t * r, middle, reach) for t in (times, -times))
    return upper, hidden(middle, reach) if p["start"] == "together" else middle, lower


@recursive(still=(PRICE, -1.0), talib=(PRICE, 1.0))
def supertrend(
    p: Parameters, high: list[float], low: list[float], close: list[float]
) -> tuple[Column, ...]:
    """As TradingView's help writes out ta.supertrend; its direction has the other sign."""
    times = float(p["multiplier"])
    reach = mean_ranges(p, "length", [*high], [*low], [*close])
    line: Column = [None] * len(close)
    direction: Column = [None] * len(close)
    upper = lower = 0.0
    for i, average in enumerate(reach):
        if average is None:
            continue
        middle, before = (high[i] + low[i]) / 2.0, close[i - 1]
        basic_upper, basic_lower = middle + times * average, middle - times * average
        first = reach[i - 1] is None if i else True
        if first or basic_upper < upper or before > upper:
            upper = basic_upper
        if first or basic_lower > lower or before < lower:
            lower = basic_lower
        if first:
            up = p["first_trend"] == "up"
        elif direction[i - 1] == -1.0:
            up = close[i] > upper
        else:
            up = not close[i] < lower
        direction[i], line[i] = (1.0, lower) if up else (-1.0, upper)
    return line, direction
