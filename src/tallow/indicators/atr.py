"""Average true range."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._averages import average_step, range_step
from tallow.indicators._declare import FIRST_RANGE, WILDER, length


@kernel
def advance(state, params, offsets, high, low, close, out):  # type: ignore[no-untyped-def]
    """State: rows seen (0 or 1), close before, ranges counted up to ``length``, average."""
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
    outputs=(Output("atr", "atr_{length}", "price", "Wilder's mean of the true range", 0.0),),
    parameters=(length(14), FIRST_RANGE),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]) - (p["first_range"] == "high_low"),),
    state_size=lambda _: 4,
    advance=advance,
    formula="rma(true range, length)",
    reference=WILDER,
    seed="mean of the first length ranges; TradingView counts the first row's high minus low",
    presets={"talib": {"first_range": "none"}},
    compared=("talib",),
)
