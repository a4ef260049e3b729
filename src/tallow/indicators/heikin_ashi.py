"""Heikin-Ashi candles."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output


@kernel
def advance(state, params, offsets, opened, high, low, close, ha_open, ha_high, ha_low, ha_close):  # type: ignore[no-untyped-def]
    """State: rows seen (0 or 1), middle of the body before."""
    for i in range(len(state)):
        seen, middle = state[i, 0], state[i, 1]
        for row in range(offsets[i], offsets[i + 1]):
            o, h, l, c = opened[row], high[row], low[row], close[row]
            last = (o + h + l + c) / 4.0
            if last != last:
                ha_open[row] = ha_high[row] = ha_low[row] = ha_close[row] = np.nan
                continue
            first = middle if seen > 0.0 else (o + c) / 2.0
            ha_open[row], ha_close[row] = first, last
            ha_high[row], ha_low[row] = max(h, first, last), min(l, first, last)
            seen, middle = 1.0, (first + last) / 2.0
        state[i, 0], state[i, 1] = seen, middle


INDICATOR = Indicator(
    name="heikin_ashi",
    title="Heikin-Ashi candles",
    inputs=("open", "high", "low", "close"),
    outputs=(
        Output("open", "ha_open", "price", "middle of the body before"),
        Output("high", "ha_high", "price", "highest of high, open and close"),
        Output("low", "ha_low", "price", "lowest of low, open and close"),
        Output("close", "ha_close", "price", "mean of the four prices"),
    ),
    parameters=(),
    memory=RECURSIVE,
    warmup=lambda _: (0,) * 4,
    state_size=lambda _: 2,
    advance=advance,
    formula="close = (open + high + low + close) / 4; open = mean of its open and close before",
    reference="Valcu (2004), Using the Heikin-Ashi Technique, S&C 22:2",
    seed="an open of (open + close) / 2",
    flat="the price itself",
    compared=("talib",),
    aliases=("ha",),
    names={"talib": "HA", "pandas_ta": "ha"},
)
