"""Correlation with another series."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length, zero_or_null
from tallow.indicators._pairs import window_products
from tallow.indicators._windows import load_windows, next_stretch, start_stretches


@kernel
def advance(state, params, offsets, close, other, out):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` closes, then as many of the other series."""
    n = int(params[0])
    flat = 0.0 if params[1] == 1.0 else np.nan
    rows, room, who, side = start_stretches(n)
    window, work = np.empty((2, room)), np.empty((5, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window[0])
        y = load_windows(state, n - 1, n - 1, who, side, other[a:z], window[1])
        xx, yy, xy = window_products(x, y, n, side, work)
        share = out[a:z]
        for j in range(len(share)):
            if xx[j] > 0.0 and yy[j] > 0.0:
                value = xy[j] / (math.sqrt(xx[j]) * math.sqrt(yy[j]))
                share[j] = min(max(value, -1.0), 1.0)
            else:
                # Missing rows make a missing value.
                share[j] = flat if xy[j] == xy[j] else np.nan
        a = z


INDICATOR = Indicator(
    name="correlation",
    title="Correlation with another series",
    inputs=("close", "volume"),
    outputs=(Output("correlation", "correlation_{length}", "ratio", "Pearson's", -1.0, 1.0),),
    parameters=(length(20, minimum=2), zero_or_null("a deviation")),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: 2 * (int(p["length"]) - 1),
    advance=advance,
    formula="covariance of close and source, over both deviations, over length rows; the source is "
    "the volume, or another column, or an indicator: security(KEY) is another instrument's close",
    reference="Pearson (1896), Regression, Heredity and Panmixia; of values, not of returns",
    flat="null on TradingView, 0 in TA-Lib",
    presets={"talib": {"flat": "zero"}},
    version=3,
    compared=("talib",),
    source="volume",
    names={"talib": "CORREL", "pine": "ta.correlation"},
    aliases=("correl",),
)
