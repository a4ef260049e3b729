"""Relative vigor index."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._windows import (
    copy_into,
    load_windows,
    next_stretch,
    start_stretches,
    window_sums,
)

BACK = 3
"""Rows before the newest in the symmetrically weighted mean of four."""


@kernel_part
def _symmetric(x, side, out):  # type: ignore[no-untyped-def]
    """Write the mean of each four rows, weighted 1, 2, 2, 1."""
    b, c, d = x[side:], x[2 * side :], x[BACK * side :]
    for j in range(len(out)):
        out[j] = ((x[j] + d[j]) + 2.0 * (b[j] + c[j])) / 6.0


@kernel
def advance(state, params, offsets, open_, high, low, close, line, signal):  # type: ignore[no-untyped-def]
    """State: the last gains, then as many ranges."""
    n = int(params[0])
    kept = n - 1 + 2 * BACK
    rows, room, who, side = start_stretches(kept + 1)
    window, work = np.empty((2, room)), np.empty((6, room))
    fresh, smooth = np.empty((2, room)), np.empty((3, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        o, h, l, c, reach = open_[a:z], high[a:z], low[a:z], close[a:z], fresh[:, : z - a]
        for j in range(z - a):
            reach[0, j], reach[1, j] = c[j] - o[j], h[j] - l[j]
            if reach[0, j] != reach[0, j] or reach[1, j] != reach[1, j]:
                reach[0, j] = reach[1, j] = np.nan
        gains = load_windows(state, 0, kept, who, side, reach[0], window[0])
        ranges = load_windows(state, kept, kept, who, side, reach[1], window[1])
        count = len(gains) - BACK * side
        gain, span = smooth[0, :count], smooth[1, :count]
        _symmetric(gains, side, gain)
        _symmetric(ranges, side, span)
        some = window_sums(gain, n, side, work[:3])
        of_all = window_sums(span, n, side, work[3:])
        vigor, first = smooth[2, : len(some)], (n - 1) * side
        for j in range(len(vigor)):
            whole = span[first + j] * n + of_all[j]
            part = gain[first + j] * n + some[j]
            vigor[j] = part / whole if whole != 0.0 else np.nan
        _symmetric(vigor, side, signal[a:z])
        copy_into(line[a:z], vigor[BACK * side :])
        a = z


INDICATOR = Indicator(
    name="rvgi",
    title="Relative vigor index",
    inputs=("open", "high", "low", "close"),
    outputs=(
        Output("rvgi", "rvgi_{length}", "ratio", "gains in rows, of their ranges", -1.0, 1.0),
        Output("signal", "rvgi_signal_{length}", "ratio", "weighted mean of rvgi", -1.0, 1.0),
    ),
    parameters=(length(10),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) + 2, int(p["length"]) + 5),
    state_size=lambda p: 2 * (int(p["length"]) + 5),
    advance=advance,
    formula="sum(w(close - open)) / sum(w(high - low)) over length rows; w(x) = (x + 2 x1 + 2 x2 + "
    "x3) / 6, of four rows; signal = w(rvgi)",
    reference="Ehlers (2002), Relative Vigor Index, S&C 20:1",
    flat="null where no row has a range",
    version=2,
    names={"pandas_ta": "rvgi"},
)
