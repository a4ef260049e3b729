"""Average true range."""

from __future__ import annotations

import numpy as np

from tallow.core.entries import inputs_at
from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._averages import (
    FEW,
    advance_average,
    average_step,
    next_tile,
    range_step,
    tile_ends,
    tile_rows,
)
from tallow.indicators._declare import FIRST_RANGE, WILDER, length


@kernel
def advance(state, params, offsets, high, low, close, out):  # type: ignore[no-untyped-def]
    """State: rows seen (0 or 1), close before, ranges counted up to ``length``, average."""
    if offsets[len(state)] - offsets[0] <= FEW * len(state):
        _advance_few(state, params, offsets, high, low, close, out)
        return
    i, start = np.int64(0), offsets[0]
    tile = tile_rows(1.0 / params[0])
    ranges = np.empty(min(tile, offsets[len(state)] - start))
    while i < len(state):
        j, stop = next_tile(offsets, i, start, tile)
        ends = tile_ends(offsets, i, j, start, stop)
        # By number: to copy or assign a slice takes Numba seconds to compile.
        means = np.empty((j - i, 2))
        for k in range(j - i):
            means[k, 0], means[k, 1] = state[i + k, 2], state[i + k, 3]
            a, z = start + ends[k], start + ends[k + 1]
            x = ranges[ends[k] : ends[k + 1]]
            _ranges(state[i + k], params[1], high[a:z], low[a:z], close[a:z], x)
        # Read-only, as closes are: then averages are compiled once.
        x = inputs_at(ranges.ctypes.data, stop - start)
        advance_average(means, params[0], 1.0 / params[0], ends, x, out[start:stop])
        for k in range(j - i):
            state[i + k, 2], state[i + k, 3] = means[k, 0], means[k, 1]
        i, start = j if stop == offsets[j] else i, stop


@kernel_part
def _ranges(s, skips_first, high, low, close, out):  # type: ignore[no-untyped-def]
    """Write the true range of each row of an instrument; missing where a price is missing."""
    # In one pass, as if nothing were missing; whether so it sees on the way.
    last, missing = len(close) - 1, 0
    h, l, before, ranges = high[1:], low[1:], close[:last], out[1:]
    for j in range(len(ranges)):
        known = h[j] + l[j] + before[j]
        missing += known != known
        ranges[j] = range_step(h[j], l[j], before[j])
    if (
        last > 0
        and missing == 0
        and high[0] + low[0] == high[0] + low[0]
        and close[last] == close[last]
    ):
        out[0] = _range(s, skips_first, high[0], low[0], close[0])
        s[1] = close[last]
        return
    for row in range(len(close)):
        out[row] = _range(s, skips_first, high[row], low[row], close[row])


@kernel_part
def _range(s, skips_first, high, low, close):  # type: ignore[no-untyped-def]
    """Return a row's true range; missing where a price is, or where the first row has none."""
    if high != high or low != low or close != close:
        return np.nan
    seen, before = s[0], s[1]
    s[0], s[1] = 1.0, close
    if seen > 0.0:
        return range_step(high, low, before)
    return high - low if skips_first == 0.0 else np.nan


@kernel_part
def _advance_few(state, params, offsets, high, low, close, out):  # type: ignore[no-untyped-def]
    """Run few rows of each instrument, where what they share costs more than they do."""
    n = params[0]
    for i in range(len(state)):
        seen, before, count, value = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
        for row in range(offsets[i], offsets[i + 1]):
            if high[row] != high[row] or low[row] != low[row] or close[row] != close[row]:
                out[row] = np.nan
                continue
            if seen > 0.0:
                x = range_step(high[row], low[row], before)
                count, value = average_step(count, value, x, n, 1.0 / n)
            elif params[1] == 0.0:
                count, value = average_step(count, value, high[row] - low[row], n, 1.0 / n)
            seen, before = 1.0, close[row]
            out[row] = value if count == n else np.nan
        state[i, 0], state[i, 1], state[i, 2], state[i, 3] = seen, before, count, value


INDICATOR = Indicator(
    name="atr",
    title="Average true range",
    inputs=("high", "low", "close"),
    outputs=(
        Output("atr", "atr_{length}", "price difference", "Wilder's mean of the true range", 0.0),
    ),
    parameters=(length(14), FIRST_RANGE),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]) - (p["first_range"] == "high_low"),),
    state_size=lambda _: 4,
    advance=advance,
    formula="rma(true range, length)",
    reference=WILDER,
    seed="mean of the first length ranges; TradingView counts the first row's high minus low",
    presets={"talib": {"first_range": "none"}},
    version=4,
    compared=("talib",),
    names={"talib": "ATR", "pine": "ta.atr", "pandas_ta": "atr"},
)
