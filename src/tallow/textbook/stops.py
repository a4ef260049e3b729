"""Stops and lines that follow a trend, and bands and products that tell one."""

from __future__ import annotations

from tallow.textbook.numbers import fsum
from tallow.textbook.parts import (
    PRICE,
    Column,
    Parameters,
    combine,
    deviation,
    mean,
    mean_ranges,
    over_windows,
    ranges,
    recursive,
    window,
)


@recursive(PRICE)
def sar(p: Parameters, high: list[float], low: list[float]) -> tuple[Column, ...]:
    """As Wilder works it: tomorrow's stop is kept out of the ranges of today and yesterday."""
    result: Column = [None] * len(high)
    if len(high) < 2:
        return (result,)
    most = float(p["maximum"])
    start, more = min(float(p["start"]), most), float(p["increment"])
    fell, rose = low[0] - low[1], high[1] - high[0]
    is_up = not (fell > 0 and fell > rose)
    extreme, stop, factor = (high[1], low[0], start) if is_up else (low[1], high[0], start)
    for i in range(1, len(high)):
        two = [max(i - 1, 1), i]
        touched = low[i] <= stop if is_up else high[i] >= stop
        if touched:
            tops, bottoms = [high[k] for k in two], [low[k] for k in two]
            stop = max(extreme, *tops) if is_up else min(extreme, *bottoms)
            is_up = not is_up
            extreme, factor = high[i] if is_up else low[i], start
        elif (is_up and high[i] > extreme) or (not is_up and low[i] < extreme):
            extreme = high[i] if is_up else low[i]
            factor = min(factor + more, most)
        result[i] = stop
        stop = stop + factor * (extreme - stop)
        stop = min(stop, *(low[k] for k in two)) if is_up else max(stop, *(high[k] for k in two))
    return (result,)


def product_of_changes(base: float, close: list[float], moves: list[bool]) -> Column:
    result: Column = [base] if close else []
    for i in range(1, len(close)):
        before = result[-1] or 0.0
        moved = moves[i] and close[i - 1] != 0 and close[i] != 0
        result.append(before * close[i] / close[i - 1] if moved else before)
    return result


@recursive(1.0, talib=1000.0)
def nvi(p: Parameters, close: list[float], volume: list[float]) -> tuple[Column, ...]:
    moves = [i > 0 and volume[i] < volume[i - 1] for i in range(len(close))]
    return (product_of_changes(float(p["base"]), close, moves),)


@recursive(1.0, talib=1000.0)
def pvi(p: Parameters, close: list[float], volume: list[float]) -> tuple[Column, ...]:
    moves = [i > 0 and volume[i] > volume[i - 1] for i in range(len(close))]
    return (product_of_changes(float(p["base"]), close, moves),)


@window(PRICE)
def accbands(p: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    def width(h: float, l: float) -> float:
        return 4.0 * (h - l) / (h + l) if h + l else 0.0

    upper = combine(lambda h, l: h * (1.0 + width(h, l)), high, low)
    lower = combine(lambda h, l: l * (1.0 - width(h, l)), high, low)
    n = int(p["length"])
    return tuple(over_windows(column, n, mean) for column in (upper, close, lower))


@recursive(PRICE)
def chandelier(p: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    n, times = int(p["length"]), float(p["multiplier"])
    reach = mean_ranges(p, "length", high, low, close)
    return (
        combine(lambda top, r: top - times * r, over_windows(high, n, max), reach),
        combine(lambda bottom, r: bottom + times * r, over_windows(low, n, min), reach),
    )


@recursive(still=(PRICE, -1.0))
def atr_stop(
    p: Parameters, high: list[float], low: list[float], close: list[float]
) -> tuple[Column, ...]:
    """As Stock.Indicators has it, with closes."""
    times = float(p["multiplier"])
    stop: Column = [None] * len(close)
    direction: Column = [None] * len(close)
    upper = lower = 0.0
    is_up = None
    for i, reach in enumerate(mean_ranges(p, "length", [*high], [*low], [*close])):
        if reach is None:
            continue
        before = close[i - 1] if i else close[i]
        above, below = close[i] + times * reach, close[i] - times * reach
        if is_up is None:
            is_up, upper, lower = close[i] >= before, above, below
        if above < upper or before > upper:
            upper = above
        if below > lower or before < lower:
            lower = below
        is_up = close[i] > (lower if is_up else upper)
        stop[i], direction[i] = (lower, 1.0) if is_up else (upper, -1.0)
    return stop, direction


def end_of_line(part: list[float]) -> float:
    """Return the line of least squares through a window's values, at the last of them."""
    n = len(part)
    middle, height = (n - 1) / 2.0, mean(part)
    slope = fsum((k - middle) * (x - height) for k, x in enumerate(part)) / fsum(
        (k - middle) ** 2 for k in range(n)
    )
    return height + slope * (n - 1 - middle)


@window((0.0, 0.0))
def ttm_squeeze(p: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    n = int(p["length"])
    middles = combine(
        lambda top, bottom, usual: ((top + bottom) / 2.0 + usual) / 2.0,
        over_windows(high, n, max),
        over_windows(low, n, min),
        over_windows(close, n, mean),
    )
    gaps = combine(lambda x, middle: x - middle, close, middles)
    reach = over_windows(ranges(high, low, close), n, mean)
    band, channel = float(p["multiplier"]), float(p["range_multiplier"])
    squeeze = combine(
        lambda width, r: 1.0 if band * width < channel * r else 0.0,
        over_windows(close, n, deviation),
        reach,
    )
    return over_windows(gaps, n, end_of_line), squeeze


@recursive(still=(PRICE, 1.0, PRICE, PRICE))
def halftrend(
    p: Parameters, high: list[float], low: list[float], close: list[float]
) -> tuple[Column, ...]:
    """As everget wrote it, but for the first rows: trend 0 is upward, 1 downward."""
    n = int(p["amplitude"])
    tops, bottoms = over_windows([*high], n, max), over_windows([*low], n, min)
    mean_high, mean_low = over_windows([*high], n, mean), over_windows([*low], n, mean)
    trend, next_trend, line = 0, 0, 0.0
    highest_low = lowest_high = 0.0
    lines: Column = [None] * len(close)
    ways: Column = [None] * len(close)
    for i in range(n - 1, len(close)):
        top, bottom = tops[i] or 0.0, bottoms[i] or 0.0
        if i == n - 1:
            highest_low = line = bottom
            lowest_high = top
        before = trend
        if i > n - 1 and next_trend == 1:
            highest_low = max(bottom, highest_low)
            if (mean_high[i] or 0.0) < highest_low and close[i] < low[i - 1]:
                trend, next_trend, lowest_high = 1, 0, top
        elif i > n - 1:
            lowest_high = min(top, lowest_high)
            if (mean_low[i] or 0.0) > lowest_high and close[i] > high[i - 1]:
                trend, next_trend, highest_low = 0, 1, bottom
        if trend == before:
            line = min(lowest_high, line) if trend else max(highest_low, line)
        lines[i], ways[i] = line, -1.0 if trend else 1.0
    reach = mean_ranges(p, "atr_length", [*high], [*low], [*close])
    gaps = combine(lambda r: float(p["multiplier"]) * r / 2.0, reach)
    upper, lower = (combine(lambda x, g, s=s: x + s * g, lines, gaps) for s in (1, -1))
    return lines, ways, upper, lower
