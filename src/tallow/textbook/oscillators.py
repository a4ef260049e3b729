"""Oscillators."""

from __future__ import annotations

from itertools import pairwise

from tallow.textbook.numbers import fsum
from tallow.textbook.parts import (
    Column,
    Parameters,
    combine,
    delayed,
    exponential,
    hidden,
    known,
    mean,
    over_windows,
    ranges,
    recursive,
    window,
)


@window(0.0)
def momentum(p: Parameters, close: Column) -> tuple[Column, ...]:
    return (over_windows(close, int(p["length"]) + 1, lambda part: part[-1] - part[0]),)


@window(0.0, zeros=None)
def roc(p: Parameters, close: Column) -> tuple[Column, ...]:
    flat = 0.0 if p["flat"] == "zero" else None

    def change(part: list[float]) -> float | None:
        return 100.0 * (part[-1] - part[0]) / part[0] if part[0] else flat

    return (over_windows(close, int(p["length"]) + 1, change),)


@recursive(100.0, talib=0.0)
def rsi(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    n = int(p["length"])
    changes = [x - before for before, x in pairwise(close)]
    gains = exponential([max(x, 0.0) for x in changes], n, 1.0 / n)
    losses = exponential([max(-x, 0.0) for x in changes], n, 1.0 / n)

    def strength(gain: float, loss: float) -> float:
        if gain == 0.0 and loss == 0.0:
            return float(p["flat"])
        return 100.0 if loss == 0.0 else 100.0 - 100.0 / (1.0 + gain / loss)

    return (delayed(1, combine(strength, gains, losses))[: len(close)],)


@recursive(0.0)
def macd(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    fast, slow, smooth = (int(p[f"{name}_length"]) for name in ("fast", "slow", "signal"))
    # TA-Lib's fast average is seeded so that its first value falls on the slow one's first row.
    late = slow - fast if p["seed"] == "aligned" else 0
    quick = delayed(late, exponential(close[late:], fast, 2.0 / (fast + 1)))[: len(close)]
    line = combine(lambda a, b: a - b, quick, exponential(close, slow, 2.0 / (slow + 1)))
    mean_line = exponential(known(line), smooth, 2.0 / (smooth + 1))
    signal = delayed(slow - 1, mean_line)[: len(close)]
    histogram = combine(lambda a, b: a - b, line, signal)
    return hidden(line, signal) if p["start"] == "together" else line, signal, histogram


@window(None, talib=0.0)
def stoch(p: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    n = int(p["length"])
    flat = 0.0 if p["flat"] == "zero" else None

    def percent_of(c: float, top: float, bottom: float) -> float | None:
        return 100.0 * (c - bottom) / (top - bottom) if top > bottom else flat

    raw = combine(percent_of, close, over_windows(high, n, max), over_windows(low, n, min))
    k = over_windows(raw, int(p["smooth_k"]), mean)
    d = over_windows(k, int(p["smooth_d"]), mean)
    return hidden(k, d) if p["start"] == "together" else k, d


def wilder_sums(column: list[float], n: int, short: bool) -> Column:
    """Return Wilder's running sums: the first has `n` terms; TA-Lib's has one term less."""
    if not short:
        return combine(lambda x: n * x, exponential(column, n, 1.0 / n))
    total = fsum(column[: n - 1])
    result: Column = [None] * min(n - 1, len(column))
    for x in column[n - 1 :]:
        total += x - total / n
        result.append(total)
    return result


@recursive(None, talib=0.0)
def adx(
    p: Parameters, high: list[float], low: list[float], close: list[float]
) -> tuple[Column, ...]:
    n, short, keep = int(p["length"]), p["seed"] == "short", p["flat"] == "keep"
    ups, downs = [], []
    for i in range(1, len(close)):
        up, down = high[i] - high[i - 1], low[i - 1] - low[i]
        ups.append(up if up > down and up > 0.0 else 0.0)
        downs.append(down if down > up and down > 0.0 else 0.0)
    reach = wilder_sums(known(ranges([*high], [*low], [*close])), n, short)
    empty = 0.0 if keep else None
    plus, minus = (
        combine(lambda r, m: 100.0 * m / r if r else empty, reach, wilder_sums(moves, n, short))
        for moves in (ups, downs)
    )
    strengths: Column = [
        100.0 * abs(a - b) / (a + b) if a + b else None
        for a, b in zip(known(plus), known(minus), strict=True)
    ]
    moving = [x or 0.0 for x in strengths]
    result = without_stillness(strengths, n) if keep else exponential(moving, n, 1.0 / n)
    result = delayed(len(plus) - len(result), result)
    return tuple(delayed(1, column)[: len(close)] for column in (result, plus, minus))


def without_stillness(strengths: Column, n: int) -> Column:
    """Return Wilder's mean, which TA-Lib leaves as it was where nothing moves (None)."""
    result: Column = [None] * min(n - 1, len(strengths))
    value = 0.0
    for i in range(n - 1, len(strengths)):
        strength = strengths[i]
        if i == n - 1:
            value = mean([x or 0.0 for x in strengths[:n]])
        elif strength is not None:
            value = (value * (n - 1) + strength) / n
        result.append(value)
    return result
