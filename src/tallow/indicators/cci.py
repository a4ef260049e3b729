"""Commodity channel index."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length, zero_or_null
from tallow.indicators._windows import load_windows, next_stretch, start_stretches, window_sums

ROUNDING = 1e-15
"""Of a price: prices that are no further apart than the rounding of a sum of three are equal."""


@kernel_part
def _add_distances(x, newest, middle, total):  # type: ignore[no-untyped-def]
    for j in range(len(total)):
        total[j] += abs((x[j] - newest[j]) - middle[j])


@kernel
def advance(state, params, offsets, high, low, close, out):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` typical prices."""
    n = int(params[0])
    flat = 0.0 if params[1] == 1.0 else np.nan
    rows, room, who, side = start_stretches(n)
    window, work = np.empty(room), np.empty((3, room))
    typical, total = np.empty(room), np.empty(room)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        prices, distances = typical[: z - a], total[: z - a]
        h, l, c, channel = high[a:z], low[a:z], close[a:z], out[a:z]
        for j in range(len(prices)):
            prices[j] = (h[j] + l[j] + c[j]) / 3.0
            distances[j] = 0.0
        x = load_windows(state, 0, n - 1, who, side, prices, window)
        middle = window_sums(x, n, side, work)
        for j in range(len(middle)):
            middle[j] /= n
        for k in range(n):
            _add_distances(x[k * side :], prices, middle, distances)
        for j in range(len(channel)):
            reach = distances[j] / n
            still = reach <= ROUNDING * abs(prices[j])
            channel[j] = flat if still else -middle[j] / (0.015 * reach)
        a = z


INDICATOR = Indicator(
    name="cci",
    title="Commodity channel index",
    inputs=("high", "low", "close"),
    outputs=(Output("cci", "cci_{length}", "percent", "distance from the mean, in usual ones"),),
    parameters=(length(20, minimum=2), zero_or_null("the mean distance")),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    formula="(price - mean) / (0.015 x mean(|price - mean|)), over length rows; "
    "price = (high + low + close) / 3",
    reference="Lambert (1980), Commodity Channel Index, Commodities 9:10",
    flat="null on TradingView, 0 in TA-Lib; a mean distance within 1e-15 of the price is none",
    version=2,
    presets={"talib": {"flat": "zero"}},
    compared=("talib",),
    names={"talib": "CCI", "pine": "ta.cci", "pandas_ta": "cci"},
)
