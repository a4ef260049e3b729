"""Goal: averages that run side by side, or in parts of a long series, have the bits of one after
the other.

Method: the formula, row by row in plain Python, on series that an average forgets fast, slowly and
never; whole and cut, of one instrument and of many with unequal numbers of rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pytest

from tallow.core.kernel import read_only
from tallow.indicators import atr, ema, rma

_RANDOM = np.random.default_rng(11)
_WALK = 100.0 + _RANDOM.normal(0.0, 0.3, 9_000).cumsum()
SERIES = {
    "walk": _WALK,
    "rounded": np.round(_WALK),
    "holes": np.where(_RANDOM.random(9_000) < 0.02, np.nan, _WALK),
    # From far away an average comes close, and stays a digit short of what a later start finds.
    "one step": np.where(np.arange(9_000) < 40, 1e7, 100.1),
    "zeros": np.where(np.arange(9_000) % 3_000 < 20, 5.0, 0.0),
    "back and forth": np.where(np.arange(9_000) % 2 == 0, 1e-300, 1e300),
}
LENGTHS = {"one": [9_000], "ragged": [1, 700, 0, 3_200, 2, 5_000, 97], "equal": [600] * 15}


def by_formula(values: Iterable[float], length: int, weight: float) -> list[float]:
    count, mean, shown = 0, 0.0, []
    for x in values:
        if math.isnan(x):
            shown.append(math.nan)
            continue
        if count < length:
            count += 1
            mean += (x - mean) / count
        else:
            mean += weight * (x - mean)
        shown.append(mean if count == length else math.nan)
    return shown


@pytest.mark.parametrize("sizes", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("series", SERIES.values(), ids=SERIES)
def test_an_average_is_its_formula_row_by_row(series, sizes):
    offsets = np.cumsum([0, *sizes])
    x = read_only(series[: offsets[-1]])
    for indicator, length, weight in ((ema, 3, 0.5), (ema, 19, 0.1), (rma, 14, 1.0 / 14)):
        expected = np.concatenate(
            [by_formula(each, length, weight) for each in np.split(x, offsets[1:-1])]
        )
        for cut in (0, 450):
            found = np.empty(len(x))
            state = np.zeros((len(sizes), 2))
            ends = np.minimum(offsets[:-1] + cut, offsets[1:])
            parts = [np.arange(a, z) for a, z in zip(offsets, ends, strict=False)]
            rest = [np.arange(a, z) for a, z in zip(ends, offsets[1:], strict=True)]
            for rows in (parts, rest):
                index = np.concatenate(rows)
                out = np.empty(len(index))
                cuts = np.cumsum([0, *map(len, rows)])
                taken = read_only(x[index])
                indicator.advance(state, np.array([float(length)]), cuts, taken, out)
                found[index] = out
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("series", SERIES.values(), ids=SERIES)
@pytest.mark.parametrize("skips", [0.0, 1.0])
def test_atr_is_the_average_of_true_ranges(series, skips):
    close = read_only(series)
    high, low = read_only(series + 0.2), read_only(series - _RANDOM.random(9_000))
    before, ranges = math.nan, []
    for top, bottom, c in zip(high.tolist(), low.tolist(), close.tolist(), strict=True):
        if math.isnan(c):
            ranges.append(math.nan)
            continue
        first = top - bottom if skips == 0.0 else math.nan
        wide = max(top - bottom, abs(top - before), abs(bottom - before))
        ranges.append(first if math.isnan(before) else wide)
        before = c
    found = np.empty(9_000)
    atr.advance(
        np.zeros((1, 4)), np.array([5.0, skips]), np.array([0, 9_000]), high, low, close, found
    )
    expected = np.array(by_formula(ranges, 5, 1.0 / 5))
    np.testing.assert_array_equal(found, expected)
