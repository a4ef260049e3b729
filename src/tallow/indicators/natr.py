"""Normalized average true range."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._declare import FIRST_RANGE, length, zero_or_null
from tallow.indicators.atr import advance as advance_atr


@kernel
def advance(state, params, offsets, high, low, close, out):  # type: ignore[no-untyped-def]
    """State: as atr's."""
    flat = 0.0 if params[2] == 1.0 else np.nan
    advance_atr(state, params, offsets, high, low, close, out)
    a, z = offsets[0], offsets[len(state)]
    part, c = out[a:z], close[a:z]
    for j in range(len(part)):
        value = 100.0 * (part[j] / (c[j] if c[j] != 0.0 else 1.0))
        part[j] = flat if c[j] == 0.0 and value == value else value


INDICATOR = Indicator(
    name="natr",
    title="Normalized average true range",
    inputs=("high", "low", "close"),
    outputs=(Output("natr", "natr_{length}", "percent", "mean range in percent of the close"),),
    parameters=(length(14, minimum=2), FIRST_RANGE, zero_or_null("the close")),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]) - (p["first_range"] == "high_low"),),
    state_size=lambda _: 4,
    advance=advance,
    formula="100 atr(length) / close",
    reference="Forman (2006), Cross-Market Evaluations with Normalized ATR, S&C 24:6",
    flat="null where the close is zero; 0 in TA-Lib",
    seed="as atr",
    version=3,
    presets={"talib": {"first_range": "none", "flat": "zero"}},
    compared=("talib",),
    names={"talib": "NATR", "pandas_ta": "natr"},
)
