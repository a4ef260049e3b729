"""Chaikin volatility."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.limits import LENGTH_MAX
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter
from tallow.indicators._averages import FAINT, LIFT, average_step
from tallow.indicators._declare import length, zero_or_null


@kernel
def advance(state, params, offsets, high, low, out):  # type: ignore[no-untyped-def]
    """State: count and average of ranges; averages kept; where the oldest of them lies; they."""
    n, m, flat = params[0], int(params[1]), 0.0 if params[2] == 1.0 else np.nan
    weight = 2.0 / (n + 1.0)
    for i in range(len(state)):
        count, value, seen, place = state[i, 0], state[i, 1], int(state[i, 2]), int(state[i, 3])
        kept = state[i, 4:]
        for row in range(offsets[i], offsets[i + 1]):
            out[row] = np.nan
            reach = high[row] - low[row]
            if reach != reach:
                continue
            count, value = average_step(count, value, reach, n, weight)
            if count < n:
                continue
            if 0.0 < value < FAINT:
                value *= LIFT
                for k in range(m):
                    kept[k] *= LIFT
            before, kept[place] = kept[place], value
            place = place + 1 if place + 1 < m else 0
            if seen < m:
                seen += 1
            else:
                out[row] = 100.0 * ((value - before) / before) if before != 0.0 else flat
        state[i, 0], state[i, 1], state[i, 2], state[i, 3] = count, value, seen, place


INDICATOR = Indicator(
    name="chaikin_volatility",
    title="Chaikin volatility",
    inputs=("high", "low"),
    outputs=(
        Output(
            "chaikin_volatility",
            "chaikin_volatility_{length}_{change_length}",
            "percent",
            "change of the average range",
        ),
    ),
    parameters=(
        length(10, minimum=2),
        Parameter("change_length", 10, "rows between the averages", minimum=1, maximum=LENGTH_MAX),
        zero_or_null("the average before"),
    ),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]) + int(p["change_length"]) - 1,),
    state_size=lambda p: 4 + int(p["change_length"]),
    advance=advance,
    formula="100 (e - e change_length rows before) / that; e = ema(high - low, length)",
    reference="Chaikin, as described by Achelis (2001), Technical Analysis from A to Z",
    seed="mean of the first length ranges",
    flat="null where the average before is zero; 0 in TA-Lib",
    presets={"talib": {"flat": "zero"}},
    compared=("talib",),
    aliases=("cvi",),
    names={"talib": "CVI"},
)
