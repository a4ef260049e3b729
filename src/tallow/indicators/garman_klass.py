"""Garman and Klass's volatility: of ranges and of opens and closes."""

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
def advance(state, params, offsets, open_, high, low, close, year_rows, out):  # type: ignore[no-untyped-def]
    """State: as `advance_mean_variance` has it."""
    variances, moves = np.empty(len(high)), np.empty(len(high))
    _returns(low, high, variances)
    _returns(open_, close, moves)
    weight = 2.0 * math.log(2.0) - 1.0
    for row in range(len(high)):
        spread, move = variances[row], moves[row]
        variances[row] = 0.5 * (spread * spread) - weight * (move * move)
    advance_mean_variance(state, params, offsets, variances, year_rows, out)


INDICATOR = volatility(
    name="garman_klass",
    title="Garman and Klass's volatility",
    inputs=("open", "high", "low", "close", YEAR_ROWS),
    outputs=in_percent("garman_klass", "volatility of a year, of whole candles"),
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    formula="100 sqrt(rows per year x mean over length rows of "
    "log(high / low)^2 / 2 - (2 log 2 - 1) log(close / open)^2)",
    reference="Garman and Klass (1980), On the Estimation of Security Price Volatilities from "
    "Historical Data, Journal of Business 53:1; their practical estimator: no drift, no gaps",
    version=2,
)
