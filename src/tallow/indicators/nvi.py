"""Negative volume index."""

from __future__ import annotations

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._volume_index import BASE, advance_index


@kernel
def advance(state, params, offsets, close, volume, out):  # type: ignore[no-untyped-def]
    """State: as `advance_index` has it."""
    advance_index(state, params[0], offsets, close, volume, -1.0, out)


INDICATOR = Indicator(
    name="nvi",
    title="Negative volume index",
    inputs=("close", "volume"),
    outputs=(Output("nvi", "nvi", "index", "growth on rows of less volume than before", 0.0),),
    parameters=(BASE,),
    memory=RECURSIVE,
    warmup=lambda _: (0,),
    state_size=lambda _: 4,
    advance=advance,
    formula="product of close / close before, of rows whose volume fell",
    reference="Fosback (1976), Stock Market Logic",
    flat="a close of zero, or after zero, changes nothing; kept within 1e-300..1e300",
    seed="1 on TradingView, 1000 in TA-Lib",
    version=4,
    presets={"talib": {"base": 1000.0}},
    compared=("talib",),
    names={"talib": "NVI", "pine": "ta.nvi", "pandas_ta": "nvi"},
)
