"""Aroon oscillator."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._ages import window_ages
from tallow.indicators._declare import length
from tallow.indicators._windows import hide_missing, load_windows, next_stretch, start_stretches


@kernel
def advance(state, params, offsets, high, low, out):  # type: ignore[no-untyped-def]
    """State: as aroon's."""
    n = int(params[0])
    rows, room, who, side = start_stretches(n + 1)
    window, work, fallen = np.empty((2, room)), np.empty((4, room)), np.empty(rows)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        for j in range(z - a):
            fallen[j] = -low[a + j]
        index = out[a:z]
        for k in range(2):
            source = high[a:z] if k == 0 else fallen[: z - a]
            x = load_windows(state, k * n, n, who, side, source, window[k])
            ages = window_ages(x, n + 1, side, work)
            for j in range(len(index)):
                age = 100.0 * (n - ages[j]) / n
                index[j] = age if k == 0 else index[j] - age
            hide_missing(x, n + 1, side, work, index)
        a = z


INDICATOR = Indicator(
    name="aroon_oscillator",
    title="Aroon oscillator",
    inputs=("high", "low"),
    outputs=(
        Output(
            "aroon_oscillator",
            "aroon_oscillator_{length}",
            "percent",
            "how much newer the highest high is than the lowest low",
            -100.0,
            100.0,
        ),
    ),
    parameters=(length(14),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda p: 2 * int(p["length"]),
    advance=advance,
    formula="aroon up - aroon down",
    reference="Chande (1995), A Time Price Oscillator, S&C 13:9",
    flat="0: of equal extremes the latest counts",
    version=5,
    compared=("talib",),
    aliases=("aroonosc",),
    names={"talib": "AROONOSC"},
)
