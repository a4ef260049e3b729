"""Who was stronger in a row, swings of middles, and what is made of deviations and falls."""

from __future__ import annotations

from itertools import pairwise

from tallow.textbook.numbers import fsum, log, sqrt
from tallow.textbook.parts import (
    Column,
    Parameters,
    combine,
    delayed,
    deviation,
    exponential,
    hidden,
    known,
    mean,
    over_windows,
    recursive,
    window,
)
from tallow.textbook.swings import averaged_where_known, flat_value


@window(None, talib=0.0)
def bop(
    p: Parameters, open_: Column, high: Column, low: Column, close: Column
) -> tuple[Column, ...]:
    def power(o: float, h: float, l: float, c: float) -> float | None:
        return (c - o) / (h - l) if h != l else flat_value(p)

    return (combine(power, open_, high, low, close),)


@window(0.0)
def ao(p: Parameters, high: Column, low: Column) -> tuple[Column, ...]:
    middle = combine(lambda h, l: (h + l) / 2.0, high, low)
    fast, slow = (over_windows(middle, int(p[f"{name}_length"]), mean) for name in ("fast", "slow"))
    return (combine(lambda a, b: a - b, fast, slow),)


@recursive(0.0)
def elder_ray(
    p: Parameters, high: list[float], low: list[float], close: list[float]
) -> tuple[Column, ...]:
    n = int(p["length"])
    average = exponential(close, n, 2.0 / (n + 1))
    return tuple(combine(lambda x, e: x - e, side, average) for side in (high, low))


@recursive(None, talib=0.0)
def smi(
    p: Parameters, high: list[float], low: list[float], close: list[float]
) -> tuple[Column, ...]:
    n, short, long = (int(p[name]) for name in ("length", "short_length", "long_length"))

    def twice(column: Column) -> Column:
        once = exponential(known(column), long, 2.0 / (long + 1))
        again = exponential(known(once), short, 2.0 / (short + 1))
        return delayed(len(column) - len(again), again)

    highest, lowest = over_windows(high, n, max), over_windows(low, n, min)
    moves = combine(lambda c, h, l: ((c - h) + (c - l)) / 2.0, close, highest, lowest)
    line = combine(
        lambda move, reach: 200.0 * move / reach if reach else flat_value(p),
        twice(moves),
        twice(combine(lambda h, l: h - l, highest, lowest)),
    )
    signal = averaged_where_known(line, int(p["signal_length"]))
    return hidden(line, signal) if p["start"] == "together" else line, signal


@window(0.0, zeros=None)
def kst(p: Parameters, close: Column) -> tuple[Column, ...]:
    def changes(k: int) -> Column:
        def change(part: list[float]) -> float | None:
            return 100.0 * (part[-1] / part[0] - 1.0) if part[0] else None

        each = over_windows(close, int(p[f"roc_{k}"]) + 1, change)
        return over_windows(each, int(p[f"mean_{k}"]), mean)

    line = combine(
        lambda *parts: fsum(k * x for k, x in enumerate(parts, 1)),
        *(changes(k) for k in range(1, 5)),
    )
    return line, over_windows(line, int(p["signal_length"]), mean)


@window(0.0, zeros=None)
def historical_volatility(p: Parameters, close: Column) -> tuple[Column, ...]:
    scale = 100.0 * sqrt(int(p["rows_per_year"]))
    returns = over_windows(close, 2, lambda two: log(two[1] / two[0]) if min(two) > 0.0 else None)
    return (over_windows(returns, int(p["length"]), lambda part: scale * deviation(part)),)


