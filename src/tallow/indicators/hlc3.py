"""Typical price."""

from __future__ import annotations

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output


@kernel
def advance(state, params, offsets, high, low, close, out):  # type: ignore[no-untyped-def]
    """State: none."""
    a, z = offsets[0], offsets[len(state)]
    h, l, c, mean = high[a:z], low[a:z], close[a:z], out[a:z]
    for j in range(len(mean)):
        mean[j] = (h[j] + l[j] + c[j]) / 3.0


INDICATOR = Indicator(
    name="hlc3",
    title="Typical price",
    inputs=("high", "low", "close"),
    outputs=(Output("hlc3", "hlc3", "price", "mean of high, low and close"),),
    parameters=(),
    memory=WINDOW,
    warmup=lambda _: (0,),
    state_size=lambda _: 0,
    advance=advance,
    formula="(high + low + close) / 3",
    reference="the definition, as TradingView's hlc3",
    version=2,
    compared=("talib",),
    aliases=("typprice",),
    names={"talib": "TYPPRICE", "pine": "hlc3", "pandas_ta": "hlc3"},
)
