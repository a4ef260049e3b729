"""Average price."""

from __future__ import annotations

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output


@kernel
def advance(state, params, offsets, open_, high, low, close, out):  # type: ignore[no-untyped-def]
    """State: none."""
    a, z = offsets[0], offsets[len(state)]
    o, h, l, c, mean = open_[a:z], high[a:z], low[a:z], close[a:z], out[a:z]
    for j in range(len(mean)):
        mean[j] = (o[j] + h[j] + l[j] + c[j]) / 4.0


INDICATOR = Indicator(
    name="ohlc4",
    title="Average price",
    inputs=("open", "high", "low", "close"),
    outputs=(Output("ohlc4", "ohlc4", "price", "mean of all four prices"),),
    parameters=(),
    memory=WINDOW,
    warmup=lambda _: (0,),
    state_size=lambda _: 0,
    advance=advance,
    formula="(open + high + low + close) / 4",
    reference="the definition, as TradingView's ohlc4",
    version=2,
    compared=("talib",),
    aliases=("avgprice",),
    names={"talib": "AVGPRICE", "pine": "ohlc4", "pandas_ta": "ohlc4"},
)
