"""Sine of the dominant cycle's phase."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._hilbert import HILBERT, WARMUP, hilbert_step, phase_step


@kernel
def advance(state, params, offsets, close, sine, lead):  # type: ignore[no-untyped-def]
    """State: that of the transform."""
    radians = math.pi / 180.0
    for i in range(len(state)):
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            sine[row] = lead[row] = np.nan
            if x != x:
                continue
            t = int(state[i, 0])
            _, _, smooth = hilbert_step(state, i, 0, x)
            if t >= WARMUP:
                phase = phase_step(state, i, 0, t, smooth)
                sine[row], lead[row] = math.sin(phase * radians), math.sin((phase + 45.0) * radians)


INDICATOR = Indicator(
    name="ht_sine",
    title="Sine wave of the dominant cycle",
    inputs=("close",),
    outputs=(
        Output("sine", "ht_sine", "ratio", "sine of the phase", -1.0, 1.0),
        Output("lead", "ht_lead_sine", "ratio", "sine of the phase 45 degrees on", -1.0, 1.0),
    ),
    parameters=(),
    memory=RECURSIVE,
    warmup=lambda _: (WARMUP, WARMUP),
    state_size=lambda _: HILBERT,
    advance=advance,
    formula="sin(phase), sin(phase + 45 degrees); phase of the smoothed closes of a period of the "
    "dominant cycle",
    reference="Ehlers (2001), Rocket Science for Traders, as TA-Lib's HT_SINE",
    seed="prices before the first as that one, a period of 6; in TA-Lib zero",
    flat="null where the closes of a period are equal; in TA-Lib what rounding leaves of them",
    names={"talib": "HT_SINE"},
)
