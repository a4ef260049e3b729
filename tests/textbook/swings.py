"""Oscillators: swings of a price, or of a volume, against what it was before."""

from __future__ import annotations

from tests.textbook.parts import (
    Column,
    Parameters,
    combine,
    delayed,
    exponential,
    known,
    mean,
    over_windows,
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

    def place(c: float, top: float, bottom: float) -> float | None:
        return -100.0 * (top - c) / (top - bottom) if top > bottom else flat_value(p)

    return (combine(place, close, over_windows(high, n, max), over_windows(low, n, min)),)


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
