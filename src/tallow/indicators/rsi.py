"""Relative strength index."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter
from tallow.indicators._averages import FAINT, average_step, keep_faint
from tallow.indicators._declare import WILDER, length


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: rows seen (0 or 1), close before, changes counted, mean gain, mean loss, value.

    A row without a change shrinks both means alike, so the value stays what it was.
    """
    n, flat = params[0], params[1]
    for i in range(len(state)):
        seen, before, count = state[i, 0], state[i, 1], state[i, 2]
        gain, loss, value = state[i, 3], state[i, 4], state[i, 5]
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            if x != x:
                out[row] = np.nan
                continue
            if seen > 0.0:
                change, fresh = x - before, count < n
                _, loss = average_step(count, loss, max(-change, 0.0), n, 1.0 / n)
                count, gain = average_step(count, gain, max(change, 0.0), n, 1.0 / n)
                # Behind a branch, so that the next row need not wait for it.
                if min(gain, loss) < FAINT:
                    loss, gain = keep_faint(loss), keep_faint(gain)
                both = gain + loss
                now = 100.0 * (gain / both) if both > 0.0 else flat
                if change != 0.0 or fresh:
                    value = now
            seen, before = 1.0, x
            out[row] = value if count == n else np.nan
        state[i, 0], state[i, 1], state[i, 2] = seen, before, count
        state[i, 3], state[i, 4], state[i, 5] = gain, loss, value


FLAT = Parameter(
    "flat", 100.0, "value while neither gain nor loss has occurred", minimum=0.0, maximum=100.0
)

INDICATOR = Indicator(
    name="rsi",
    title="Relative strength index",
    inputs=("close",),
    outputs=(Output("rsi", "rsi_{length}", "0..100", "share of gains in all change", 0.0, 100.0),),
    parameters=(length(14, minimum=2), FLAT),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda _: 6,
    advance=advance,
    formula="100 x rma(gain) / (rma(gain) + rma(loss)) over length changes of the close",
    reference=WILDER,
    seed="means of the first length gains and losses",
    flat="100 on TradingView, 0 in TA-Lib",
    presets={"talib": {"flat": 0.0}},
    version=2,
    compared=("talib",),
    names={"talib": "RSI", "pine": "ta.rsi", "pandas_ta": "rsi"},
)
