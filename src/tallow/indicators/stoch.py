"""Stochastic oscillator."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import WINDOW, Indicator, Output, Values
from tallow.indicators._declare import START, length, zero_or_null
from tallow.indicators._extremes import window_highest, window_lowest
from tallow.indicators._windows import (
    copy_into,
    load_windows,
    next_stretch,
    start_stretches,
    window_means,
)


@kernel_part
def _place(close, highest, lowest, flat, out):  # type: ignore[no-untyped-def]
    """Where the close lies in the window's range, in percent."""
    for j in range(len(out)):
        reach = highest[j] - lowest[j]
        out[j] = 100.0 * (close[j] - lowest[j]) / reach if reach != 0.0 else flat


@kernel
def advance(state, params, offsets, high, low, close, out_k, out_d):  # type: ignore[no-untyped-def]
    """State: the last highs, lows and closes of all three windows together."""
    n, smooth_k, smooth_d = int(params[0]), int(params[1]), int(params[2])
    flat = 0.0 if params[3] == 1.0 else np.nan
    kept = n + smooth_k + smooth_d - 3
    rows, room, who, side = start_stretches(kept + 1)
    window, work = np.empty((3, room)), np.empty((3, room))
    extreme = np.empty((4, room))
    raw, k = np.empty(room), np.empty(room)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        highs = load_windows(state, 0, kept, who, side, high[a:z], window[0])
        lows = load_windows(state, kept, kept, who, side, low[a:z], window[1])
        closes = load_windows(state, 2 * kept, kept, who, side, close[a:z], window[2])
        highest = window_highest(highs, n, side, extreme[:2])
        lowest = window_lowest(lows, n, side, extreme[2:])
        place = raw[: len(highest)]
        _place(closes[(n - 1) * side :], highest, lowest, flat, place)
        smooth = k[: z - a + (smooth_d - 1) * side]
        window_means(place, smooth_k, side, work, smooth)
        window_means(smooth, smooth_d, side, work, out_d[a:z])
        copy_into(out_k[a:z], smooth[(smooth_d - 1) * side :])
        if params[4] == 1.0:
            for row in range(a, z):
                if out_d[row] != out_d[row]:
                    out_k[row] = np.nan
        a = z


def _warmup(p: Values) -> tuple[int, ...]:
    k = int(p["length"]) + int(p["smooth_k"]) - 2
    d = k + int(p["smooth_d"]) - 1
    return (d if p["start"] == "together" else k, d)


_N = "{length}_{smooth_k}_{smooth_d}"

INDICATOR = Indicator(
    name="stoch",
    title="Stochastic oscillator",
    inputs=("high", "low", "close"),
    outputs=(
        Output("k", f"stoch_k_{_N}", "percent", "smoothed place in the range", 0.0, 100.0),
        Output("d", f"stoch_d_{_N}", "percent", "mean of k", 0.0, 100.0),
    ),
    parameters=(
        length(14),
        length(1, name="smooth_k"),
        length(3, name="smooth_d"),
        zero_or_null("the range"),
        START,
    ),
    memory=WINDOW,
    warmup=_warmup,
    state_size=lambda p: 3 * (int(p["length"]) + int(p["smooth_k"]) + int(p["smooth_d"]) - 3),
    advance=advance,
    formula="k = sma(100 (close - lowest low) / (highest high - lowest low)); d = sma(k)",
    reference="Lane (1984), Lane's Stochastics, Stocks & Commodities 2:3",
    flat="null on TradingView, 0 in TA-Lib",
    presets={"talib": {"flat": "zero", "start": "together"}},
    version=6,
    compared=("talib",),
    names={"talib": "STOCH", "pine": "ta.stoch", "pandas_ta": "stoch"},
)
