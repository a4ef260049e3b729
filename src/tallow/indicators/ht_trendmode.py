"""Whether the market trends or goes in cycles."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._hilbert import (
    HILBERT,
    WARMUP,
    hilbert_step,
    phase_step,
    smooth_price,
    trend_step,
)

APART = 0.015
"""Of the trendline: as far from it a price is in a trend."""


@kernel_step
def _mode(state, i, first, phase, smooth, price, line):  # type: ignore[no-untyped-def]
    """Return 1 in a trend, 0 in a cycle.

    State at `first`: phase, sine and leading sine of the row before, rows since these crossed.
    """
    radians, trend = math.pi / 180.0, 1.0
    turn, days = phase - state[i, first], state[i, first + 3]
    if phase == phase:
        sine, lead = math.sin(phase * radians), math.sin((phase + 45.0) * radians)
        last_sine, last_lead = state[i, first + 1], state[i, first + 2]
        crosses_up = sine > lead and last_sine <= last_lead
        if crosses_up or (sine < lead and last_sine >= last_lead):
            days = trend = 0.0
        state[i, first], state[i, first + 1], state[i, first + 2] = phase, sine, lead
    days += 1.0
    state[i, first + 3] = days
    if days < 0.5 * smooth or 0.67 * 360.0 < turn * smooth < 1.5 * 360.0:
        trend = 0.0
    if line != 0.0 and abs((price - line) / line) >= APART:
        trend = 1.0
    return trend


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: that of the transform, of the trendline and of the mode."""
    for i in range(len(state)):
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            out[row] = np.nan
            if x != x:
                continue
            t = int(state[i, 0])
            _, _, smooth = hilbert_step(state, i, 0, x)
            line = trend_step(state, i, 0, t, HILBERT, smooth)
            phase, price = phase_step(state, i, 0, t, smooth), smooth_price(state, i, 0, t)
            mode = _mode(state, i, HILBERT + 3, phase, smooth, price, line)
            if t >= WARMUP:
                out[row] = mode


INDICATOR = Indicator(
    name="ht_trendmode",
    title="Trend mode",
    inputs=("close",),
    outputs=(
        Output("ht_trendmode", "ht_trendmode", "sign", "1 in a trend, 0 in a cycle", 0.0, 1.0),
    ),
    parameters=(),
    memory=RECURSIVE,
    warmup=lambda _: (WARMUP,),
    state_size=lambda _: HILBERT + 7,
    advance=advance,
    formula="0 for half a period after the sines of the phase cross, and while the phase turns by "
    "0.67 to 1.5 of a row of the cycle; else, or 1.5 percent from the trendline, 1",
    reference="Ehlers (2001), Rocket Science for Traders, as TA-Lib's HT_TRENDMODE",
    seed="prices before the first as that one, a period of 6; in TA-Lib zero",
    flat="1: closes that are equal have no phase; in TA-Lib what rounding leaves of them has one",
    names={"talib": "HT_TRENDMODE"},
)
