"""Volatilities of a year: logarithms of prices, means over windows, and how long a year is."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from tallow.core.kernel import kernel_part
from tallow.core.operator import WINDOW, Indicator, Output, Parameter
from tallow.indicators._declare import length
from tallow.indicators._windows import load_windows, next_stretch, start_stretches, window_means

ROWS_PER_YEAR = Parameter(
    "rows_per_year",
    0,
    "rows of the timeframe in a year; 0: as many as the calendar had in the twelve months before",
    0,
    600_000,
)


@kernel_part
def _returns(before, close, out):  # type: ignore[no-untyped-def]
    """Write logarithms of changes; of a small one from the difference, which has its digits."""
    for j in range(len(out)):
        a, b = before[j], close[j]
        if a > 0.0 and b > 0.0:
            out[j] = math.log1p((b - a) / a) if 0.5 * a < b < 2.0 * a else math.log(b / a)
        else:
            out[j] = np.nan


@kernel_part
def write_drift_free(open_, high, low, close, out):  # type: ignore[no-untyped-def]
    """Write Rogers and Satchell's variance of each row."""
    one, other = np.empty(len(out)), np.empty(len(out))
    _returns(close, high, one)
    _returns(open_, high, other)
    for row in range(len(out)):
        out[row] = one[row] * other[row]
    _returns(close, low, one)
    _returns(open_, low, other)
    for row in range(len(out)):
        out[row] += one[row] * other[row]


@kernel_part
def annualise(variances, rows_per_year, year_rows, out):  # type: ignore[no-untyped-def]
    """Write volatilities of a year, in percent, of variances of a row."""
    for j in range(len(out)):
        rows = rows_per_year if rows_per_year > 0.0 else year_rows[j]
        year = rows * variances[j]
        out[j] = 100.0 * math.sqrt(year) if year >= 0.0 else np.nan


@kernel_part
def advance_mean_variance(state, params, offsets, variances, year_rows, out):  # type: ignore[no-untyped-def]
    """Write volatilities of a year of windows, of one estimate of the variance for each row.

    State: the last ``length - 1`` of these.
    """
    n = int(params[0])
    rows, room, who, side = start_stretches(n)
    window, work = np.empty(room), np.empty((3, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, variances[a:z], window)
        window_means(x, n, side, work, out[a:z])
        annualise(out[a:z], params[1], year_rows[a:z], out[a:z])
        a = z


volatility = partial(
    Indicator,
    parameters=(length(20, minimum=2), ROWS_PER_YEAR),
    memory=WINDOW,
    flat="exactly 0; null where a price is not above zero, or the calendar does not cover a year",
)
"""Declares a volatility of a year; a calendar's first year has none without `rows_per_year`."""


def in_percent(name: str, description: str) -> tuple[Output, ...]:
    """Return the output of a volatility of a year."""
    return (Output(name, f"{name}_{{length}}", "percent", description, 0.0),)
