"""Acceleration bands."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._windows import load_windows, next_stretch, start_stretches, window_means


@kernel_part
def _accelerated(high, low, above, below):  # type: ignore[no-untyped-def]
    """Write the high and the low, moved apart by four times the range's part of their sum."""
    for j in range(len(above)):
        both = high[j] + low[j]
        part = 4.0 * ((high[j] - low[j]) / (both if both != 0.0 else 1.0))
        above[j], below[j] = high[j] * (1.0 + part), low[j] * (1.0 - part)


@kernel
def advance(state, params, offsets, high, low, close, upper, middle, lower):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` accelerated highs, closes, and accelerated lows."""
    n = int(params[0])
    rows, room, who, side = start_stretches(n)
    window, work = np.empty(room), np.empty((3, room))
    tops, bottoms = np.empty(rows), np.empty(rows)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        above, below = tops[: z - a], bottoms[: z - a]
        _accelerated(high[a:z], low[a:z], above, below)
        x = load_windows(state, 0, n - 1, who, side, above, window)
        window_means(x, n, side, work, upper[a:z])
        x = load_windows(state, n - 1, n - 1, who, side, close[a:z], window)
        window_means(x, n, side, work, middle[a:z])
        x = load_windows(state, 2 * (n - 1), n - 1, who, side, below, window)
        window_means(x, n, side, work, lower[a:z])
        a = z


INDICATOR = Indicator(
    name="accbands",
    title="Acceleration bands",
    inputs=("high", "low", "close"),
    outputs=(
        Output("upper", "accbands_upper_{length}", "price", "mean of accelerated highs"),
        Output("middle", "accbands_middle_{length}", "price", "mean of closes"),
        Output("lower", "accbands_lower_{length}", "price", "mean of accelerated lows"),
    ),
    parameters=(length(20),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,) * 3,
    state_size=lambda p: 3 * (int(p["length"]) - 1),
    advance=advance,
    formula="sma(high (1 + w)), sma(close), sma(low (1 - w)); w = 4 (high - low) / (high + low)",
    reference="Headley (2002), Big Trends in Trading",
    flat="w is 0 where high and low are",
    version=2,
    compared=("talib",),
    names={"talib": "ACCBANDS", "pandas_ta": "accbands"},
)
