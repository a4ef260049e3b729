"""Percent of earlier closes that are not higher."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output, Parameter
from tallow.indicators._declare import length
from tallow.indicators._ranks import _count, _count_one, step_down
from tallow.indicators._windows import hide_missing, load_windows, next_stretch, start_stretches


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the last ``length`` closes."""
    n, strict = int(params[0]), params[1] == 1.0
    rows, room, who, side = start_stretches(n + 1)
    window, work = np.empty(room), np.empty((3, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n, who, side, close[a:z], window)
        limit, share = work[0, : z - a], out[a:z]
        for j in range(len(share)):
            limit[j] = close[a + j]
            share[j] = 0.0
        if strict:
            step_down(limit)
        for back in range(0, n - 3, 4):
            _count(x, back, side, limit, share)
        for k in range(n // 4 * 4, n):
            _count_one(x[k * side :], limit, share)
        for j in range(len(share)):
            share[j] = 100.0 * share[j] / n
        hide_missing(x, n + 1, side, work, share)
        a = z


INDICATOR = Indicator(
    name="percent_rank",
    title="Percent rank",
    inputs=("close",),
    outputs=(
        Output("percent_rank", "percent_rank_{length}", "0..100", "lower closes", 0.0, 100.0),
    ),
    parameters=(
        length(100),
        Parameter(
            "ties",
            "count",
            "equal closes count as lower ones, or not",
            choices=("count", "skip"),
        ),
    ),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda p: int(p["length"]),
    advance=advance,
    formula="100 (closes not above this one among the length rows before) / length",
    reference="the definition, as ta.percentrank",
    flat="100 on TradingView; 0 in TA-Lib, which counts lower closes only",
    version=3,
    presets={"talib": {"ties": "skip"}},
    compared=("talib",),
    aliases=("percentrank",),
    names={"talib": "PERCENTRANK", "pine": "ta.percentrank"},
)
