"""Period of the dominant cycle."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._hilbert import HILBERT, hilbert_step

WARMUP = 32
"""The first row that is shown, as in TA-Lib."""


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: that of the transform."""
    for i in range(len(state)):
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            out[row] = np.nan
            if x != x:
                continue
            _, _, smooth = hilbert_step(state, i, 0, x)
            if state[i, 0] > WARMUP:
                out[row] = smooth


INDICATOR = Indicator(
    name="ht_dcperiod",
    title="Period of the dominant cycle",
    inputs=("close",),
    outputs=(Output("ht_dcperiod", "ht_dcperiod", "rows", "period of the cycle", 6.0, 50.0),),
    parameters=(),
    memory=RECURSIVE,
    warmup=lambda _: (WARMUP,),
    state_size=lambda _: HILBERT,
    advance=advance,
    formula="the smoothed period of the angle between parts in phase and in quadrature of a "
    "Hilbert transform of four terms, within 6 and 50 rows",
    reference="Ehlers (2001), Rocket Science for Traders, as TA-Lib's HT_DCPERIOD",
    seed="prices before the first as that one, a period of 6; in TA-Lib zero",
    flat="6",
    names={"talib": "HT_DCPERIOD"},
)
