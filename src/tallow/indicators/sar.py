"""Parabolic stop and reverse."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter
from tallow.indicators._declare import WILDER


@kernel_part
def _begin(s, high, low, start):  # type: ignore[no-untyped-def]
    """Choose the first trend, from the two first rows: down where the low moved further."""
    fell, rose = s[2] - low, high - s[1]
    is_down = fell > 0.0 and fell > rose
    s[3], s[4] = (-1.0, low) if is_down else (1.0, high)
    s[5], s[6] = s[1] if is_down else s[2], start
    # There is no row before the first one of a trend: its own range stands for it.
    s[1], s[2] = high, low


@kernel_part
def _turn(s, high, low, start):  # type: ignore[no-untyped-def]
    """Begin the other trend at the extreme of the one that ends; return that."""
    if s[3] > 0.0:
        stop = max(s[4], s[1], high)
        s[3], s[4] = -1.0, low
    else:
        stop = min(s[4], s[2], low)
        s[3], s[4] = 1.0, high
    s[6] = start
    return stop


@kernel
def advance(state, params, offsets, high, low, out):  # type: ignore[no-untyped-def]
    """State: rows seen up to 2; high, low before; trend, its extreme, next stop, acceleration."""
    most = params[2]
    start, more = min(params[0], most), params[1]
    for i in range(len(state)):
        s = state[i]
        for row in range(offsets[i], offsets[i + 1]):
            out[row] = np.nan
            h, l = high[row], low[row]
            if h != h or l != l:
                continue
            if s[0] == 0.0:
                s[0], s[1], s[2] = 1.0, h, l
                continue
            if s[0] == 1.0:
                _begin(s, h, l, start)
                s[0] = 2.0
            stop, is_up = s[5], s[3] > 0.0
            if (is_up and l <= stop) or (not is_up and h >= stop):
                stop = _turn(s, h, l, start)
            elif (is_up and h > s[4]) or (not is_up and l < s[4]):
                s[4], s[6] = h if is_up else l, min(s[6] + more, most)
            out[row] = stop
            stop += s[6] * (s[4] - stop)
            # Never inside the range of this row or of the one before.
            s[5] = min(stop, s[2], l) if s[3] > 0.0 else max(stop, s[1], h)
            s[1], s[2] = h, l


def _acceleration(name: str, default: float, text: str) -> Parameter:
    return Parameter(name, default, text, minimum=0.01, maximum=1.0)


INDICATOR = Indicator(
    name="sar",
    title="Parabolic stop and reverse",
    inputs=("high", "low"),
    outputs=(Output("sar", "sar_{start}_{increment}_{maximum}", "price", "the trend's stop"),),
    parameters=(
        _acceleration("start", 0.02, "acceleration of a trend's first row"),
        _acceleration("increment", 0.02, "by how much each new extreme raises the acceleration"),
        _acceleration("maximum", 0.2, "greatest acceleration"),
    ),
    memory=RECURSIVE,
    warmup=lambda _: (1,),
    state_size=lambda _: 7,
    advance=advance,
    formula="sar += acceleration x (extreme - sar), outside the last two ranges; it turns on touch",
    reference=WILDER,
    flat="the price itself",
    seed="upward, unless the low of the second row moved further than its high, as in TA-Lib",
    compared=("talib",),
    names={"talib": "SAR", "pine": "ta.sar", "pandas_ta": "psar"},
    aliases=("psar",),
)
