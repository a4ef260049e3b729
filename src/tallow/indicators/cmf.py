"""Chaikin money flow."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length, zero_or_null
from tallow.indicators._flows import flow_step
from tallow.indicators._volume_windows import window_volumes
from tallow.indicators._windows import load_windows, next_stretch, start_stretches


@kernel
def advance(state, params, offsets, high, low, close, volume, out):  # type: ignore[no-untyped-def]
    """State: the places of the last ``length - 1`` closes in their ranges, then as many volumes."""
    n, flat = int(params[0]), 0.0 if params[1] == 1.0 else np.nan
    rows, room, who, side = start_stretches(n)
    window, work, places = np.empty((2, room)), np.empty((6, room)), np.empty(rows)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        h, l, c, now = high[a:z], low[a:z], close[a:z], places[: z - a]
        for j in range(len(now)):
            now[j] = flow_step(h[j], l[j], c[j], 1.0)
        x = load_windows(state, 0, n - 1, who, side, now, window[0])
        units = load_windows(state, n - 1, n - 1, who, side, volume[a:z], window[1])
        sums, volumes = window_volumes(x, units, n, side, work)
        newest, flow = x[(n - 1) * side :], out[a:z]
        for j in range(len(flow)):
            # A mean of places; its last bit may lie beyond all of them.
            mean = newest[j] + sums[j] / (volumes[j] if volumes[j] != 0.0 else 1.0)
            mean = 1.0 if mean > 1.0 else mean
            mean = -1.0 if mean < -1.0 else mean
            flow[j] = mean if volumes[j] != 0.0 else flat
        a = z


INDICATOR = Indicator(
    name="cmf",
    title="Chaikin money flow",
    inputs=("high", "low", "close", "volume"),
    outputs=(Output("cmf", "cmf_{length}", "ratio", "mean place of closes", -1.0, 1.0),),
    parameters=(
        length(20),
        zero_or_null("the volume"),
    ),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: 2 * (int(p["length"]) - 1),
    advance=advance,
    formula="sum(volume x ((close - low) - (high - close)) / (high - low)) / sum(volume)",
    reference="Chaikin, as described by Achelis (2001), Technical Analysis from A to Z",
    flat="null where no volume was traded over length rows; 0 in TA-Lib",
    presets={"talib": {"flat": "zero"}},
    version=4,
    compared=("talib",),
    names={"talib": "CMF", "pandas_ta": "cmf"},
)
