"""Averages that weigh by a curve or adapt to the market, and where a close stands among others."""

from __future__ import annotations

from tallow.textbook.numbers import exp, fsum
from tallow.textbook.parts import (
    PRICE,
    Column,
    Parameters,
    combine,
    deviation,
    mean,
    over_windows,
    recursive,
    repeated,
    window,
)


@recursive(PRICE)
def kama(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    n = int(p["length"])
    fast, slow = 2 / (int(p["fast_length"]) + 1), 2 / (int(p["slow_length"]) + 1)
    result: Column = [None] * min(n, len(close))
    for i in range(n, len(close)):
        noise = fsum(abs(close[k] - close[k - 1]) for k in range(i - n + 1, i + 1))
        share = abs(close[i] - close[i - n]) / noise if noise else float(p["flat"])
        before = close[n - 1] if i == n else result[-1]
        assert before is not None
        result.append(before + (share * (fast - slow) + slow) ** 2 * (close[i] - before))
    return (result,)


@recursive(PRICE)
def t3(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    """Tillson's own polynomial of six averages, each of the one before."""
    v = float(p["factor"])
    *_, third, fourth, fifth, sixth = repeated(close, int(p["length"]), 6)
    return (
        combine(
            lambda e3, e4, e5, e6: (
                -(v**3) * e6
                + (3 * v**2 + 3 * v**3) * e5
                + (-6 * v**2 - 3 * v - 3 * v**3) * e4
                + (1 + 3 * v + v**3 + 3 * v**2) * e3
            ),
            third,
            fourth,
            fifth,
            sixth,
        ),
    )


@window(PRICE)
def alma(p: Parameters, close: Column) -> tuple[Column, ...]:
    n = int(p["length"])
    top, width = float(p["offset"]) * (n - 1), n / float(p["sigma"])
    parts = [((k - top) / width) ** 2 / 2.0 for k in range(n)]
    # From the nearest row's, or a narrow curve would weigh none.
    weights = [exp(min(parts) - part) for part in parts]

    def weighted(part: list[float]) -> float:
        return fsum(w * x for w, x in zip(weights, part, strict=True)) / fsum(weights)

    return (over_windows(close, n, weighted),)


@recursive(PRICE)
def mcginley(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    n = int(p["length"])
    result: Column = [None] * min(n - 1, len(close))
    if len(close) < n:
        return (result,)
    value = mean(close[:n])
    result.append(value)
    for x in close[n:]:
        speed = n * (x / value) ** 4 if value else 0.0
        value = value + (x - value) / speed if speed > 1.0 else x
        result.append(value)
    return (result,)


@window(None)
def zscore(p: Parameters, close: Column) -> tuple[Column, ...]:
    def score(part: list[float]) -> float | None:
        reach = deviation(part)
        return (part[-1] - mean(part)) / reach if reach else None

    return (over_windows(close, int(p["length"]), score),)


@window(100.0, talib=0.0)
def percent_rank(p: Parameters, close: Column) -> tuple[Column, ...]:
    def share(part: list[float]) -> float:
        lower = [x < part[-1] or (p["ties"] == "count" and x == part[-1]) for x in part[:-1]]
        return 100.0 * sum(lower) / len(lower)

    return (over_windows(close, int(p["length"]) + 1, share),)
