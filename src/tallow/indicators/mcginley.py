"""McGinley dynamic."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._averages import average_step
from tallow.indicators._declare import length


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: count and value."""
    n = params[0]
    for i in range(len(state)):
        count, value = state[i, 0], state[i, 1]
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            out[row] = np.nan
            if x != x:
                continue
            if count < n:
                count, value = average_step(count, value, x, n, 1.0)
            elif value == 0.0:
                value = x
            else:
                speed = (x / value) * (x / value)
                speed *= n * speed
                value = value + (x - value) / speed if speed > 1.0 else x
            if count == n:
                out[row] = value
        state[i, 0], state[i, 1] = count, value


INDICATOR = Indicator(
    name="mcginley",
    title="McGinley dynamic",
    inputs=("close",),
    outputs=(Output("mcginley", "mcginley_{length}", "price", "average that adapts to speed"),),
    parameters=(length(14),),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda _: 2,
    advance=advance,
    formula="m before + (close - m before) / (length (close / m before)^4), at most up to the "
    "close",
    reference="McGinley (1997), Journal of Technical Analysis; TradingView's goes beyond a close "
    "that has fallen to half of it, and from there anywhere",
    seed="mean of the first length closes",
    flat="the close where m before is zero",
    version=2,
    aliases=("mcgd",),
    names={"pandas_ta": "mcgd"},
)
