"""Every indicator a second time: slow, in plain Python, straight from its definition.

What the kernels compute is compared with these. They share nothing with the package: no NumPy, no
running sums, no tricks; every window is summed anew, exactly, from lists with None for missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, sqrt

Value = int | float | str
Parameters = Mapping[str, Value]
Column = list[float | None]
Formula = Callable[..., tuple[Column, ...]]


@dataclass(frozen=True)
class Oracle:
    """A formula ``(parameters, *columns) -> columns``, and how it treats a missing row."""

    formula: Formula
    skips_missing_rows: bool

    def __call__(self, parameters: Parameters, *columns: Column) -> tuple[Column, ...]:
        """Return the output columns, each as long as the inputs.

        A recursive indicator does not see rows of which anything is missing: its formula gets the
        others, and its values are put back into their places.
        """
        if not self.skips_missing_rows:
            return self.formula(parameters, *columns)
        rows = list(zip(*columns, strict=True))
        kept = [i for i, row in enumerate(rows) if None not in row]
        outputs = self.formula(parameters, *([column[i] for i in kept] for column in columns))
        spread: tuple[Column, ...] = tuple([None] * len(rows) for _ in outputs)
        for place, output in zip(spread, outputs, strict=True):
            for i, value in zip(kept, output, strict=True):
                place[i] = value
        return spread


ORACLES: dict[str, Oracle] = {}


def window(formula: Formula) -> Formula:
    """Register the oracle of an indicator that is a function of the last rows."""
    ORACLES[formula.__name__] = Oracle(formula, skips_missing_rows=False)
    return formula


def recursive(formula: Formula) -> Formula:
    """Register the oracle of an indicator that remembers."""
    ORACLES[formula.__name__] = Oracle(formula, skips_missing_rows=True)
    return formula


# Parts


def over_windows(
    column: Sequence[float | None], length: int, summary: Callable[[list[float]], float | None]
) -> Column:
    """Apply `summary` to each full window, oldest row first; None where a row is missing."""
    result: Column = []
    for end in range(1, len(column) + 1):
        part = [x for x in column[max(0, end - length) : end] if x is not None]
        result.append(summary(part) if len(part) == length else None)
    return result


def mean(part: Sequence[float]) -> float:
    return fsum(part) / len(part)


def deviation(part: Sequence[float]) -> float:
    """Return the population deviation. Equal values have none, though their mean is rounded."""
    if min(part) == max(part):
        return 0.0
    middle = mean(part)
    return sqrt(mean([(x - middle) ** 2 for x in part]))


def exponential(column: Sequence[float], length: int, weight: float) -> Column:
    """Return ``weight * x + (1 - weight) * before``, from the mean of the first `length` on."""
    result: Column = [None] * min(length - 1, len(column))
    if len(column) < length:
        return result
    value = mean(column[:length])
    result.append(value)
    for x in column[length:]:
        value = weight * x + (1.0 - weight) * value
        result.append(value)
    return result


def delayed(rows: int, column: Column) -> Column:
    """Return `column` after `rows` rows without a value."""
    return [None] * rows + column


def known(column: Column) -> list[float]:
    """Return the values that are there."""
    return [x for x in column if x is not None]


def combine(function: Callable[..., float | None], *columns: Sequence[float | None]) -> Column:
    """Apply `function` row by row; None where any of its arguments is."""
    rows = zip(*columns, strict=True)
    return [None if None in row else function(*row) for row in rows]


def hidden(column: Column, until: Column) -> Column:
    """Return `column` where `until` has a value."""
    return combine(lambda x, _: x, column, until)


def ranges(high: Column, low: Column, close: Column) -> Column:
    """Return true ranges; the first row has no close before it, and none."""
    return combine(
        lambda h, l, before: max(h - l, abs(h - before), abs(l - before)),  # noqa: E741
        high,
        low,
        [None, *close[:-1]],
    )


def mean_ranges(p: Parameters, length: str, high: Column, low: Column, close: Column) -> Column:
    """Return Wilder's mean of the ranges; ``first_range`` says whether the first row has one."""
    n, every = int(p[length]), ranges(high, low, close)
    if p.get("first_range") == "none":
        return delayed(1, exponential(known(every), n, 1.0 / n))[: len(close)]
    first = combine(lambda h, l: h - l, high[:1], low[:1])  # noqa: E741
    return exponential(known(first + every[1:]), n, 1.0 / n)


# Averages and deviations


@window
def sma(p: Parameters, close: Column) -> tuple[Column, ...]:
    return (over_windows(close, int(p["length"]), mean),)


MEAN = Oracle(lambda _, *p: (combine(lambda *x: fsum(x) / len(x), *p),), skips_missing_rows=False)
ORACLES |= dict.fromkeys(("hl2", "hlc3", "ohlc4"), MEAN)
ORACLES["volume_sma"] = ORACLES["sma"]


@window
def wma(p: Parameters, close: Column) -> tuple[Column, ...]:
    def weighted(part: list[float]) -> float:
        weights = range(1, len(part) + 1)
        return fsum(w * x for w, x in zip(weights, part, strict=True)) / sum(weights)

    return (over_windows(close, int(p["length"]), weighted),)


