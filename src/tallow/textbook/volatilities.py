"""Volatilities of a year, and states of trends and of volatility."""

from __future__ import annotations

from tallow.textbook.averages import line_of
from tallow.textbook.numbers import fsum, log, sqrt
from tallow.textbook.oscillators import adx
from tallow.textbook.parts import (
    Column,
    Parameters,
    combine,
    exponential,
    mean,
    over_windows,
    recursive,
    window,
)


def ratio(x: float, y: float) -> float | None:
    """Return the logarithm of x over y; None where a price is not above zero."""
    return log(x / y) if x > 0.0 and y > 0.0 else None


def sample_variance(part: list[float]) -> float:
    """Return the sum of squared distances from the mean, over one less than there are."""
    if min(part) == max(part):
        return 0.0
    middle = mean(part)
    return fsum((x - middle) ** 2 for x in part) / (len(part) - 1)


def of_a_year(p: Parameters, variance: Column, year_rows: Column) -> tuple[Column, ...]:
    """Return volatilities in percent; a given number of rows a year goes before the calendar's."""
    given = int(p["rows_per_year"])
    volatilities = combine(lambda v, rows: 100.0 * sqrt(v * (given or rows)), variance, year_rows)
    return (volatilities,)


def before(column: Column) -> Column:
    return [None, *column[:-1]]


@window(0.0, zeros=None)
def realised_volatility(p: Parameters, close: Column, year_rows: Column) -> tuple[Column, ...]:
    returns = combine(ratio, close, before(close))
    return of_a_year(p, over_windows(returns, int(p["length"]), sample_variance), year_rows)


@window(0.0, zeros=None)
def parkinson(p: Parameters, high: Column, low: Column, year_rows: Column) -> tuple[Column, ...]:
    squares = combine(lambda x: x**2 / (4 * log(2)), combine(ratio, high, low))
    return of_a_year(p, over_windows(squares, int(p["length"]), mean), year_rows)


@window(0.0, zeros=None)
def garman_klass(
    p: Parameters, open_: Column, high: Column, low: Column, close: Column, year_rows: Column
) -> tuple[Column, ...]:
    variances = combine(
        lambda spread, move: spread**2 / 2 - (2 * log(2) - 1) * move**2,
        combine(ratio, high, low),
        combine(ratio, close, open_),
    )
    return of_a_year(p, over_windows(variances, int(p["length"]), mean), year_rows)


def drift_free(open_: Column, high: Column, low: Column, close: Column) -> Column:
    """Return Rogers and Satchell's variance of each row."""
    ups = combine(lambda x, y: x * y, combine(ratio, high, close), combine(ratio, high, open_))
    downs = combine(lambda x, y: x * y, combine(ratio, low, close), combine(ratio, low, open_))
    return combine(lambda x, y: x + y, ups, downs)


@window(0.0, zeros=None)
def rogers_satchell(
    p: Parameters, open_: Column, high: Column, low: Column, close: Column, year_rows: Column
) -> tuple[Column, ...]:
    variances = drift_free(open_, high, low, close)
    return of_a_year(p, over_windows(variances, int(p["length"]), mean), year_rows)


@window(0.0, zeros=None)
def yang_zhang(
    p: Parameters, open_: Column, high: Column, low: Column, close: Column, year_rows: Column
) -> tuple[Column, ...]:
    n = int(p["length"])
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    gaps = over_windows(combine(ratio, open_, before(close)), n, sample_variance)
    moves = over_windows(combine(ratio, close, open_), n, sample_variance)
    spreads = over_windows(drift_free(open_, high, low, close), n, mean)
    whole = combine(lambda a, b, c: a + k * b + (1 - k) * c, gaps, moves, spreads)
    return of_a_year(p, whole, year_rows)


@window((None, 0.0, None))
def trend_strength(p: Parameters, close: Column) -> tuple[Column, ...]:
    def fit(part: list[float]) -> float | None:
        """Return the correlation with 0, 1, 2, ..."""
        middle, average = (len(part) - 1) / 2.0, mean(part)
        together = fsum((k - middle) * (x - average) for k, x in enumerate(part))
        spread = fsum((k - middle) ** 2 for k in range(len(part)))
        whole = fsum((x - average) ** 2 for x in part)
        return together / sqrt(spread * whole) if min(part) < max(part) else None

    n = int(p["length"])
    strength = over_windows(close, n, fit)
    slope = over_windows(close, n, lambda part: line_of(part)[1])
    return strength, slope, combine(lambda x: x * x, strength)


def side(x: float, y: float) -> int:
    """Return which of two is larger; 0 where they are equal to a billionth."""
    return 0 if abs(x - y) <= 1e-9 * abs(y) else 1 if x > y else -1


@recursive((0.0, 50.0))
def trend_state(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    n = int(p["length"])
    average = exponential(close, n, 2.0 / (n + 1))
    sides = combine(side, close, average)
    shares = over_windows(
        sides, int(p["window"]), lambda part: 100 * fsum((s + 1) / 2 for s in part) / len(part)
    )

    enough = float(p["threshold"])

    def state(share: float) -> float:
        return float(share >= enough) - float(100 - share >= enough)

    return combine(state, shares), shares


@recursive(None, talib=(-1.0, 0.0))
def adx_regime(
    p: Parameters, high: list[float], low: list[float], close: list[float]
) -> tuple[Column, ...]:
    strength, plus, minus = adx(p, high, low, close)
    trend, still = float(p["trend"]), float(p["range"])
    regime = combine(lambda x: float(x > trend) - float(x < still), strength)
    return regime, combine(side, plus, minus)


@window((0.0, 50.0), zeros=None)
def volatility_state(p: Parameters, close: Column) -> tuple[Column, ...]:
    returns = combine(ratio, close, before(close))
    reach = over_windows(returns, int(p["length"]), lambda part: sqrt(sample_variance(part)))

    def percentile(part: list[float]) -> float:
        *earlier, now = part
        return 100 * fsum((side(now, x) + 1) / 2 for x in earlier) / len(earlier)

    percentiles = over_windows(reach, int(p["window"]) + 1, percentile)
    low, high = float(p["low"]), float(p["high"])
    state = combine(lambda x: float(x > high) - float(x < low), percentiles)
    return state, percentiles
