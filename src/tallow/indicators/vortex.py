"""Vortex indicator."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length, zero_or_null
from tallow.indicators._ranges import true_ranges
from tallow.indicators._windows import load_windows, next_stretch, start_stretches, window_sums


@kernel_part
def _distances(x, y, out):  # type: ignore[no-untyped-def]
    for j in range(len(out)):
        out[j] = abs(x[j] - y[j])


@kernel
def advance(state, params, offsets, high, low, close, plus, minus):  # type: ignore[no-untyped-def]
    """State: the last ``length`` highs, lows and closes."""
    n, flat = int(params[0]), 0.0 if params[1] == 1.0 else np.nan
    rows, room, who, side = start_stretches(n + 1)
    window, work = np.empty((3, room)), np.empty((3, room))
    distances, paths = np.empty(room), np.empty(rows)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        h = load_windows(state, 0, n, who, side, high[a:z], window[0])
        l = load_windows(state, n, n, who, side, low[a:z], window[1])
        c = load_windows(state, 2 * n, n, who, side, close[a:z], window[2])
        moved, path = distances[: len(h) - side], paths[: z - a]
        newest = moved[(n - 1) * side :]
        for k in range(3):
            if k == 0:
                true_ranges(h[side:], l[side:], c, moved)
            else:
                _distances(h[side:] if k == 1 else h, l if k == 1 else l[side:], moved)
            sums, out = window_sums(moved, n, side, work), plus[a:z] if k == 1 else minus[a:z]
            if k == 0:
                for j in range(len(path)):
                    path[j] = n * newest[j] + sums[j]
                continue
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
    version=2,
    compared=("talib",),
    names={"talib": "VORTEX", "pandas_ta": "vortex"},
)
