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
    for row in range(offsets[0], offsets[len(state)]):
        reach = out[row]
        part = 100.0 * (reach / close[row]) if close[row] != 0.0 else flat
        out[row] = part if reach == reach else np.nan


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
    presets={"talib": {"first_range": "none", "flat": "zero"}},
    compared=("talib",),
    names={"talib": "NATR", "pandas_ta": "natr"},
)
