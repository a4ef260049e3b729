"""Rogers and Satchell's volatility: of whole candles, whatever their drift."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import YEAR_ROWS
from tallow.indicators._volatilities import (
    advance_mean_variance,
    in_percent,
    volatility,
    write_drift_free,
)


@kernel
def advance(state, params, offsets, open_, high, low, close, year_rows, out):  # type: ignore[no-untyped-def]
    """State: as `advance_mean_variance` has it."""
    variances = np.empty(len(high))
    write_drift_free(open_, high, low, close, variances)
    advance_mean_variance(state, params, offsets, variances, year_rows, out)


INDICATOR = volatility(
    name="rogers_satchell",
    title="Rogers and Satchell's volatility",
    inputs=("open", "high", "low", "close", YEAR_ROWS),
    outputs=in_percent("rogers_satchell", "volatility of a year, of whole candles"),
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    formula="100 sqrt(rows per year x mean over length rows of log(high / close) log(high / open) "
    "+ log(low / close) log(low / open))",
    reference="Rogers and Satchell (1991), Estimating Variance from High, Low and Closing Prices, "
    "Annals of Applied Probability 1:4; any drift, and no gaps between rows",
    version=2,
)
