"""Wilder's moving average."""

from __future__ import annotations

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._averages import advance_average
from tallow.indicators._declare import WILDER, length


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: closes counted up to ``length``, average."""
    advance_average(state, params[0], 1.0 / params[0], offsets, close, out)


INDICATOR = Indicator(
    name="rma",
    title="Wilder's moving average",
    inputs=("close",),
    outputs=(Output("rma", "rma_{length}", "price", "Wilder's smoothed mean of the closes"),),
    parameters=(length(14),),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda _: 2,
    advance=advance,
    formula="rma += (close - rma) / length",
    reference=WILDER,
    seed="mean of the first length closes",
    version=2,
    compared=("talib",),
    aliases=("smma",),
    names={"talib": "RMA", "pine": "ta.rma", "pandas_ta": "rma smma"},
)
