"""Aroon oscillator."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators.aroon import advance as advance_aroon


@kernel
def advance(state, params, offsets, high, low, out):  # type: ignore[no-untyped-def]
    """State: as aroon's."""
    down = np.empty(len(out))
    advance_aroon(state, params, offsets, high, low, out, down)
    a, z = offsets[0], offsets[len(state)]
    up, low_age = out[a:z], down[a:z]
    for j in range(len(up)):
        up[j] -= low_age[j]


INDICATOR = Indicator(
    name="aroon_oscillator",
    title="Aroon oscillator",
    inputs=("high", "low"),
    outputs=(
        Output(
            "aroon_oscillator",
            "aroon_oscillator_{length}",
            "percent",
            "how much newer the highest high is than the lowest low",
            -100.0,
            100.0,
        ),
    ),
    parameters=(length(14),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda p: 2 * int(p["length"]),
    advance=advance,
    formula="aroon up - aroon down",
    reference="Chande (1995), A Time Price Oscillator, S&C 13:9",
    flat="0: of equal extremes the latest counts",
    version=4,
    compared=("talib",),
    aliases=("aroonosc",),
    names={"talib": "AROONOSC"},
)