@recursive
def ema(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    return (exponential(close, int(p["length"]), 2.0 / (int(p["length"]) + 1)),)


@recursive
def rma(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    return (exponential(close, int(p["length"]), 1.0 / int(p["length"])),)


@window
def stddev(p: Parameters, close: Column) -> tuple[Column, ...]:
    return (over_windows(close, int(p["length"]), deviation),)


@window
def bollinger(p: Parameters, close: Column) -> tuple[Column, ...]:
    n, times = int(p["length"]), float(p["multiplier"])
    middle = over_windows(close, n, mean)
    reach = over_windows(close, n, deviation)
    upper = combine(lambda m, d: m + times * d, middle, reach)
    lower = combine(lambda m, d: m - times * d, middle, reach)
    width = combine(lambda d: 2.0 * times * d, reach)
    percent = combine(lambda w, m: 100.0 * w / m if m else None, width, middle)
    place = combine(lambda c, l, w: (c - l) / w if w else None, close, lower, width)  # noqa: E741
    return upper, middle, lower, width, percent, place


# Ranges, bands and channels


@window
def true_range(_: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    return (hidden(ranges(high, low, close), close),)


@recursive
def atr(p: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    return (mean_ranges(p, "length", high, low, close),)


@window
def donchian(p: Parameters, high: Column, low: Column) -> tuple[Column, ...]:
    highest = over_windows(high, int(p["length"]), max)
    lowest = over_windows(low, int(p["length"]), min)
    return highest, combine(lambda a, b: (a + b) / 2.0, highest, lowest), lowest


@recursive
def keltner(p: Parameters, high: Column, low: Column, close: list[float]) -> tuple[Column, ...]:
    n, m, times = int(p["length"]), int(p["atr_length"]), float(p["multiplier"])
    typical = known(combine(lambda h, l, c: (h + l + c) / 3.0, high, low, close))  # noqa: E741
    prices = close if p["source"] == "close" else typical
    first = 0 if p["first_range"] == "high_low" else 1
    # Aligned: neither average begins before the rows that lead to the first row with both.
    both = max(n - 1, m - 1 + first) if p["seed"] == "aligned" else 0
    a, b = max(both - (n - 1), 0), max(both - (m - 1), first)
    middle = delayed(a, exponential(prices[a:], n, 2.0 / (n + 1)))[: len(close)]
    every = known(combine(lambda h, l: h - l, high[:1], low[:1]) + ranges(high, low, [*close])[1:])  # noqa: E741
    reach = delayed(b, exponential(every[b:], m, 1.0 / m))[: len(close)]
    upper, lower = (combine(lambda x, r, t=t: x + t * r, middle, reach) for t in (times, -times))
    return upper, hidden(middle, reach) if p["start"] == "together" else middle, lower


@recursive
def supertrend(
    p: Parameters, high: list[float], low: list[float], close: list[float]
) -> tuple[Column, ...]:
    """As TradingView's help writes out ta.supertrend; its direction has the other sign."""
    times = float(p["multiplier"])
    reach = mean_ranges(p, "length", [*high], [*low], [*close])
    line: Column = [None] * len(close)
    direction: Column = [None] * len(close)
    upper = lower = 0.0
    for i, average in enumerate(reach):
        if average is None:
            continue
        middle, before = (high[i] + low[i]) / 2.0, close[i - 1]
        basic_upper, basic_lower = middle + times * average, middle - times * average
        first = reach[i - 1] is None if i else True
        if first or basic_upper < upper or before > upper:
            upper = basic_upper
        if first or basic_lower > lower or before < lower:
            lower = basic_lower
        if first:
            up = p["first_trend"] == "up"
        elif direction[i - 1] == -1.0:
            up = close[i] > upper
        else:
            up = not close[i] < lower
        direction[i], line[i] = (1.0, lower) if up else (-1.0, upper)
    return line, direction


# Oscillators


@window
def roc(p: Parameters, close: Column) -> tuple[Column, ...]:
    flat = 0.0 if p["flat"] == "zero" else None

    def change(part: list[float]) -> float | None:
        return 100.0 * (part[-1] - part[0]) / part[0] if part[0] else flat

    return (over_windows(close, int(p["length"]) + 1, change),)


@recursive
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


@recursive
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


@window
def stoch(p: Parameters, high: Column, low: Column, close: Column) -> tuple[Column, ...]:
    n = int(p["length"])
    flat = 0.0 if p["flat"] == "zero" else None

    def place(c: float, top: float, bottom: float) -> float | None:
        return 100.0 * (c - bottom) / (top - bottom) if top > bottom else flat

    raw = combine(place, close, over_windows(high, n, max), over_windows(low, n, min))
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


@recursive
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


# Volume


@recursive
def vwap(
    p: Parameters,
    high: list[float],
    low: list[float],
    close: list[float],
    volume: list[float],
    period: list[float],
) -> tuple[Column, ...]:
    result: Column = []
    start = 0
    for i in range(len(close)):
        if period[i] != period[i - 1]:
            start = i
        rows = range(start, i + 1)
        if p["source"] == "hlc3":
            prices = [(high[j] + low[j] + close[j]) / 3.0 for j in rows]
        else:
            prices = [close[j] for j in rows]
        units = fsum(volume[j] for j in rows)
        traded = fsum(price * volume[j] for price, j in zip(prices, rows, strict=True))
        result.append(traded / units if units else None)
    return (result,)


@recursive
def obv(p: Parameters, close: list[float], volume: list[float]) -> tuple[Column, ...]:
    result: Column = []
    for i, x in enumerate(close):
        if i == 0:
            result.append(volume[0] if p["first"] == "volume" else 0.0)
            continue
        rises, falls = x > close[i - 1], x < close[i - 1]
        result.append(fsum([result[-1] or 0.0, volume[i] * (rises - falls)]))
    return (result,)
