"""Volume-weighted average price since an event."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter


@kernel
def advance(state, params, offsets, high, low, close, volume, event, out):  # type: ignore[no-untyped-def]
    """State: whether there was an event, the source before, traded value and volume since."""
    is_change = params[0] == 1.0
    for i in range(len(state)):
        begun, before, value, units = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
        for row in range(offsets[i], offsets[i + 1]):
            now, units_now = event[row], volume[row]
            traded = (high[row] + low[row] + close[row]) / 3.0 * units_now
            out[row] = np.nan
            if traded != traded or now != now:
                continue
            if (begun == 0.0 or now != before) if is_change else now != 0.0:
                begun, value, units = 1.0, 0.0, 0.0
            before = now
            if begun == 0.0:
                continue
            value += traded
            units += units_now
            if units > 0.0:
                out[row] = value / units
        state[i, 0], state[i, 1], state[i, 2], state[i, 3] = begun, before, value, units


INDICATOR = Indicator(
    name="event_vwap",
    title="Volume-weighted average price since an event",
    inputs=("high", "low", "close", "volume", "open"),
    outputs=(Output("vwap", "event_vwap", "price", "mean price of a unit traded since the event"),),
    parameters=(
        Parameter(
            "event",
            "nonzero",
            "which rows of the source the sums start anew at: those that are not zero, or that "
            "differ from the row before",
            choices=("nonzero", "change"),
        ),
    ),
    memory=RECURSIVE,
    warmup=lambda _: (0,),
    state_size=lambda _: 4,
    advance=advance,
    formula="sum(hlc3 x volume) / sum(volume) since the last event, its row included; the source "
    "is another indicator: event_vwap(cdl_hammer), event_vwap(zigzag(5)[pivot], change)",
    reference="the definition, as TradingView's ta.vwap with an anchor",
    seed="of changes, the first row is one",
    flat="null before the first event, and while no volume was traded since the last",
    source="open",
)
