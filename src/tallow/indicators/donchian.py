"""Donchian channel."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._extremes import window_highest, window_lowest
from tallow.indicators._windows import load_windows, next_stretch, start_stretches


@kernel
def advance(state, params, offsets, high, low, upper, middle, lower):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` highs, then as many lows."""
    n = int(params[0])
    rows, room, who, side = start_stretches(n)
    window, work = np.empty((2, room)), np.empty((4, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        highs = load_windows(state, 0, n - 1, who, side, high[a:z], window[0])
        lows = load_windows(state, n - 1, n - 1, who, side, low[a:z], window[1])
        highest = window_highest(highs, n, side, work[:2])
        lowest = window_lowest(lows, n, side, work[2:])
        up, mid, down = upper[a:z], middle[a:z], lower[a:z]
        for j in range(z - a):
            up[j], down[j] = highest[j], lowest[j]
            mid[j] = (highest[j] + lowest[j]) / 2.0
        a = z


INDICATOR = Indicator(
    name="donchian",
    title="Donchian channel",
    inputs=("high", "low"),
    outputs=(
        Output("upper", "donchian_upper_{length}", "price", "highest high, this row included"),
        Output("middle", "donchian_middle_{length}", "price", "middle of the channel"),
        Output("lower", "donchian_lower_{length}", "price", "lowest low, this row included"),
    ),
    parameters=(length(20),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,) * 3,
    state_size=lambda p: 2 * (int(p["length"]) - 1),
    advance=advance,
    formula="highest high and lowest low over length rows, and their mean",
    reference="Donchian (1960), High Finance in Copper, Financial Analysts Journal 16:6",
    version=5,
    compared=("talib",),
    names={"talib": "DONCHIAN", "pandas_ta": "donchian"},
)
