"""Goal: what is statistics in our indicators is what SciPy's functions of a window give.

Method: row by row over a random walk, on windows cut out of it: the line of least squares with its
correlation, and the percentile of a volatility among those before, of which some are equal.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy import stats

from tallow.core.arrays import Floats
from tallow.testing.histories import flat, joined, walk
from tests.running import case

CLOSE_ENOUGH = 1e-9


def whole(column: Floats, rows: int) -> Floats:
    """Return the values of a column, of which the first ones are missing."""
    assert np.isnan(column[: len(column) - rows]).all()
    return column[len(column) - rows :]


@pytest.mark.parametrize("length", [3, 20, 60])
def test_trend_strength_is_the_correlation_of_linregress(length: int) -> None:
    rows = walk(400)
    windows = sliding_window_view(rows["close"], length)
    lines = [stats.linregress(np.arange(length), window) for window in windows]
    strength, slope, share = (
        whole(column, len(windows)) for column in case(f"trend_strength({length})").run(rows)
    )
    np.testing.assert_allclose(strength, [line.rvalue for line in lines], CLOSE_ENOUGH, 1e-12)
    np.testing.assert_allclose(slope, [line.slope for line in lines], CLOSE_ENOUGH, 1e-12)
    np.testing.assert_allclose(share, [line.rvalue**2 for line in lines], CLOSE_ENOUGH, 1e-12)


def test_volatility_percentiles_are_those_of_percentileofscore() -> None:
    """A market that stands still for a while has volatilities that are equal: zero."""
    before = walk(150)
    still = flat(60, float(before["close"][-1]))
    rows = joined([before, still, walk(150, 5, float(before["close"][-1]))])
    returns = np.diff(np.log(rows["close"]))
    volatilities = np.std(sliding_window_view(returns, 10), axis=1, ddof=1)
    earlier = sliding_window_view(volatilities, 51)
    wanted = [stats.percentileofscore(part[:-1], part[-1], "mean") for part in earlier]
    state, percentile = (
        whole(column, len(earlier)) for column in case("volatility_state(10, 50)").run(rows)
    )
    np.testing.assert_allclose(percentile, wanted, CLOSE_ENOUGH)
    assert 50.0 in wanted
    levels = np.digitize(wanted, [25.0, 75.0 + 1e-9]) - 1.0
    np.testing.assert_array_equal(state, levels)
