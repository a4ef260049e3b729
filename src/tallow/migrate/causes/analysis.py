"""Other formulas of volatilities of a year, and of the strength and the state of a trend."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from tallow.core.arrays import Floats, Times
from tallow.core.spec import Spec, make_spec
from tallow.migrate.causes.bars import Bars
from tallow.migrate.causes.models import Formula, FormulaModel, length_of, number_of, run_indicator
from tallow.migrate.pairs import Cause

FIXED_YEAR_ROWS = 252
HISTORY_WEEKDAYS = 60


def other_years(spec: Spec, output: str) -> tuple[Formula, ...]:
    """Return volatilities of a year of 252 rows, and of deviations that divide by all rows."""

    def compute(which: Spec, factor: float, bars: Bars) -> FormulaModel:
        return FormulaModel(run_indicator(which, output, bars) * factor)

    n, values = length_of(spec), dict(spec.values)
    fixed = make_spec(
        spec.indicator, values | {"rows_per_year": FIXED_YEAR_ROWS}, "tradingview", spec.outputs
    )
    is_open = not values["rows_per_year"]
    found = [Formula(Cause.FIXED_YEAR, partial(compute, fixed, 1.0))] if is_open else []
    if spec.indicator.name != "realised_volatility":
        return tuple(found)
    whole = math.sqrt((n - 1) / n)
    population = Cause.SAMPLE_AGAINST_POPULATION
    every = [(population, spec), *((each.causes | population, fixed) for each in found)]
    found += [Formula(causes, partial(compute, which, whole)) for causes, which in every]
    causes = every[-1][0] | Cause.OTHER_SEED
    return (*found, Formula(causes, partial(_early, n, _population_year)))


def _early(rows: int, summary: Callable[[Floats], float], bars: Bars) -> FormulaModel:
    """Return a window's summary while it is not full, and nothing later."""
    close = bars.columns["close"]
    values = np.full(len(close), np.nan)
    for row in range(1, min(rows, len(close))):
        values[row] = summary(close[: row + 1])
    return FormulaModel(values)


def _population_year(close: Floats) -> float:
    return float(100.0 * math.sqrt(FIXED_YEAR_ROWS) * np.std(np.diff(np.log(close))))


def other_lines(spec: Spec, output: str) -> tuple[Formula, ...]:
    """Return the line of a window whose rows are counted from the newest."""

    def compute(bars: Bars) -> FormulaModel:
        return FormulaModel(-run_indicator(spec, output, bars))

    def fit(close: Floats) -> float:
        with np.errstate(invalid="ignore"):
            return float(-np.corrcoef(close, np.arange(len(close)))[0, 1])

    if output == "r_squared":
        return ()
    found = [Formula(Cause.REVERSED_WINDOW, compute)]
    if output == "strength":
        early = Cause.REVERSED_WINDOW | Cause.OTHER_SEED
        found.append(Formula(early, partial(_early, length_of(spec) - 1, fit)))
    return tuple(found)


def other_states(spec: Spec, output: str) -> tuple[Formula, ...]:
    """Return states and shares by averages of a short history, and the larger of two shares."""

    def short(is_larger: bool, bars: Bars) -> FormulaModel:
        below = _share_below(bars, length_of(spec), int(number_of(spec, "window")))
        if output == "share":
            return FormulaModel(np.maximum(below, 100.0 - below) if is_larger else 100.0 - below)
        enough = number_of(spec, "threshold")
        state = np.where(below >= enough, -1.0, np.where(100.0 - below >= enough, 1.0, 0.0))
        return FormulaModel(np.where(np.isnan(below), np.nan, state))

    def larger(bars: Bars) -> FormulaModel:
        share = run_indicator(spec, output, bars)
        return FormulaModel(np.maximum(share, 100.0 - share))

    found = [Formula(Cause.SHORT_HISTORY, partial(short, False))]
    if output == "share":
        found.append(Formula(Cause.SHORT_HISTORY | Cause.LARGER_SHARE, partial(short, True)))
        found.append(Formula(Cause.LARGER_SHARE, larger))
    return tuple(found)


def _share_below(bars: Bars, length: int, window: int) -> Floats:
    """Return the percent of closes below their averages, each begun 60 weekdays before its row."""
    close, begins = bars.columns["close"], _weekdays_before(bars.time)
    below = np.full(len(close), np.nan)
    for row in range(len(close)):
        average = _last_average(close[begins[row] : row + 1], length)
        below[row] = np.nan if average is None else 100.0 * (close[row] < average)
    if len(below) < window:
        return np.full(len(close), np.nan)
    shares = np.lib.stride_tricks.sliding_window_view(below, window).mean(axis=1)
    return np.concatenate([np.full(window - 1, np.nan), shares])


def _weekdays_before(times: Times) -> Times:
    """Return the first row since 60 weekdays before each row."""
    days = times.astype("datetime64[us]").astype("datetime64[D]")
    first = np.busday_offset(days, -HISTORY_WEEKDAYS, roll="forward")
    return np.minimum(np.searchsorted(days, first), np.arange(len(days)))


def _last_average(close: Floats, length: int) -> float | None:
    if len(close) < length:
        return None
    value = float(close[:length].mean())
    for x in close[length:].tolist():
        value += (x - value) * 2.0 / (length + 1)
    return value
