"""Bollinger bands."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length, multiplier
from tallow.indicators._short_windows import short_moments
from tallow.indicators._windows import (
    load_windows,
    next_stretch,
    start_stretches,
    window_moments,
)


@kernel_part
def _bands(newest, sums, squares, n, times, upper, middle, lower, width, percent, position):  # type: ignore[no-untyped-def]
    """Write all outputs: of each window's newest close, and sums and squares about it."""
    share = 1.0 / n
    for j in range(len(upper)):
        distance = sums[j] * share
        mean = newest[j] + distance
        reach = times * np.sqrt(squares[j] * share)
        # Not the difference of the bands: that has lost the digits which the price took.
        wide = 2.0 * reach
        upper[j] = mean + reach
        middle[j] = mean
        lower[j] = mean - reach
        width[j] = wide
        percent[j] = 100.0 * wide / mean if mean != 0.0 else np.nan
        position[j] = 0.5 - distance / wide if wide != 0.0 else np.nan


@kernel
def advance(state, params, offsets, close, upper, middle, lower, width, percent, position):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` closes."""
    n = int(params[0])
    rows, room, who, side = start_stretches(n)
    window, work = np.empty(room), np.empty((6, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window)
        newest = x[(n - 1) * side :]
        sums, squares = short_moments(x, n, side, work)
        up, mid, low, wide = upper[a:z], middle[a:z], lower[a:z], width[a:z]
        rest = percent[a:z], position[a:z]
        _bands(newest, sums, squares, n, params[1], up, mid, low, wide, *rest)
        a = z


@kernel
def advance_long(state, params, offsets, close, upper, middle, lower, width, percent, position):  # type: ignore[no-untyped-def]
    """As `advance`, for long windows."""
    n = int(params[0])
    rows, room, who, side = start_stretches(n)
    window, work = np.empty(room), np.empty((6, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window)
        newest = x[(n - 1) * side :]
        sums, squares = window_moments(x, n, side, work)
        up, mid, low, wide = upper[a:z], middle[a:z], lower[a:z], width[a:z]
        rest = percent[a:z], position[a:z]
        _bands(newest, sums, squares, n, params[1], up, mid, low, wide, *rest)
        a = z


_N = "{length}_{multiplier}"

INDICATOR = Indicator(
    name="bollinger",
    title="Bollinger bands",
    inputs=("close",),
    outputs=(
        Output("upper", f"bb_upper_{_N}", "price", "middle + multiplier x deviation"),
        Output("middle", f"bb_middle_{_N}", "price", "mean of the closes"),
        Output("lower", f"bb_lower_{_N}", "price", "middle - multiplier x deviation"),
        Output("width", f"bb_width_{_N}", "price difference", "upper - lower", 0.0),
        Output("width_percent", f"bb_width_percent_{_N}", "percent", "width of the middle"),
        Output("percent_b", f"bb_percent_b_{_N}", "ratio", "0 at the lower band, 1 at the upper"),
    ),
    parameters=(length(20, minimum=2), multiplier(2.0)),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,) * 6,
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    advance_long=advance_long,
    formula="mean +- multiplier x population deviation, over length rows of the close",
    reference="Bollinger (2001), Bollinger on Bollinger Bands",
    flat="width exactly 0, percent_b null; width_percent null at a mean of 0",
    version=4,
    compared=("tradingview", "talib"),
    aliases=("bb", "bbands"),
    names={"talib": "BBANDS", "pine": "ta.bb ta.bbw", "pandas_ta": "bbands"},
)
