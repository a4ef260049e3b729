"""Volume-weighted moving average."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._volume_windows import window_volumes
from tallow.indicators._windows import load_windows, next_stretch, start_stretches


@kernel
def advance(state, params, offsets, close, volume, out):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` closes, then as many volumes."""
    n = int(params[0])
    rows, room, who, side = start_stretches(n)
    window, work = np.empty((2, room)), np.empty((6, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window[0])
        units = load_windows(state, n - 1, n - 1, who, side, volume[a:z], window[1])
        sums, volumes = window_volumes(x, units, n, side, work)
        newest, mean = x[(n - 1) * side :], out[a:z]
        for j in range(len(mean)):
            mean[j] = newest[j] + sums[j] / volumes[j] if volumes[j] != 0.0 else np.nan
        a = z


INDICATOR = Indicator(
    name="vwma",
    title="Volume-weighted moving average",
    inputs=("close", "volume"),
    outputs=(Output("vwma", "vwma_{length}", "price", "mean of the closes, by volume"),),
    parameters=(length(20),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: 2 * (int(p["length"]) - 1),
    advance=advance,
    formula="sum(close x volume) / sum(volume) over length rows",
    reference="the definition, as TradingView's ta.vwma",
    flat="null where no volume was traded over length rows",
    version=4,
    compared=("talib",),
    names={"talib": "VWMA", "pine": "ta.vwma", "pandas_ta": "vwma"},
)
