"""Chaikin oscillator."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter
from tallow.indicators._averages import FAINT
from tallow.indicators._declare import check_fast_slow, length
from tallow.indicators._flows import flow_step


@kernel_part
def _lead(lead, flow, count, n, first):  # type: ignore[no-untyped-def]
    """Return by how much the line is above its average: all that is needed of the two."""
    weight = 2.0 / (n + 1.0)
    if count < n and not first:
        weight = 1.0 / (count + 1.0)
    lead = (lead + flow) * (1.0 - weight)
    return lead if abs(lead) > FAINT else 0.0


@kernel
def advance(state, params, offsets, high, low, close, volume, out):  # type: ignore[no-untyped-def]
    """State: rows counted up to the longer length; the line above its fast and slow average."""
    fast, slow, first = params[0], params[1], params[2] == 1.0
    for i in range(len(state)):
        count, near, far = state[i, 0], state[i, 1], state[i, 2]
        for row in range(offsets[i], offsets[i + 1]):
            out[row] = np.nan
            flow = flow_step(high[row], low[row], close[row], volume[row])
            if flow != flow:
                continue
            if count > 0.0:
                near, far = (
                    _lead(near, flow, count, fast, first),
                    _lead(far, flow, count, slow, first),
                )
            count = min(count + 1.0, slow)
            if count == slow:
                out[row] = far - near
        state[i, 0], state[i, 1], state[i, 2] = count, near, far


INDICATOR = Indicator(
    name="adosc",
    title="Chaikin oscillator",
    inputs=("high", "low", "close", "volume"),
    outputs=(
        Output(
            "adosc", "adosc_{fast_length}_{slow_length}", "units", "fast less slow average of ad"
        ),
    ),
    parameters=(
        length(3, name="fast_length"),
        length(10, minimum=2, name="slow_length"),
        Parameter(
            "seed",
            "mean",
            "what an average begins with: the mean of its first rows, or ad's first value",
            choices=("mean", "first"),
        ),
    ),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["slow_length"]) - 1,),
    state_size=lambda _: 3,
    advance=advance,
    formula="ema(ad, fast_length) - ema(ad, slow_length)",
    reference="Chaikin, as described by Achelis (2001), Technical Analysis from A to Z",
    check=check_fast_slow,
    flat="a row without range changes no ad",
    seed="means of the first rows, as each ema; ad's first value in TA-Lib",
    presets={"talib": {"seed": "first"}},
    compared=("talib",),
    names={"talib": "ADOSC", "pandas_ta": "adosc"},
)
