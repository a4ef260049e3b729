"""Cycles, channels and counts that take several steps."""

from __future__ import annotations

from itertools import pairwise

from tallow.textbook.averages import line_of
from tallow.textbook.numbers import fsum, sqrt
from tallow.textbook.parts import (
    PRICE,
    Column,
    Parameters,
    combine,
    delayed,
    exponential,
    hidden,
    known,
    mean,
    over_windows,
    recursive,
    window,
)
from tallow.textbook.strengths import over_known, strengths
from tallow.textbook.swings import flat_value


@recursive(None, talib=0.0)
def kdj(
    p: Parameters, high: list[float], low: list[float], close: list[float]
) -> tuple[Column, ...]:
    n = int(p["length"])

    def percent_of(c: float, top: float, bottom: float) -> float | None:
        return 100.0 * (c - bottom) / (top - bottom) if top > bottom else flat_value(p)

    def wilder(column: Column, m: int) -> Column:
        means = iter(exponential(known(column), m, 1.0 / m))
        return [None if x is None else next(means) for x in column]

    raw = combine(percent_of, close, over_windows(high, n, max), over_windows(low, n, min))
    k = wilder(raw, int(p["k_length"]))
    d = wilder(k, int(p["d_length"]))
    j = combine(lambda a, b: 3.0 * a - 2.0 * b, k, d)
    return hidden(k, d) if p["start"] == "together" else k, d, j


@recursive(0.0)
def stc(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    fast, slow = (int(p[f"{name}_length"]) for name in ("fast", "slow"))
    n, factor = int(p["length"]), float(p["factor"])

    def smooth(column: list[float]) -> list[float]:
        """Return the smoothed places in the range of each full window."""
        result: list[float] = []
        share = 0.0
        for end in range(n, len(column) + 1):
            part = column[end - n : end]
            if max(part) > min(part):
                share = 100.0 * (part[-1] - min(part)) / (max(part) - min(part))
            result.append(result[-1] + factor * (share - result[-1]) if result else share)
        return result

    # As exact as the prices: a rounded weight moves averages of large prices apart.
    two = fsum([2.0])
    averages = (exponential(close, m, two / (m + 1)) for m in (fast, slow))
    line = combine(lambda a, b: a - b, *averages)
    twice = smooth(smooth(known(line)))
    return (delayed(len(close) - len(twice), [*twice]),)


@recursive(100.0, zeros=None)
def connors_rsi(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    streaks = [0.0] * len(close)
    for i, (before, x) in enumerate(pairwise(close), 1):
        run = streaks[i - 1]
        streaks[i] = max(run, 0.0) + 1.0 if x > before else min(run, 0.0) - 1.0
        if x == before:
            streaks[i] = 0.0
    changes: Column = [None, *((x - b) / b if b else None for b, x in pairwise(close))]

    def rank(part: list[float]) -> float:
        return 100.0 * sum(x <= part[-1] for x in part[:-1]) / (len(part) - 1)

    three = (
        strengths(close, int(p["rsi_length"]), 100.0),
        strengths(streaks, int(p["streak_length"]), 100.0),
        over_known(changes[: len(close)], int(p["rank_length"]) + 1, rank),
    )
    return (combine(lambda *parts: mean(parts), *three),)


@recursive(100.0, zeros=100.0)
def qqe(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    n, smooth = 2 * int(p["length"]) - 1, int(p["smooth_length"])
    rsi = known(strengths(close, int(p["length"]), 100.0))
    line = known(exponential(rsi, smooth, 2.0 / (smooth + 1)))
    moves = [abs(x - before) for before, x in pairwise(line)]
    once = known(exponential(moves, n, 2.0 / (n + 1)))
    twice = known(exponential(once, n, 2.0 / (n + 1)))
    late = line[len(line) - len(twice) :] if twice else []
    befores = line[len(line) - len(twice) - 1 :] if twice else []
    trail: Column = []
    below = above = 0.0
    is_up = True
    for q, before, reach in zip(late, befores, twice, strict=False):
        low, high = (q + sign * float(p["multiplier"]) * reach for sign in (-1, 1))
        if trail:
            crosses_up, crosses_down = q > above >= before, q < below <= before
            is_up = crosses_up or (is_up and not crosses_down)
        below = max(below, low) if trail and min(q, before) > below else low
        above = min(above, high) if trail and max(q, before) < above else high
        trail.append(below if is_up else above)
    return tuple(delayed(len(close) - len(x), [*x]) for x in (line, trail))


@window(PRICE)
def linreg_channel(p: Parameters, close: Column) -> tuple[Column, ...]:
    n, times = int(p["length"]), float(p["multiplier"])

    def end(part: list[float]) -> float:
        average, rise = line_of(part)
        return average + rise * (n - 1) / 2.0

    def width(part: list[float]) -> float:
        average, rise = line_of(part)
        gaps = [x - average - rise * (k - (n - 1) / 2.0) for k, x in enumerate(part)]
        return times * sqrt(mean([gap * gap for gap in gaps]))

    middle, reach = over_windows(close, n, end), over_windows(close, n, width)
    upper = combine(lambda m, w: m + w, middle, reach)
    return upper, middle, combine(lambda m, w: m - w, middle, reach)


@recursive(0.0)
def td_sequential(
    p: Parameters, high: list[float], low: list[float], close: list[float]
) -> tuple[Column, ...]:
    most, last = int(p["setup_length"]), int(p["countdown_length"])
    setup: Column = [None] * min(4, len(close))
    countdown: Column = list(setup)
    below = above = counted = side = 0
    eighth = 0.0
    for i in range(4, len(close)):
        below = min(below + 1, most) if close[i] < close[i - 4] else 0
        above = min(above + 1, most) if close[i] > close[i - 4] else 0
        whole = 1 if below == most else -1 if above == most else side
        if whole != side:
            side, counted = whole, 0
        goes_on = close[i] <= low[i - 2] if side > 0 else close[i] >= high[i - 2]
        if last > 8 and counted == last - 1:
            reaches = low[i] <= eighth if side > 0 else high[i] >= eighth
            goes_on = goes_on and reaches
        if side and goes_on and counted < last:
            counted += 1
            eighth = close[i] if counted == 8 else eighth
        setup.append(float(below - above))
        countdown.append(float(side * counted))
    return setup, countdown
