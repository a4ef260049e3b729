"""Middle of the range of highs and lows."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._extremes import window_highest, window_lowest
from tallow.indicators._windows import load_windows, next_stretch, start_stretches


@kernel
def advance(state, params, offsets, high, low, out):  # type: ignore[no-untyped-def]
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
        lowest, middle = window_lowest(lows, n, side, work[2:]), out[a:z]
        for j in range(len(middle)):
            middle[j] = (highest[j] + lowest[j]) / 2.0
        a = z


INDICATOR = Indicator(
    name="midprice",
    title="Midprice",
    inputs=("high", "low"),
    outputs=(Output("midprice", "midprice_{length}", "price", "middle of the range"),),
    parameters=(length(14),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: 2 * (int(p["length"]) - 1),
    advance=advance,
    formula="(highest high + lowest low) / 2, over length rows",
    reference="the definition, as TA-Lib's MIDPRICE",
    version=4,
    compared=("talib",),
    names={"talib": "MIDPRICE", "pandas_ta": "midprice"},
)
