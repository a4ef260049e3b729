"""Ehlers' adaptive moving averages."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter, Values
from tallow.indicators._hilbert import HILBERT, hilbert_step

WARMUP = 32
"""The first row that is shown, as in TA-Lib."""


@kernel
def advance(state, params, offsets, close, mama, fama):  # type: ignore[no-untyped-def]
    """State: that of the transform, the phase before, both averages."""
    fast, slow = params[0], params[1]
    for i in range(len(state)):
        before, one, two = state[i, HILBERT], state[i, HILBERT + 1], state[i, HILBERT + 2]
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            mama[row] = fama[row] = np.nan
            if x != x:
                continue
            in_phase, quadrature, _ = hilbert_step(state, i, 0, x)
            if state[i, 0] == 1.0:
                one = two = x
            phase = 0.0
            if in_phase != 0.0:
                phase = math.atan(quadrature / in_phase) * (180.0 / math.pi)
            turn, before = max(before - phase, 1.0), phase
            weight = max(fast / turn, slow)
            one += weight * (x - one)
            two += 0.5 * weight * (one - two)
            if state[i, 0] > WARMUP:
                mama[row], fama[row] = one, two
        state[i, HILBERT], state[i, HILBERT + 1], state[i, HILBERT + 2] = before, one, two


def _check(p: Values) -> str | None:
    if float(p["slow_limit"]) <= float(p["fast_limit"]):
        return None
    return f"slow_limit={p['slow_limit']}; must be at most fast_limit={p['fast_limit']}"


_N = "{fast_limit}_{slow_limit}"

INDICATOR = Indicator(
    name="mama",
    title="MESA adaptive moving average",
    inputs=("close",),
    outputs=(
        Output("mama", f"mama_{_N}", "price", "average as fast as the phase turns slowly"),
        Output("fama", f"fama_{_N}", "price", "average of mama, half as fast"),
    ),
    parameters=(
        Parameter("fast_limit", 0.5, "greatest weight of a close", 0.03, 0.99),
        Parameter("slow_limit", 0.05, "least weight of a close", 0.03, 0.99),
    ),
    memory=RECURSIVE,
    warmup=lambda _: (WARMUP, WARMUP),
    state_size=lambda _: HILBERT + 3,
    advance=advance,
    formula="mama before + w (close - mama before); w = fast limit / turn of the phase in degrees, "
    "at least 1, not below slow limit; fama = fama before + w / 2 (mama - fama before)",
    reference="Ehlers (2001), MESA Adaptive Moving Averages, S&C 19:10",
    seed="the first close, and prices before as that one; zero in TA-Lib, for some hundred values",
    check=_check,
    names={"talib": "MAMA"},
)
