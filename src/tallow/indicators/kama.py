"""Kaufman's adaptive moving average."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter
from tallow.indicators._blocks import next_place, sum_step
from tallow.indicators._declare import check_fast_slow, length


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: rows seen, close before, average; place and sum of the block of changes.

    Then the close before each change, and the block.
    """
    n, flat = int(params[0]), params[3]
    fast, slow = 2.0 / (params[1] + 1.0), 2.0 / (params[2] + 1.0)
    for i in range(len(state)):
        seen, before, value = state[i, 0], state[i, 1], state[i, 2]
        place, total = int(state[i, 3]), state[i, 4]
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            if x != x:
                out[row] = np.nan
                continue
            noise = 0.0
            if seen > 0.0:
                state[i, 5 + place] = before
                total, noise = sum_step(state, i, 5 + n, n, place, total, abs(x - before))
                place = next_place(place, n)
            before = x
            if seen < params[0]:
                # What the average starts from is the close before its first value.
                seen, value, out[row] = seen + 1.0, x, np.nan
                continue
            way = abs(x - state[i, 5 + place])
            efficiency = min(way / noise, 1.0) if noise > 0.0 else flat
            weight = efficiency * (fast - slow) + slow
            value += weight * weight * (x - value)
            out[row] = value
        state[i, 0], state[i, 1], state[i, 2] = seen, before, value
        state[i, 3], state[i, 4] = float(place), total


INDICATOR = Indicator(
    name="kama",
    title="Kaufman's adaptive moving average",
    inputs=("close",),
    outputs=(
        Output(
            "kama",
            "kama_{length}_{fast_length}_{slow_length}",
            "price",
            "average that is fast where closes go one way",
        ),
    ),
    parameters=(
        length(10),
        length(2, name="fast_length"),
        length(30, minimum=2, name="slow_length"),
        Parameter(
            "flat",
            0.0,
            "efficiency where length changes are all zero",
            minimum=0.0,
            maximum=1.0,
        ),
    ),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda p: 5 + 2 * int(p["length"]),
    advance=advance,
    formula="kama before + w^2 (close - kama before); w = e (2 / (fast + 1) - 2 / (slow + 1)) + "
    "2 / (slow + 1); e = |close - close length rows before| / sum(|change|)",
    reference="Kaufman (1995), Smarter Trading; TA-Lib's lengths are 2 and 30",
    seed="the close before the first value",
    flat="slow where closes do not change; fast in TA-Lib",
    version=2,
    check=check_fast_slow,
    presets={"talib": {"flat": 1.0}},
    compared=("talib",),
    names={"talib": "KAMA", "pandas_ta": "kama"},
)