@recursive(None, talib=50.0)
def rvi(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    n, m = int(p["length"]), int(p["mean_length"])
    weight = 1.0 / m if p["smoothing"] == "wilder" else 2.0 / (m + 1)
    reach = known(over_windows(close, n, deviation))
    changes = [x - before for before, x in pairwise(close)][n - 2 :]
    is_down = [c < 0.0 or (c == 0.0 and p["unchanged"] == "down") for c in changes]
    ups = [x if c > 0.0 else 0.0 for x, c in zip(reach, changes, strict=True)]
    downs = [x if fell else 0.0 for x, fell in zip(reach, is_down, strict=True)]
    flat = 50.0 if p["flat"] == "middle" else None
    line = combine(
        lambda up, down: 100.0 * up / (up + down) if up + down else flat,
        exponential(ups, m, weight),
        exponential(downs, m, weight),
    )
    return (delayed(n - 1, line)[: len(close)],)


@window(None)
def rvgi(
    p: Parameters, open_: Column, high: Column, low: Column, close: Column
) -> tuple[Column, ...]:
    n = int(p["length"])

    def smooth(column: Column) -> Column:
        return over_windows(
            column, 4, lambda x: fsum(w * y for w, y in zip((1, 2, 2, 1), x, strict=True)) / 6.0
        )

    gains = combine(lambda c, o, _: c - o, close, open_, combine(max, high, low))
    spans = combine(lambda h, l, _: h - l, high, low, combine(max, close, open_))
    line = combine(
        lambda gain, span: gain / span if span else None,
        over_windows(smooth(gains), n, fsum),
        over_windows(smooth(spans), n, fsum),
    )
    return line, smooth(line)


@window(0.0, zeros=None)
def ulcer(p: Parameters, close: Column) -> tuple[Column, ...]:
    n = int(p["length"])
    falls = combine(
        lambda x, top: 100.0 * (x - top) / top if top else None, close, over_windows(close, n, max)
    )
    return (over_windows(falls, n, lambda part: sqrt(mean([x * x for x in part]))),)


@recursive(0.0)
def fisher(p: Parameters, high: list[float], low: list[float]) -> tuple[Column, ...]:
    n, where, value = int(p["length"]), 0.0, 0.0
    middles = [(h + l) / 2.0 for h, l in zip(high, low, strict=True)]
    line: Column = []
    for part in known_windows(middles, n):
        reach = max(part) - min(part)
        # Sums of two prices are rounded: what that makes of equal ones is no range.
        share = (part[-1] - min(part)) / reach if reach > 1e-15 * abs(part[-1]) else 0.5
        where = 0.66 * (share - 0.5) + 0.67 * where
        if abs(where) > 0.99:
            where = 0.999 if where > 0 else -0.999
        value = 0.5 * log((1.0 + where) / (1.0 - where)) + 0.5 * value
        line.append(value)
    whole = delayed(n - 1, line)[: len(high)]
    return whole, [None, *whole[:-1]][: len(high)]


def known_windows(column: list[float], n: int) -> list[list[float]]:
    """Return each full window, oldest row first."""
    return [column[end - n : end] for end in range(n, len(column) + 1)]


@window(None)
def hurst(p: Parameters, close: Column) -> tuple[Column, ...]:
    n = int(p["length"])
    halvings = [k for k in range(n.bit_length()) if n >> k >= 8]
    sizes = [n >> k for k in halvings]
    returns = over_windows(close, 2, lambda two: log(two[1] / two[0]) if min(two) > 0.0 else None)

    def exponent(part: list[float]) -> float | None:
        scaled = [
            [rescaled_range(part[k * size : (k + 1) * size]) for k in range(1 << halving)]
            for halving, size in zip(halvings, sizes, strict=True)
        ]
        if any(None in each for each in scaled):
            return None
        x, y = [log(size) for size in sizes], [log(mean(known(each))) for each in scaled]
        middle, level = mean(x), mean(y)
        rise = fsum((a - middle) * (b - level) for a, b in zip(x, y, strict=True))
        return rise / fsum((a - middle) ** 2 for a in x)

    return (over_windows(returns, n, exponent),)


def rescaled_range(part: list[float]) -> float | None:
    """Return the range of the sums of what differs from the mean, in deviations."""
    if min(part) == max(part):
        return None
    middle, sums = mean(part), [0.0]
    for x in part:
        sums.append(sums[-1] + (x - middle))
    return (max(sums[1:]) - min(sums[1:])) / deviation(part)
