"""Aroon."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._ages import window_ages
from tallow.indicators._declare import length
from tallow.indicators._windows import hide_missing, load_windows, next_stretch, start_stretches


@kernel
def advance(state, params, offsets, high, low, up, down):  # type: ignore[no-untyped-def]
    """State: the last ``length`` highs, then as many lows with the other sign."""
    n = int(params[0])
    rows, room, who, side = start_stretches(n + 1)
    window, work, fallen = np.empty((2, room)), np.empty((4, room)), np.empty(rows)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        for j in range(z - a):
            fallen[j] = -low[a + j]
        for k in range(2):
            source = high[a:z] if k == 0 else fallen[: z - a]
            x = load_windows(state, k * n, n, who, side, source, window[k])
            ages, index = window_ages(x, n + 1, side, work), up[a:z] if k == 0 else down[a:z]
            for j in range(len(index)):
                index[j] = 100.0 * (n - ages[j]) / n
            hide_missing(x, n + 1, side, work, index)
        a = z


INDICATOR = Indicator(
    name="aroon",
    title="Aroon",
    inputs=("high", "low"),
    outputs=(
        Output("up", "aroon_up_{length}", "0..100", "how new the highest high is", 0.0, 100.0),
        Output("down", "aroon_down_{length}", "0..100", "how new the lowest low is", 0.0, 100.0),
    ),
    parameters=(length(14),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]),) * 2,
    state_size=lambda p: 2 * int(p["length"]),
    advance=advance,
    formula="100 (length - rows since the highest of length + 1 highs) / length; of lows too",
    reference="Chande (1995), A Time Price Oscillator, S&C 13:9",
    flat="100 up and down: of equal extremes the latest counts",
    version=3,
    compared=("talib",),
    names={"talib": "AROON", "pandas_ta": "aroon"},
)
