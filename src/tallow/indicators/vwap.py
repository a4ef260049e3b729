"""Volume-weighted average price."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter


@kernel
def advance(state, params, offsets, high, low, close, volume, period, out):  # type: ignore[no-untyped-def]
    """State: period, traded value and volume since its start."""
    typical = params[1] == 0.0
    for i in range(len(state)):
        now, value, units = state[i, 0], state[i, 1], state[i, 2]
        for row in range(offsets[i], offsets[i + 1]):
            h, l, c = high[row], low[row], close[row]
            traded = ((h + l + c) / 3.0 if typical else c) * volume[row]
            if traded != traded or h != h or l != l or period[row] != period[row]:
                out[row] = np.nan
                continue
            if period[row] != now:
                now, value, units = period[row], 0.0, 0.0
            value += traded
            units += volume[row]
            out[row] = value / units if units > 0.0 else np.nan
        state[i, 0], state[i, 1], state[i, 2] = now, value, units


INDICATOR = Indicator(
    name="vwap",
    title="Volume-weighted average price",
    inputs=("high", "low", "close", "volume", "{anchor}"),
    outputs=(Output("vwap", "vwap", "price", "mean price of a unit traded since the anchor"),),
    parameters=(
        Parameter(
            "anchor",
            "session",
            "where the sums start anew",
            choices=("session", "week", "month"),
        ),
        Parameter("source", "hlc3", "price of a row", choices=("hlc3", "close")),
    ),
    memory=RECURSIVE,
    warmup=lambda _: (0,),
    state_size=lambda _: 3,
    advance=advance,
    formula="sum(price x volume) / sum(volume) since the anchor; hlc3 = (high + low + close) / 3",
    reference="Berkowitz, Logue and Noser (1988), Journal of Finance 43:1",
    flat="null while no volume was traded since the anchor",
    version=2,
    compared=("talib",),
    names={"talib": "VWAP", "pine": "ta.vwap", "pandas_ta": "vwap"},
)
