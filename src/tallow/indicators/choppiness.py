"""Choppiness index."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._extremes import window_highest, window_lowest
from tallow.indicators._ranges import true_ranges
from tallow.indicators._windows import load_windows, next_stretch, start_stretches, window_sums


@kernel
def advance(state, params, offsets, high, low, close, out):  # type: ignore[no-untyped-def]
    """State: the last ``length`` highs, lows and closes."""
    n = int(params[0])
    rows, room, who, side = start_stretches(n + 1)
    window, ranges = np.empty((3, room)), np.empty(room)
    work, extremes = np.empty((3, room)), np.empty((4, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        h = load_windows(state, 0, n, who, side, high[a:z], window[0])[side:]
        l = load_windows(state, n, n, who, side, low[a:z], window[1])[side:]
        c = load_windows(state, 2 * n, n, who, side, close[a:z], window[2])
        reach = ranges[: len(h)]
        true_ranges(h, l, c, reach)
        highest = window_highest(h, n, side, extremes[:2])
        lowest = window_lowest(l, n, side, extremes[2:])
        sums, newest, now = window_sums(reach, n, side, work), reach[(n - 1) * side :], close[a:z]
        index = out[a:z]
        for j in range(len(index)):
            span, path = highest[j] - lowest[j], n * newest[j] + sums[j]
            # A path is never shorter than the span; its last bit may be.
            chop = math.log(max(path / span, 1.0)) if span > 0.0 else np.nan
            index[j] = 100.0 * chop / math.log(n) if path == path and now[j] == now[j] else np.nan
        a = z


INDICATOR = Indicator(
    name="choppiness",
    title="Choppiness index",
    inputs=("high", "low", "close"),
    outputs=(
        Output("choppiness", "choppiness_{length}", "percent", "path of prices by range", 0.0),
    ),
    parameters=(length(14, minimum=2),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda p: 3 * int(p["length"]),
    advance=advance,
    formula="100 log(sum(true range) / (highest high - lowest low)) / log(length), of length rows",
    reference="Dreiss, as described by TradingView; there the first row's range counts, too",
    version=5,
    flat="null while the highest high is the lowest low",
    aliases=("chop",),
    names={"pandas_ta": "chop"},
)
