"""Absolute price oscillator."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._averages import average_step
from tallow.indicators._declare import FAST_SLOW, check_fast_slow


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: count and average of the fast and of the slow one."""
    fast_n, slow_n = params[0], params[1]
    fast_weight, slow_weight = 2.0 / (fast_n + 1.0), 2.0 / (slow_n + 1.0)
    for i in range(len(state)):
        fast_count, fast = state[i, 0], state[i, 1]
        slow_count, slow = state[i, 2], state[i, 3]
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            out[row] = np.nan
            if x != x:
                continue
            fast_count, fast = average_step(fast_count, fast, x, fast_n, fast_weight)
            slow_count, slow = average_step(slow_count, slow, x, slow_n, slow_weight)
            if slow_count == slow_n:
                out[row] = fast - slow
        state[i, 0], state[i, 1] = fast_count, fast
        state[i, 2], state[i, 3] = slow_count, slow


INDICATOR = Indicator(
    name="apo",
    title="Absolute price oscillator",
    inputs=("close",),
    outputs=(
        Output(
            "apo", "apo_{fast_length}_{slow_length}", "price difference", "fast minus slow average"
        ),
    ),
    parameters=FAST_SLOW,
    memory=RECURSIVE,
    warmup=lambda p: (int(p["slow_length"]) - 1,),
    state_size=lambda _: 4,
    advance=advance,
    formula="ema(close, fast) - ema(close, slow)",
    reference="Murphy (1999), Technical Analysis of the Financial Markets, ch. 10; "
    "pandas-ta has simple means unless told otherwise",
    seed="each average by the mean of its own first rows",
    check=check_fast_slow,
    compared=("talib",),
    names={"talib": "APO", "pandas_ta": "apo"},
)
