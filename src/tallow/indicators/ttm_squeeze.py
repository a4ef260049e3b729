"""TTM squeeze."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.limits import MULTIPLIER_MAX
from tallow.core.operator import WINDOW, Indicator, Output, Parameter
from tallow.indicators._declare import length
from tallow.indicators._extremes import window_highest, window_lowest
from tallow.indicators._lines import window_lines
from tallow.indicators._ranges import true_ranges
from tallow.indicators._windows import (
    load_windows,
    next_stretch,
    start_stretches,
    window_moments,
    window_sums,
)


@kernel_part
def _momentum(high, low, close, n, side, extremes, work, out):  # type: ignore[no-untyped-def]
    """Write the end of the line through how far closes are from the middle of the channel."""
    highest = window_highest(high, n, side, extremes[:2])
    lowest = window_lowest(low, n, side, extremes[2:4])
    sums, newest = window_sums(close, n, side, work[:3]), close[(n - 1) * side :]
    gaps = extremes[4, : len(newest)]
    for j in range(len(gaps)):
        # Half way between the middle of the range and the mean.
        gaps[j] = 0.5 * ((newest[j] - 0.5 * (highest[j] + lowest[j])) - sums[j] / n)
    middles, slopes = window_lines(gaps, n, side, work)
    last, reach = gaps[(n - 1) * side :], 0.5 * (n - 1)
    for j in range(len(out)):
        out[j] = last[j] + (middles[j] + slopes[j] * reach)


@kernel
def advance(state, params, offsets, high, low, close, momentum, squeeze):  # type: ignore[no-untyped-def]
    """State: the last ``2 length - 2`` highs, lows and closes."""
    n, band, channel = int(params[0]), params[1], params[2]
    kept = 2 * n - 2
    rows, room, who, side = start_stretches(kept + 1)
    window, ranges = np.empty((3, room)), np.empty(room)
    work, extremes = np.empty((6, room)), np.empty((5, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        h = load_windows(state, 0, kept, who, side, high[a:z], window[0])
        l = load_windows(state, kept, kept, who, side, low[a:z], window[1])
        c = load_windows(state, 2 * kept, kept, who, side, close[a:z], window[2])
        _momentum(h, l, c, n, side, extremes, work, momentum[a:z])
        # The last n rows, and the closes before them.
        k = (n - 1) * side
        reach = ranges[: len(c) - k]
        true_ranges(h[k:], l[k:], c[k - side :], reach)
        sums, newest, widths = window_sums(reach, n, side, work[:3]), reach[k:], ranges[: z - a]
        for j in range(len(widths)):
            widths[j] = newest[j] + sums[j] / n
        _, squares = window_moments(c[k:], n, side, work)
        on = squeeze[a:z]
        for j in range(len(on)):
            narrow = band * math.sqrt(squares[j] / n) < channel * widths[j]
            missing = squares[j] + widths[j]
            on[j] = (1.0 if narrow else 0.0) if missing == missing else np.nan
        a = z


def _multiplier(name: str, default: float, text: str) -> Parameter:
    return Parameter(name, default, text, minimum=0.0, maximum=MULTIPLIER_MAX)


_N = "{length}_{multiplier}_{range_multiplier}"

INDICATOR = Indicator(
    name="ttm_squeeze",
    title="TTM squeeze",
    inputs=("high", "low", "close"),
    outputs=(
        Output(
            "momentum",
            f"ttm_squeeze_{_N}",
            "price difference",
            "how far closes are from the middle",
        ),
        Output("squeeze", f"ttm_squeeze_on_{_N}", "sign", "1 for narrow bands", 0.0, 1.0),
    ),
    parameters=(
        length(20, minimum=2),
        _multiplier("multiplier", 2.0, "half the bands' width, in deviations"),
        _multiplier("range_multiplier", 1.5, "half the channel's width, in mean true ranges"),
    ),
    memory=WINDOW,
    warmup=lambda p: (2 * int(p["length"]) - 2, int(p["length"])),
    state_size=lambda p: 3 * (2 * int(p["length"]) - 2),
    advance=advance,
    formula="linreg(close - (middle of the range + sma) / 2); 1 where multiplier x stddev < "
    "range_multiplier x sma(true range), all over length rows",
    reference="Carter (2005), Mastering the Trade; LazyBear's, whose bands take the channel's "
    "multiplier, is ttm_squeeze(20, 1.5, 1.5)",
    version=5,
    flat="0: bands without width are not within a channel without any",
)
