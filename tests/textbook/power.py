"""Stops that follow a trend, and who was stronger in a row."""

from __future__ import annotations

from tests.textbook.parts import PRICE, Column, Parameters, combine, recursive, window


@window(None, talib=0.0, zeros=None)
def bop(
    p: Parameters, open_: Column, high: Column, low: Column, close: Column
) -> tuple[Column, ...]:
    flat = 0.0 if p["flat"] == "zero" else None

    def power(o: float, h: float, l: float, c: float) -> float | None:  # noqa: E741
        return (c - o) / (h - l) if h != l else flat

    return (combine(power, open_, high, low, close),)


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
