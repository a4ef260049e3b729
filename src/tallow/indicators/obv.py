"""On-balance volume."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter


@kernel
def advance(state, params, offsets, close, volume, out):  # type: ignore[no-untyped-def]
    """State: rows seen (0 or 1), close before, balance."""
    for i in range(len(state)):
        seen, before, balance = state[i, 0], state[i, 1], state[i, 2]
        for row in range(offsets[i], offsets[i + 1]):
            x, units = close[row], volume[row]
            if x != x or units != units:
                out[row] = np.nan
                continue
            # Chosen, not branched: nobody can guess where the next price goes.
            change = units if x > before else 0.0
            change = -units if x < before else change
            balance += change
            if seen == 0.0:
                balance = units if params[0] == 1.0 else 0.0
            seen, before = 1.0, x
            out[row] = balance
        state[i, 0], state[i, 1], state[i, 2] = seen, before, balance


INDICATOR = Indicator(
    name="obv",
    title="On-balance volume",
    inputs=("close", "volume"),
    outputs=(Output("obv", "obv", "units", "volume of rises minus volume of falls"),),
    parameters=(Parameter("first", "zero", "value of the first row", choices=("zero", "volume")),),
    memory=RECURSIVE,
    warmup=lambda _: (0,),
    state_size=lambda _: 3,
    advance=advance,
    formula="obv += volume x sign(close - close before)",
    reference="Granville (1963), Granville's New Key to Stock Market Profits",
    seed="0 on TradingView, the first volume in TA-Lib",
    presets={"talib": {"first": "volume"}},
    version=2,
    compared=("talib",),
    names={"talib": "OBV", "pine": "ta.obv", "pandas_ta": "obv"},
)
