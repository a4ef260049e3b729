"""Rate of change of a triple exponential average."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._chains import advance_chain, start_chain
from tallow.indicators._declare import length, zero_or_null


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: count and value of each average, the third one before, and 1 if there was one."""
    n, weight = params[0], 2.0 / (params[0] + 1.0)
    flat = 0.0 if params[1] == 1.0 else np.nan
    tile, averages = start_chain(weight, 3, offsets)
    i, start = np.int64(0), offsets[0]
    while i < len(state):
        first, at = i, start
        i, start = advance_chain(state, n, weight, offsets, i, at, tile, close, averages)
        k = first
        while k < len(state) and offsets[k] < start:
            before, is_known = state[k, 6], state[k, 7]
            for row in range(max(offsets[k], at), min(offsets[k + 1], start)):
                out[row] = np.nan
                mean = averages[2, row - at]
                if mean != mean:
                    continue
                if is_known == 1.0:
                    out[row] = 100.0 * (mean - before) / before if before != 0.0 else flat
                before, is_known = mean, 1.0
            state[k, 6], state[k, 7] = before, is_known
            k += 1


INDICATOR = Indicator(
    name="trix",
    title="TRIX",
    inputs=("close",),
    outputs=(Output("trix", "trix_{length}", "percent", "change of a triple average in a row"),),
    parameters=(length(18, minimum=2), zero_or_null("the average before")),
    memory=RECURSIVE,
    warmup=lambda p: (3 * (int(p["length"]) - 1) + 1,),
    state_size=lambda _: 8,
    advance=advance,
    formula="100 (e - e before) / e before; e = ema(ema(ema(close))), each over length",
    reference="Hutson (1983), Good TRIX, S&C 1:5, as TA-Lib's TRIX; TradingView's chart "
    "has 10,000 times the change of the average of logarithms",
    seed="each average by the mean of its first length values",
    flat="null where the average before is zero; 0 in TA-Lib",
    presets={"talib": {"flat": "zero"}},
    compared=("talib",),
    names={"talib": "TRIX", "pandas_ta": "trix"},
)
