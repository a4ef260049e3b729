"""Double exponential moving average."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._averages import average_step
from tallow.indicators._declare import length


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: count and value of the average, then of its average."""
    n, weight = params[0], 2.0 / (params[0] + 1.0)
    for i in range(len(state)):
        one, first, two, second = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            out[row] = np.nan
            if x != x:
                continue
            one, first = average_step(one, first, x, n, weight)
            if one == n:
                two, second = average_step(two, second, first, n, weight)
                if two == n:
                    out[row] = first + (first - second)
        state[i, 0], state[i, 1], state[i, 2], state[i, 3] = one, first, two, second


INDICATOR = Indicator(
    name="dema",
    title="Double exponential moving average",
    inputs=("close",),
    outputs=(Output("dema", "dema_{length}", "price", "an average that lags less"),),
    parameters=(length(20),),
    memory=RECURSIVE,
    warmup=lambda p: (2 * (int(p["length"]) - 1),),
    state_size=lambda _: 4,
    advance=advance,
    formula="2 e1 - e2; e1 = ema(close, length), e2 = ema(e1, length)",
    reference="Mulloy (1994), Smoothing Data with Faster Moving Averages, S&C 12:1",
    seed="each average by the mean of its first length values",
    compared=("talib",),
    names={"talib": "DEMA", "pandas_ta": "dema"},
)
