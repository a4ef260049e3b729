"""Floor traders' pivots."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._periods import ANCHOR, period_step, pivot_of


@kernel
def advance(state, params, offsets, high, low, close, period, pivot, r1, r2, r3, s1, s2, s3):  # type: ignore[no-untyped-def]
    """State: as `period_step` has it."""
    for i in range(len(state)):
        s = state[i]
        for row in range(offsets[i], offsets[i + 1]):
            pivot[row] = r1[row] = r2[row] = r3[row] = s1[row] = s2[row] = s3[row] = np.nan
            missing = high[row] + low[row] + close[row] + period[row]
            if missing != missing or not period_step(
                s, period[row], high[row], low[row], close[row]
            ):
                continue
            middle, top, bottom = pivot_of(s), s[5], s[6]
            above, below = top - middle, middle - bottom
            pivot[row] = middle
            r1[row], s1[row] = middle + below, middle - above
            r2[row], s2[row] = middle + (top - bottom), middle - (top - bottom)
            r3[row], s3[row] = top + 2.0 * below, bottom - 2.0 * above


_LEVELS = (("r", "resistance"), ("s", "support"))

INDICATOR = Indicator(
    name="pivots",
    title="Floor traders' pivots",
    inputs=("high", "low", "close", "{anchor}"),
    outputs=(
        Output("pivot", "pivot", "price", "mean of high, low and close of the period before"),
        *(
            Output(f"{letter}{k}", f"pivot_{letter}{k}", "price", f"{word} {k}")
            for letter, word in _LEVELS
            for k in (1, 2, 3)
        ),
    ),
    parameters=(ANCHOR,),
    memory=RECURSIVE,
    warmup=lambda _: (0,) * 7,
    state_size=lambda _: 8,
    advance=advance,
    formula="of the period before: p = (high + low + close) / 3; r1 = 2 p - low, s1 = 2 p - high; "
    "r2, s2 = p +- (high - low); r3 = high + 2 (p - low), s3 = low - 2 (high - p)",
    reference="Person (2004), A Complete Guide to Technical Trading Tactics",
    flat="the price itself",
    seed="the first period has no one before it, and no levels",
    period_before="{anchor}",
    aliases=("pivot_point_levels",),
    names={"pine": "ta.pivot_point_levels"},
)
