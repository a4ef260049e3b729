"""Double exponential moving average."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._chains import advance_chain, start_chain
from tallow.indicators._declare import length


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: count and value of each average."""
    n, weight = params[0], 2.0 / (params[0] + 1.0)
    tile, averages = start_chain(weight, 2, offsets)
    i, start = np.int64(0), offsets[0]
    while i < len(state):
        at = start
        i, start = advance_chain(state, n, weight, offsets, i, at, tile, close, averages)
        for row in range(start - at):
            one, two = averages[0, row], averages[1, row]
            out[at + row] = one + (one - two)


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
