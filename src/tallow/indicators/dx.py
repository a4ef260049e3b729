"""Directional movement index."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._averages import FAINT, keep_faint
from tallow.indicators._declare import WILDER, length, zero_or_null
from tallow.indicators._directions import FIRST_SUMS, movement_step, wilder_step


@kernel
def advance(state, params, offsets, high, low, close, out):  # type: ignore[no-untyped-def]
    """State: seen; high, low, close before; count; mean movements; value; whether any range was.

    A row without movement shrinks both means alike, so the value stays what it was.
    """
    n, short, flat = params[0], params[1] == 1.0, 0.0 if params[2] == 1.0 else np.nan
    for i in range(len(state)):
        seen, top, bottom, before = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
        count, plus, minus, value = state[i, 4], state[i, 5], state[i, 6], state[i, 7]
        ranged = state[i, 8]
        for row in range(offsets[i], offsets[i + 1]):
            h, l, c = high[row], low[row], close[row]
            out[row] = np.nan
            if h != h or l != l or c != c:
                continue
            if seen > 0.0:
                up, down = movement_step(h, l, top, bottom)
                fresh = count < n
                plus = wilder_step(count, plus, up, n, short)
                minus = wilder_step(count, minus, down, n, short)
                count = min(count + 1.0, n)
                ranged = 1.0 if h != l or l != before else ranged
                # Behind a branch, so that the next row need not wait for it.
                if min(plus, minus) < FAINT:
                    plus, minus = keep_faint(plus), keep_faint(minus)
                if (up + down > 0.0 or fresh) and plus + minus > 0.0:
                    value = 100.0 * (abs(plus - minus) / (plus + minus))
            seen, top, bottom, before = 1.0, h, l, c
            if count == n:
                out[row] = value if ranged > 0.0 else flat
        state[i, 0], state[i, 1], state[i, 2], state[i, 3] = seen, top, bottom, before
        state[i, 4], state[i, 5], state[i, 6], state[i, 7] = count, plus, minus, value
        state[i, 8] = ranged


INDICATOR = Indicator(
    name="dx",
    title="Directional movement index",
    inputs=("high", "low", "close"),
    outputs=(Output("dx", "dx_{length}", "0..100", "how one-sided movement is", 0.0, 100.0),),
    parameters=(length(14, minimum=2), FIRST_SUMS, zero_or_null("the mean range")),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda _: 9,
    advance=advance,
    formula="100 |+di - -di| / (+di + -di): what adx is the mean of",
    reference=WILDER,
    seed="means of the first length values; TA-Lib's first sums have one term less",
    flat="0 without movement; null without any range, but 0 in TA-Lib",
    presets={"talib": {"seed": "short", "flat": "zero"}},
    compared=("talib",),
    names={"talib": "DX"},
)
