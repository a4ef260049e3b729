"""Triple exponential moving average."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._averages import average_step
from tallow.indicators._declare import length


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: count and value of the average, of its average, and of that one's."""
    n, weight = params[0], 2.0 / (params[0] + 1.0)
    for i in range(len(state)):
        one, first, two, second = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
        three, third = state[i, 4], state[i, 5]
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            out[row] = np.nan
            if x != x:
                continue
            one, first = average_step(one, first, x, n, weight)
            if one == n:
                two, second = average_step(two, second, first, n, weight)
                if two == n:
                    three, third = average_step(three, third, second, n, weight)
                    if three == n:
                        out[row] = third + 3.0 * (first - second)
        state[i, 0], state[i, 1], state[i, 2], state[i, 3] = one, first, two, second
        state[i, 4], state[i, 5] = three, third


INDICATOR = Indicator(
    name="tema",
    title="Triple exponential moving average",
    inputs=("close",),
    outputs=(Output("tema", "tema_{length}", "price", "an average that lags still less"),),
    parameters=(length(20),),
    memory=RECURSIVE,
    warmup=lambda p: (3 * (int(p["length"]) - 1),),
    state_size=lambda _: 6,
    advance=advance,
    formula="3 e1 - 3 e2 + e3; e1 = ema(close, length), e2 = ema(e1), e3 = ema(e2)",
    reference="Mulloy (1994), Smoothing Data with Less Lag, S&C 12:2",
    seed="each average by the mean of its first length values",
    compared=("talib",),
    names={"talib": "TEMA", "pandas_ta": "tema"},
)
