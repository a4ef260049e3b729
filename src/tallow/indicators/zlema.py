"""Zero-lag exponential moving average."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output, Values
from tallow.indicators._averages import average_step
from tallow.indicators._declare import length


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: closes kept, count and value of the average, the closes of the lag in a ring."""
    n, weight = params[0], 2.0 / (params[0] + 1.0)
    lag = int(n - 1.0) // 2
    for i in range(len(state)):
        seen, count, value = state[i, 0], state[i, 1], state[i, 2]
        place = int(seen) % lag if lag else 0
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            out[row] = np.nan
            if x != x:
                continue
            later = x
            if lag:
                later += x - state[i, 3 + place]
                state[i, 3 + place] = x
                place = place + 1 if place + 1 < lag else 0
            if seen < lag:
                seen += 1.0
                continue
            count, value = average_step(count, value, later, n, weight)
            if count == n:
                out[row] = value
        # Once all are there, where the ring stands: so many more than the lag.
        state[i, 0] = seen if seen < lag else lag + float(place)
        state[i, 1], state[i, 2] = count, value


def _lag(p: Values) -> int:
    return (int(p["length"]) - 1) // 2


INDICATOR = Indicator(
    name="zlema",
    title="Zero-lag exponential moving average",
    inputs=("close",),
    outputs=(Output("zlema", "zlema_{length}", "price", "average of closes moved on by the lag"),),
    parameters=(length(20),),
    memory=RECURSIVE,
    warmup=lambda p: (_lag(p) + int(p["length"]) - 1,),
    state_size=lambda p: 3 + _lag(p),
    advance=advance,
    formula="ema(2 close - close lag rows before, length); lag = (length - 1) / 2, rounded down",
    reference="Ehlers and Way (2010), Zero Lag (Well, Almost), Stocks & Commodities 28:12",
    seed="mean of the first length values",
    compared=("talib",),
    aliases=("zlma",),
    names={"talib": "ZLEMA", "pandas_ta": "zlma"},
)
