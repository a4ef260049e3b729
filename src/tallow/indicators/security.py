"""The value of another instrument."""

from __future__ import annotations

import math

from tallow.core.kernel import kernel
from tallow.core.operator import CROSS, Indicator, Output, Parameter


@kernel
def advance(state, params, offsets, close, peer, out):  # type: ignore[no-untyped-def]
    """State: none."""
    for moment in range(len(state)):
        a, z = offsets[moment], offsets[moment + 1]
        value = math.nan
        for row in range(a, z):
            if peer[row] == 1.0:
                value = close[row]
        for row in range(a, z):
            out[row] = value


INDICATOR = Indicator(
    name="security",
    title="Another instrument's value",
    inputs=("close", "peer"),
    outputs=(Output("value", "security_{instrument}", "its own", "the other instrument's value"),),
    parameters=(
        Parameter("instrument", "NSE_INDEX|Nifty 50", "key of the other instrument", is_text=True),
    ),
    memory=CROSS,
    warmup=lambda _: (0,),
    state_size=lambda _: 0,
    advance=advance,
    formula="the value of the instrument at the same bar time, for all instruments",
    flat="no special case",
    reference="the definition, as TradingView's request.security on the same timeframe",
)
