"""Median price."""

from __future__ import annotations

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output


@kernel
def advance(state, params, offsets, high, low, out):  # type: ignore[no-untyped-def]
    """State: none."""
    a, z = offsets[0], offsets[len(state)]
    h, l, mean = high[a:z], low[a:z], out[a:z]
    for j in range(len(mean)):
        mean[j] = (h[j] + l[j]) / 2.0


INDICATOR = Indicator(
    name="hl2",
    title="Median price",
    inputs=("high", "low"),
    outputs=(Output("hl2", "hl2", "price", "mean of high and low"),),
    parameters=(),
    memory=WINDOW,
    warmup=lambda _: (0,),
    state_size=lambda _: 0,
    advance=advance,
    formula="(high + low) / 2",
    reference="the definition, as TradingView's hl2",
    version=2,
    compared=("talib",),
    aliases=("medprice",),
    names={"talib": "MEDPRICE", "pine": "hl2", "pandas_ta": "hl2"},
)
