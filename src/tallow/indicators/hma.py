"""Hull moving average."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output, Values
from tallow.indicators._declare import length
from tallow.indicators._lines import window_weighted_means
from tallow.indicators._windows import (
    load_windows,
    next_stretch,
    start_stretches,
)


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the closes of all three windows together."""
    n = int(params[0])
    half, root = n // 2, int(np.sqrt(params[0]))
    kept = n + root - 2
    rows, room, who, side = start_stretches(kept + 1)
    window, work, means = np.empty(room), np.empty((6, room)), np.empty((2, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, kept, who, side, close[a:z], window)
        count = len(x) - (n - 1) * side
        whole, hull = means[0, :count], means[1, :count]
        window_weighted_means(x, n, side, work, whole)
        window_weighted_means(x[(n - half) * side :], half, side, work, hull)
        for j in range(count):
            hull[j] += hull[j] - whole[j]
        window_weighted_means(hull, root, side, work, out[a:z])
        a = z


def _kept(p: Values) -> int:
    return int(p["length"]) + int(int(p["length"]) ** 0.5) - 2


INDICATOR = Indicator(
    name="hma",
    title="Hull moving average",
    inputs=("close",),
    outputs=(Output("hma", "hma_{length}", "price", "weighted means, joined to lag less"),),
    parameters=(length(9, minimum=2),),
    memory=WINDOW,
    warmup=lambda p: (_kept(p),),
    state_size=_kept,
    advance=advance,
    formula="wma(2 wma(close, length / 2) - wma(close, length), sqrt(length)), each rounded down",
    reference="Hull (2005), How to reduce lag in a moving average",
    version=2,
    compared=("talib",),
    names={"talib": "HMA", "pine": "ta.hma", "pandas_ta": "hma"},
)
