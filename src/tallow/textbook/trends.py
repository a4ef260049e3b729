"""Trends and their strength, and ranges."""

from __future__ import annotations

from tallow.textbook.numbers import fsum, log
from tallow.textbook.oscillators import wilder_sums
from tallow.textbook.parts import (
    Column,
    Parameters,
    combine,
    delayed,
    known,
    mean_ranges,
    over_windows,
    ranges,
    recursive,
    repeated,
    window,
)
from tallow.textbook.swings import flat_value


def newness(column: Column, n: int) -> Column:
    """Return how new the highest of n + 1 rows is, of equal ones the latest."""
    return over_windows(
        column, n + 1, lambda part: 100.0 * max(k for k in range(n + 1) if part[k] == max(part)) / n
    )


@window(100.0)
def aroon(p: Parameters, high: Column, low: Column) -> tuple[Column, ...]:
    n = int(p["length"])
    return newness(high, n), newness(combine(lambda x: -x, low), n)


@window(0.0)
def aroon_oscillator(p: Parameters, high: Column, low: Column) -> tuple[Column, ...]:
    return (combine(lambda a, b: a - b, *aroon(p, high, low)),)


@window(None, talib=0.0)
def vortex(p: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    n = int(p["length"])
    reach = over_windows(ranges(high, low, close), n, fsum)
    moves = [
        over_windows(combine(lambda x, y: abs(x - y), now, [None, *then[:-1]]), n, fsum)
        for now, then in ((high, low), (low, high))
    ]
    return tuple(combine(lambda m, r: m / r if r else flat_value(p), each, reach) for each in moves)


@recursive(0.0, zeros=None)
def natr(p: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    means = mean_ranges(p, "length", high, low, close)
    return (combine(lambda r, c: 100.0 * r / c if c else flat_value(p), means, close),)


def directions(p: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    """Return Wilder's means of upward and downward movements, and of ranges."""
    n, short = int(p["length"]), p["seed"] == "short"
    rises = known(combine(lambda x, before: x - before, high[1:], high[:-1]))
    falls = known(combine(lambda x, before: before - x, low[1:], low[:-1]))
    pairs = list(zip(rises, falls, strict=True))
    ups = [up if up > down and up > 0.0 else 0.0 for up, down in pairs]
    downs = [down if down > up and down > 0.0 else 0.0 for up, down in pairs]
    every = ups, downs, known(ranges(high, low, close))
    return tuple(delayed(1, wilder_sums(part, n, short))[: len(close)] for part in every)


def percent(p: Parameters, part: Column, whole: Column) -> tuple[Column, ...]:
    return (combine(lambda a, b: 100.0 * a / b if b else flat_value(p), part, whole),)


@recursive(None, talib=0.0)
def plus_di(p: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    up, _, reach = directions(p, high, low, close)
    return percent(p, up, reach)


@recursive(None, talib=0.0)
def minus_di(p: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    _, down, reach = directions(p, high, low, close)
    return percent(p, down, reach)


@recursive(None, talib=0.0)
def dx(p: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    def one_sided(up: float, down: float, reach: float) -> float | None:
        moved = up + down
        return 100.0 * abs(up - down) / moved if moved else 0.0 if reach else flat_value(p)

    return (combine(one_sided, *directions(p, high, low, close)),)


@recursive(None, talib=25.0)
def mass(p: Parameters, high: list[float], low: list[float]) -> tuple[Column, ...]:
    empty = 1.0 if p["flat"] == "one" else None
    reach = [top - bottom for top, bottom in zip(high, low, strict=True)]
    averages = repeated(reach, int(p["length"]), 2)
    ratios = combine(lambda a, b: a / b if b else empty, *averages)
    return (over_windows(ratios, int(p["sum_length"]), fsum),)


@window(None, talib=0.0)
def vhf(p: Parameters, close: Column) -> tuple[Column, ...]:
    n = int(p["length"])
    changes = combine(lambda x, before: abs(x - before), close, [None, *close[:-1]])
    spans = over_windows(close, n, lambda part: max(part) - min(part))
    paths = over_windows(changes, n, fsum)
    return (combine(lambda span, path: span / path if path else flat_value(p), spans, paths),)


@window(None)
def choppiness(p: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    n = int(p["length"])

    def chop(top: float, bottom: float, path: float, _: float) -> float | None:
        return 100.0 * log(path / (top - bottom)) / log(n) if top > bottom else None

    highest, lowest = over_windows(high, n, max), over_windows(low, n, min)
    return (combine(chop, highest, lowest, over_windows(ranges(high, low, close), n, fsum), close),)
