"""Trend without the dominant cycle."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._hilbert import HILBERT, WARMUP, hilbert_step, trend_step


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: that of the transform, the means of the last three rows."""
    for i in range(len(state)):
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            out[row] = np.nan
            if x != x:
                continue
            t = int(state[i, 0])
            _, _, smooth = hilbert_step(state, i, 0, x)
            line = trend_step(state, i, 0, t, HILBERT, smooth)
            if t >= WARMUP:
                out[row] = line


INDICATOR = Indicator(
    name="ht_trendline",
    title="Instantaneous trendline",
    inputs=("close",),
    outputs=(Output("ht_trendline", "ht_trendline", "price", "mean of a cycle's closes"),),
    parameters=(),
    memory=RECURSIVE,
    warmup=lambda _: (WARMUP,),
    state_size=lambda _: HILBERT + 3,
    advance=advance,
    formula="(4 m + 3 m1 + 2 m2 + m3) / 10, of four rows; m = mean of the closes of a period of "
    "the dominant cycle",
    reference="Ehlers (2001), Rocket Science for Traders, as TA-Lib's HT_TRENDLINE",
    seed="prices before the first as that one, a period of 6; in TA-Lib zero",
    names={"talib": "HT_TRENDLINE"},
)
