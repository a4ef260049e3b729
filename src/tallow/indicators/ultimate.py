"""Ultimate oscillator."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import WINDOW, Indicator, Output, Values
from tallow.indicators._averages import range_step
from tallow.indicators._declare import length, zero_or_null
from tallow.indicators._windows import load_windows, next_stretch, start_stretches, window_sums


@kernel_part
def _pressure(high, low, close, before, gains, ranges):  # type: ignore[no-untyped-def]
    """Write how far the close is above the row's low or the close before, and the true range."""
    for j in range(len(gains)):
        gains[j] = close[j] - min(low[j], before[j])
        ranges[j] = range_step(high[j], low[j], before[j])
        if before[j] != before[j] or gains[j] != gains[j]:
            gains[j] = ranges[j] = np.nan


@kernel_part
def _add_share(gain, gains, span, ranges, n, weight, flat, out):  # type: ignore[no-untyped-def]
    """Add the weighted share of gains in ranges: sums of both are differences from the newest."""
    for j in range(len(out)):
        reach = span[j] * n + ranges[j]
        share = (gain[j] * n + gains[j]) / reach if reach != 0.0 else flat
        out[j] += weight * min(max(share, 0.0), 1.0) if share == share else np.nan


@kernel
def advance(state, params, offsets, high, low, close, out):  # type: ignore[no-untyped-def]
    """State: the close before, the last gains, the last ranges."""
    most = int(max(params[0], params[1], params[2]))
    flat = 0.0 if params[3] == 1.0 else np.nan
    rows, room, who, side = start_stretches(most + 1)
    window, work, fresh = np.empty((3, room)), np.empty((6, room)), np.empty((2, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        closes = load_windows(state, 0, 1, who, side, close[a:z], window[0])
        gains, ranges, share = fresh[0, : z - a], fresh[1, : z - a], out[a:z]
        _pressure(high[a:z], low[a:z], close[a:z], closes, gains, ranges)
        gain = load_windows(state, 1, most - 1, who, side, gains, window[1])
        span = load_windows(state, most, most - 1, who, side, ranges, window[2])
        for j in range(len(share)):
            share[j] = 0.0
        for k in range(3):
            n = int(params[k])
            first, weight = (most - n) * side, 100.0 * 2.0 ** (2 - k) / 7.0
            some = window_sums(gain[first:], n, side, work[:3])
            of_all = window_sums(span[first:], n, side, work[3:])
            _add_share(gains, some, ranges, of_all, float(n), weight, flat, share)
        for j in range(len(share)):
            share[j] = min(share[j], 100.0) if share[j] == share[j] else np.nan
        a = z


def _most(p: Values) -> int:
    return max(int(p[name]) for name in ("short_length", "middle_length", "long_length"))


INDICATOR = Indicator(
    name="ultimate",
    title="Ultimate oscillator",
    inputs=("high", "low", "close"),
    outputs=(
        Output(
            "ultimate",
            "ultimate_{short_length}_{middle_length}_{long_length}",
            "0..100",
            "share of gains in ranges, over three lengths",
            0.0,
            100.0,
        ),
    ),
    parameters=(
        length(7, name="short_length"),
        length(14, name="middle_length"),
        length(28, name="long_length"),
        zero_or_null("a sum of ranges"),
    ),
    memory=WINDOW,
    warmup=lambda p: (_most(p),),
    state_size=lambda p: 2 * _most(p) - 1,
    advance=advance,
    formula="100 (4 s(short) + 2 s(middle) + s(long)) / 7; s = sum(close - min(low, close before)) "
    "/ sum(true range)",
    reference="Williams (1985), The Ultimate Oscillator, S&C 3:4",
    flat="null on TradingView; in TA-Lib 0 for each share without ranges",
    version=2,
    presets={"talib": {"flat": "zero"}},
    compared=("talib",),
    aliases=("ultosc", "uo"),
    names={"talib": "ULTOSC", "pandas_ta": "uo"},
)
