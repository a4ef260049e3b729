"""Williams percent range."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length, zero_or_null
from tallow.indicators._extremes import window_highest, window_lowest
from tallow.indicators._windows import load_windows, next_stretch, start_stretches


@kernel
def advance(state, params, offsets, high, low, close, out):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` highs, then as many lows."""
    n = int(params[0])
    flat = 0.0 if params[1] == 1.0 else np.nan
    rows, room, who, side = start_stretches(n)
    window, work = np.empty((2, room)), np.empty((4, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        highs = load_windows(state, 0, n - 1, who, side, high[a:z], window[0])
        lows = load_windows(state, n - 1, n - 1, who, side, low[a:z], window[1])
        highest = window_highest(highs, n, side, work[:2])
        lowest, newest, place = window_lowest(lows, n, side, work[2:]), close[a:z], out[a:z]
        for j in range(len(place)):
            reach = highest[j] - lowest[j]
            place[j] = 100.0 * ((newest[j] - highest[j]) / reach) if reach != 0.0 else flat
        a = z


INDICATOR = Indicator(
    name="williams_r",
    title="Williams %R",
    inputs=("high", "low", "close"),
    outputs=(
        Output("williams_r", "williams_r_{length}", "percent", "place below the top", -100.0, 0.0),
    ),
    parameters=(length(14), zero_or_null("the range")),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: 2 * (int(p["length"]) - 1),
    advance=advance,
    formula="100 (close - highest high) / (highest high - lowest low), over length rows",
    reference="Williams (1973), How I Made One Million Dollars Last Year Trading Commodities",
    flat="null on TradingView, 0 in TA-Lib",
    version=4,
    presets={"talib": {"flat": "zero"}},
    compared=("talib",),
    aliases=("willr", "wpr"),
    names={"talib": "WILLR", "pine": "ta.wpr", "pandas_ta": "willr"},
)
