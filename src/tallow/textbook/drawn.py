"""What charts draw at another row than that at which it is known."""

from __future__ import annotations

from collections.abc import Callable

from tallow.textbook.parts import (
    PRICE,
    Column,
    Parameters,
    combine,
    over_windows,
    recursive,
    window,
)


def middles(high: Column, low: Column, n: int) -> Column:
    return combine(
        lambda top, bottom: (top + bottom) / 2.0,
        over_windows(high, n, max),
        over_windows(low, n, min),
    )


@window(PRICE)
def ichimoku(p: Parameters, high: Column, low: Column) -> tuple[Column, ...]:
    conversion, base, span = (
        middles(high, low, int(p[f"{name}_length"])) for name in ("conversion", "base", "span")
    )
    return conversion, base, combine(lambda a, b: (a + b) / 2.0, conversion, base), span


@window(0.0)
def fractal(p: Parameters, high: Column, low: Column) -> tuple[Column, ...]:
    before, after = int(p["before"]), int(p["after"])

    def is_alone(part: list[float]) -> float:
        others = part[:before] + part[before + 1 :]
        return 1.0 if part[before] > max(others) else 0.0

    up = over_windows(high, before + after + 1, is_alone)
    return up, over_windows(combine(lambda x: -x, low), before + after + 1, is_alone)


@recursive(PRICE)
def heikin_ashi(
    _: Parameters,
    open_: list[float],
    high: list[float],
    low: list[float],
    close: list[float],
) -> tuple[Column, ...]:
    candles: list[tuple[float, float, float, float]] = []
    for o, h, l, c in zip(open_, high, low, close, strict=True):
        last = (o + h + l + c) / 4.0
        first = (candles[-1][0] + candles[-1][3]) / 2.0 if candles else (o + c) / 2.0
        candles.append((first, max(h, first, last), min(l, first, last), last))
    return tuple([candle[k] for candle in candles] for k in range(4))


@recursive(still=(PRICE, PRICE, 1.0))
def zigzag(p: Parameters, high: list[float], low: list[float]) -> tuple[Column, ...]:
    """By hand: legs end where a price comes back from their extreme."""
    part = float(p["deviation"]) / 100.0
    prices = {1: high, -1: low}
    points, way, extreme = low[:1], 1, 0
    found: list[tuple[float, float, float]] = []
    for i in range(len(high)):
        best = prices[way][extreme]
        if way * prices[way][i] >= way * best:
            extreme = i
        elif way * prices[-way][i] <= way * best - part * abs(best):
            points.append(best)
            way, extreme = -way, i
        found.append((points[-1], prices[way][extreme], float(way)))
    return tuple([row[k] for row in found] for k in range(3))


def periods_before(
    high: list[float], low: list[float], close: list[float], period: list[float]
) -> list[tuple[float, float, float] | None]:
    """Return high, low and close of the period before each row's own."""
    found: list[tuple[float, float, float] | None] = []
    starts = [i for i in range(len(period)) if i == 0 or period[i] != period[i - 1]]
    for i in range(len(period)):
        begun = [start for start in starts if start <= i]
        if len(begun) < 2:
            found.append(None)
            continue
        a, z = begun[-2:]
        found.append((max(high[a:z]), min(low[a:z]), close[z - 1]))
    return found


def levels(
    found: list[tuple[float, float, float] | None], *formulas: Callable[..., float]
) -> tuple[Column, ...]:
    """Return each formula's values, of high, low, close and their mean."""
    return tuple(
        [None if x is None else formula(*x, sum(x) / 3.0) for x in found] for formula in formulas
    )


@recursive(PRICE)
def pivots(
    _: Parameters,
    high: list[float],
    low: list[float],
    close: list[float],
    period: list[float],
) -> tuple[Column, ...]:
    return levels(
        periods_before(high, low, close, period),
        lambda top, bottom, _, p: p,
        lambda top, bottom, _, p: 2 * p - bottom,
        lambda top, bottom, _, p: p + (top - bottom),
        lambda top, bottom, _, p: top + 2 * (p - bottom),
        lambda top, bottom, _, p: 2 * p - top,
        lambda top, bottom, _, p: p - (top - bottom),
        lambda top, bottom, _, p: bottom - 2 * (top - p),
    )


@recursive(PRICE)
def cpr(
    _: Parameters,
    high: list[float],
    low: list[float],
    close: list[float],
    period: list[float],
) -> tuple[Column, ...]:
    return levels(
        periods_before(high, low, close, period),
        lambda top, bottom, _, p: p,
        lambda top, bottom, _, p: max((top + bottom) / 2, 2 * p - (top + bottom) / 2),
        lambda top, bottom, _, p: min((top + bottom) / 2, 2 * p - (top + bottom) / 2),
    )
