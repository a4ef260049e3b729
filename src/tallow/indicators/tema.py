"""Triple exponential moving average."""

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
    tile, averages = start_chain(weight, 3, offsets)
    i, start = np.int64(0), offsets[0]
    while i < len(state):
        at = start
        i, start = advance_chain(state, n, weight, offsets, i, at, tile, close, averages)
        for row in range(start - at):
            one, two, three = averages[0, row], averages[1, row], averages[2, row]
            out[at + row] = three + 3.0 * (one - two)


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
