"""Parkinson's volatility: of ranges."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import YEAR_ROWS
from tallow.indicators._volatilities import (
    _returns,
    advance_mean_variance,
    in_percent,
    volatility,
)


@kernel
def advance(state, params, offsets, high, low, year_rows, out):  # type: ignore[no-untyped-def]
    """State: as `advance_mean_variance` has it."""
    variances = np.empty(len(high))
    _returns(low, high, variances)
    for row in range(len(high)):
        variances[row] *= variances[row] / (4.0 * math.log(2.0))
    advance_mean_variance(state, params, offsets, variances, year_rows, out)


INDICATOR = volatility(
    name="parkinson",
    title="Parkinson's volatility",
    inputs=("high", "low", YEAR_ROWS),
    outputs=in_percent("parkinson", "volatility of a year, of highs and lows"),
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    formula="100 sqrt(rows per year x mean of log(high / low)^2 / (4 log 2) over length rows)",
    reference="Parkinson (1980), The Extreme Value Method for Estimating the Variance of the Rate "
    "of Return, Journal of Business 53:1; no drift, and no gaps between rows",
    version=2,
)
