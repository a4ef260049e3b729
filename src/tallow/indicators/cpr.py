"""Central pivot range."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._periods import ANCHOR, period_step, pivot_of


@kernel
def advance(state, params, offsets, high, low, close, period, pivot, top, bottom):  # type: ignore[no-untyped-def]
    """State: as `period_step` has it."""
    for i in range(len(state)):
        s = state[i]
        for row in range(offsets[i], offsets[i + 1]):
            pivot[row] = top[row] = bottom[row] = np.nan
            missing = high[row] + low[row] + close[row] + period[row]
            if missing != missing or not period_step(
                s, period[row], high[row], low[row], close[row]
            ):
                continue
            middle, centre = pivot_of(s), 0.5 * (s[5] + s[6])
            other = middle + (middle - centre)
            pivot[row], top[row], bottom[row] = middle, max(centre, other), min(centre, other)


INDICATOR = Indicator(
    name="cpr",
    title="Central pivot range",
    inputs=("high", "low", "close", "{anchor}"),
    outputs=(
        Output("pivot", "cpr_pivot", "price", "mean of high, low and close of the period before"),
        Output("top", "cpr_top", "price", "upper end of the range"),
        Output("bottom", "cpr_bottom", "price", "lower end of the range"),
    ),
    parameters=(ANCHOR,),
    memory=RECURSIVE,
    warmup=lambda _: (0,) * 3,
    state_size=lambda _: 8,
    advance=advance,
    formula="from b = (high + low) / 2 to 2 p - b, the higher of them on top; p = (high + low + "
    "close) / 3; of the period before",
    reference="Ochoa (2010), Secrets of a Pivot Boss",
    flat="the price itself",
    seed="the first period has no one before it, and no range",
    period_before="{anchor}",
)
