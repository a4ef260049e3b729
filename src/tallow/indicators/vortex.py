"""Vortex indicator."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._averages import range_step
from tallow.indicators._declare import length, zero_or_null
from tallow.indicators._ranges import true_ranges
from tallow.indicators._windows import keep_windows, next_stretch, start_stretches, window_sums


@kernel_part
def _measure(state, who, side, high, low, close, ranges, up, down):  # type: ignore[no-untyped-def]
    """Write each new row's true range, and how far its high and low are from low and high before.

    The first of them come after the rows that states begin with, where the last are kept.
    """
    last = len(high) - side
    for j in range(side):
        i = who[j]
        h, l, c = high[j], low[j], state[i, 2]
        ranges[j] = range_step(h, l, c) + (h + l + c) * 0.0
        up[j], down[j] = abs(h - state[i, 1]), abs(l - state[i, 0])
        state[i, 0], state[i, 1], state[i, 2] = high[last + j], low[last + j], close[last + j]
    tops, bottoms, rise, fall = high[side:], low[side:], up[side:], down[side:]
    true_ranges(tops, bottoms, close, ranges[side:])
    for j in range(len(rise)):
        rise[j], fall[j] = abs(tops[j] - low[j]), abs(bottoms[j] - high[j])


@kernel
def advance(state, params, offsets, high, low, close, plus, minus):  # type: ignore[no-untyped-def]
    """State: high, low and close before; the last ``length - 1`` ranges, ways up, ways down."""
    n, flat = int(params[0]), 0.0 if params[1] == 1.0 else np.nan
    rows, room, who, side = start_stretches(n)
    window, work, paths = np.empty((3, room)), np.empty((3, room)), np.empty(rows)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        count, first = z - a, (n - 1) * side
        ranges, up, down = window[0, first:], window[1, first:], window[2, first:]
        prices = high[a:z], low[a:z], close[a:z]
        _measure(state, who, side, *prices, ranges[:count], up[:count], down[:count])
        path = paths[:count]
        for k in range(3):
            keep_windows(state, 3 + k * (n - 1), n - 1, who, side, count, window[k])
            sums = window_sums(window[k, : first + count], n, side, work)
            if k == 0:
                for j in range(count):
                    path[j] = n * ranges[j] + sums[j]
                continue
            newest, out = up if k == 1 else down, plus[a:z] if k == 1 else minus[a:z]
            for j in range(len(out)):
                part = (n * newest[j] + sums[j]) / (path[j] if path[j] != 0.0 else 1.0)
                out[j] = part if path[j] != 0.0 else flat
        a = z


INDICATOR = Indicator(
    name="vortex",
    title="Vortex indicator",
    inputs=("high", "low", "close"),
    outputs=(
        Output("plus", "vortex_plus_{length}", "ratio", "upward movement by range", 0.0),
        Output("minus", "vortex_minus_{length}", "ratio", "downward movement by range", 0.0),
    ),
    parameters=(length(14), zero_or_null("the range")),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]),) * 2,
    state_size=lambda p: 3 * int(p["length"]),
    advance=advance,
    formula="sum(|high - low before|) / sum(true range) over length rows; |low - high before| too",
    reference="Botes and Siepman (2010), The Vortex Indicator, S&C 28:1",
    flat="null without any range over length rows; 0 in TA-Lib",
    presets={"talib": {"flat": "zero"}},
    version=3,
    compared=("talib",),
    names={"talib": "VORTEX", "pandas_ta": "vortex"},
)
