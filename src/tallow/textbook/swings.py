"""Oscillators: swings of a price, or of a volume, against what it was before."""

from __future__ import annotations

from itertools import pairwise

from tallow.textbook.numbers import fsum
from tallow.textbook.parts import (
    Column,
    Parameters,
    combine,
    delayed,
    exponential,
    known,
    mean,
    over_windows,
    ranges,
    recursive,
    repeated,
    window,
)


def flat_value(p: Parameters) -> float | None:
    return 0.0 if p["flat"] == "zero" else None


def averaged_where_known(column: Column, n: int) -> Column:
    """Return an exponential average of the values that are there, in their places."""
    averages = iter(exponential(known(column), n, 2.0 / (n + 1)))
    return [None if x is None else next(averages) for x in column]


@window(None, talib=0.0)
def williams_r(p: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    n = int(p["length"])

    def percent_of(c: float, top: float, bottom: float) -> float | None:
        return -100.0 * (top - c) / (top - bottom) if top > bottom else flat_value(p)

    return (combine(percent_of, close, over_windows(high, n, max), over_windows(low, n, min)),)


@window(None, talib=0.0)
def cci(p: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    def channel(part: list[float]) -> float | None:
        gaps = [x - part[-1] for x in part]
        middle = mean(gaps)
        reach = mean([abs(x - middle) for x in gaps])
        # Sums of three prices are rounded: what that makes of equal ones is no distance.
        return -middle / (0.015 * reach) if reach > 1e-15 * abs(part[-1]) else flat_value(p)

    typical = combine(lambda *x: sum(x) / 3.0, high, low, close)
    return (over_windows(typical, int(p["length"]), channel),)


@recursive(0.0, zeros=None)
def trix(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    third = repeated(close, int(p["length"]), 3)[-1]
    changes = combine(
        lambda before, x: 100.0 * (x / before - 1.0) if before else flat_value(p),
        third[:-1],
        third[1:],
    )
    return (delayed(1, changes)[: len(close)],)


def averages_apart(p: Parameters, column: list[float]) -> tuple[Column, Column]:
    fast, slow = int(p["fast_length"]), int(p["slow_length"])
    late = exponential(column, slow, 2.0 / (slow + 1))
    return exponential(column, fast, 2.0 / (fast + 1)), late


@recursive(0.0)
def apo(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    return (combine(lambda a, b: a - b, *averages_apart(p, close)),)


@recursive(0.0, zeros=None)
def ppo(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    line = combine(
        lambda a, b: 100.0 * (a - b) / b if b else flat_value(p), *averages_apart(p, close)
    )
    signal = averaged_where_known(line, int(p["signal_length"]))
    return line, signal, combine(lambda a, b: a - b, line, signal)


@recursive(0.0, zeros=None)
def pvo(p: Parameters, volume: list[float]) -> tuple[Column, ...]:
    return ppo(p, volume)


@window(0.0)
def dpo(p: Parameters, close: Column) -> tuple[Column, ...]:
    n = int(p["length"])
    back = n // 2 + 1
    if p["shift"] == "close":
        rows = max(n, back + 1)
        return (over_windows(close, rows, lambda x: x[-1 - back] - mean(x[-n:])),)
    return (over_windows(close, n + back, lambda x: x[-1] - mean(x[:n])),)


@window(0.0, zeros=None, talib=0.0)
def coppock(p: Parameters, close: Column) -> tuple[Column, ...]:
    n, late = int(p["length"]), (int(p["long_length"]), int(p["short_length"]))

    def changes(part: list[float]) -> float | None:
        some = [100.0 * (part[-1] - x) / x if x else flat_value(p) for x in olds(part)]
        return None if None in some else sum(x for x in some if x is not None)

    def olds(part: list[float]) -> list[float]:
        return [part[-1 - k] for k in late]

    def weighted(part: list[float]) -> float:
        return sum((k + 1) * x for k, x in enumerate(part)) / (n * (n + 1) / 2)

    return (over_windows(over_windows(close, max(late) + 1, changes), n, weighted),)


@recursive(None, talib=0.0)
def tsi(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    short, long = int(p["short_length"]), int(p["long_length"])

    def twice(column: list[float]) -> Column:
        once = exponential(column, long, 2.0 / (long + 1))
        again = exponential(known(once), short, 2.0 / (short + 1))
        return delayed(len(once) - len(again), again)

    changes = [x - before for before, x in pairwise(close)]
    line = combine(
        lambda move, size: 100.0 * move / size if size else flat_value(p),
        twice(changes),
        twice([abs(x) for x in changes]),
    )
    whole = delayed(1, line)[: len(close)]
    return whole, averaged_where_known(whole, int(p["signal_length"]))


@window(None, talib=0.0)
def ultimate(p: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    before: Column = [None, *close[:-1]]
    gains = combine(lambda l, c, b: c - min(l, b), low, close, before)
    reach = ranges(high, low, close)

    def share(name: str) -> Column:
        n = int(p[f"{name}_length"])
        return combine(
            lambda gain, span: gain / span if span else flat_value(p),
            over_windows(gains, n, fsum),
            over_windows(reach, n, fsum),
        )

    shares = (share(name) for name in ("short", "middle", "long"))
    return (combine(lambda a, b, c: 100.0 * (4.0 * a + 2.0 * b + c) / 7.0, *shares),)


@recursive(None, talib=0.0)
def cmo(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    n = int(p["length"])
    changes = [x - before for before, x in pairwise(close)]

    def smooth(column: list[float]) -> Column:
        if p["smoothing"] == "wilder":
            return exponential(column, n, 1.0 / n)
        return over_windows(column, n, fsum)

    line = combine(
        lambda gain, loss: 100.0 * (gain - loss) / (gain + loss) if gain + loss else flat_value(p),
        smooth([max(x, 0.0) for x in changes]),
        smooth([max(-x, 0.0) for x in changes]),
    )
    return (delayed(1, line)[: len(close)],)
