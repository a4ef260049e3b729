"""Average directional index, with both directional indicators."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter, Values
from tallow.indicators._averages import average_step, keep_faint, range_step
from tallow.indicators._declare import WILDER, length
from tallow.indicators._directions import FIRST_SUMS, movement_step, wilder_step


@kernel
def advance(state, params, offsets, high, low, close, adx, plus, minus):  # type: ignore[no-untyped-def]
    """State: seen, high, low, close before; count, range, up, down; count of dx, adx; di, dx.

    A row without any range shrinks all three means alike, and one without movement shrinks both
    movements alike: what they are a ratio of stays what it was.
    """
    n, short, keep = params[0], params[1] == 1.0, params[2] == 1.0
    for i in range(len(state)):
        s = state[i]
        for row in range(offsets[i], offsets[i + 1]):
            h, l, c = high[row], low[row], close[row]
            adx[row] = plus[row] = minus[row] = np.nan
            if h != h or l != l or c != c:
                continue
            reach, moved, fresh = 0.0, False, s[4] < n
            if s[0] > 0.0:
                up, down = movement_step(h, l, s[1], s[2])
                reach, moved = range_step(h, l, s[3]), up + down > 0.0
                s[5] = keep_faint(wilder_step(s[4], s[5], reach, n, short))
                s[6] = keep_faint(wilder_step(s[4], s[6], up, n, short))
                s[7] = keep_faint(wilder_step(s[4], s[7], down, n, short))
                s[4] = min(s[4] + 1.0, n)
            s[0], s[1], s[2], s[3] = 1.0, h, l, c
            if s[4] < n or (s[5] == 0.0 and not keep):
                continue
            if (reach > 0.0 or fresh) and s[5] != 0.0:
                s[10], s[11] = 100.0 * (s[6] / s[5]), 100.0 * (s[7] / s[5])
            both = s[6] + s[7]
            if (moved or fresh) and both > 0.0:
                s[12] = 100.0 * (abs(s[6] - s[7]) / both)
            plus[row], minus[row] = s[10], s[11]
            if both > 0.0 or s[8] < n or not keep:
                s[8], s[9] = average_step(s[8], s[9], s[12], n, 1.0 / n)
            if s[8] == n:
                adx[row] = s[9]


def _warmup(p: Values) -> tuple[int, ...]:
    n = int(p["length"])
    return (2 * n - 1, n, n)


INDICATOR = Indicator(
    name="adx",
    title="Average directional index",
    inputs=("high", "low", "close"),
    outputs=(
        Output("adx", "adx_{length}", "0..100", "strength of a trend", 0.0, 100.0),
        Output("plus_di", "plus_di_{length}", "0..100", "upward movement", 0.0, 100.0),
        Output("minus_di", "minus_di_{length}", "0..100", "downward movement", 0.0, 100.0),
    ),
    parameters=(
        length(14, minimum=2),
        FIRST_SUMS,
        Parameter(
            "flat",
            "zero",
            "without movement: a dx of zero, and null without range; or adx as it was, and zero",
            choices=("zero", "keep"),
        ),
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda _: 13,
    advance=advance,
    formula="di = 100 rma(move) / rma(true range); adx = rma(100 |+di - -di| / (+di + -di))",
    reference=WILDER,
    seed="means of the first length values; TA-Lib's first sums have one term less",
    flat="null while the mean range is zero; 0 in TA-Lib, which also keeps adx without movement",
    presets={"talib": {"seed": "short", "flat": "keep"}},
    version=3,
    compared=("talib",),
    aliases=("dmi",),
    names={"talib": "ADX", "pine": "ta.dmi", "pandas_ta": "adx"},
)
