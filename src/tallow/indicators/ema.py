"""Exponential moving average."""

from __future__ import annotations

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._averages import advance_average
from tallow.indicators._declare import length


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: closes counted up to ``length``, average."""
    advance_average(state, params[0], 2.0 / (params[0] + 1.0), offsets, close, out)


INDICATOR = Indicator(
    name="ema",
    title="Exponential moving average",
    inputs=("close",),
    outputs=(Output("ema", "ema_{length}", "price", "exponentially weighted mean of the closes"),),
    parameters=(length(9),),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda _: 2,
    advance=advance,
    formula="ema += (close - ema) x 2 / (length + 1)",
    reference="Murphy (1999), Technical Analysis of the Financial Markets, ch. 9",
    seed="mean of the first length closes",
    version=2,
    compared=("talib",),
    names={"talib": "EMA", "pine": "ta.ema", "pandas_ta": "ema"},
)
