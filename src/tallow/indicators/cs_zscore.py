"""Distance from the mean of all instruments."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import CROSS, Indicator, Output
from tallow.indicators._cross import compensated_sum


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: none."""
    for moment in range(len(state)):
        a, z = offsets[moment], offsets[moment + 1]
        if a == z:
            continue
        # Added up in the order of the values, the sums do not depend on that of the instruments.
        values = np.sort(close[a:z])
        mean = compensated_sum(values) / (z - a)
        deviation = math.sqrt(compensated_sum((values - mean) ** 2) / (z - a))
        is_flat = values[0] == values[-1] or deviation == 0.0
        for row in range(a, z):
            out[row] = math.nan if is_flat else (close[row] - mean) / deviation


INDICATOR = Indicator(
    name="cs_zscore",
    title="Cross-sectional z-score",
    inputs=("close",),
    outputs=(
        Output("zscore", "cs_zscore", "deviations", "distance from the mean of the instruments"),
    ),
    parameters=(),
    memory=CROSS,
    warmup=lambda _: (0,),
    state_size=lambda _: 0,
    advance=advance,
    formula="(value - mean) / standard deviation, over the instruments (population)",
    flat="no value where all instruments have the same",
    reference="SciPy, scipy.stats.zscore",
)
