"""State of a trend: how many closes of late were above their average."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter, Values
from tallow.indicators._averages import average_step
from tallow.indicators._blocks import next_place
from tallow.indicators._declare import length
from tallow.indicators._states import side_of


@kernel
def advance(state, params, offsets, close, trend, share):  # type: ignore[no-untyped-def]
    """State: count and value of the average; closes on a side, place, sum; then their sides."""
    n, window, threshold = params[0], int(params[1]), params[2]
    weight = 2.0 / (n + 1.0)
    for i in range(len(state)):
        count, value, seen = state[i, 0], state[i, 1], state[i, 2]
        place, total = int(state[i, 3]), state[i, 4]
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            trend[row] = share[row] = np.nan
            if x != x:
                continue
            count, value = average_step(count, value, x, n, weight)
            if count < n:
                continue
            side = side_of(x, value)
            total += side - state[i, 5 + place]
            state[i, 5 + place] = side
            place, seen = next_place(place, window), min(seen + 1.0, params[1])
            if seen == params[1]:
                above, below = 50.0 * (window + total), 50.0 * (window - total)
                share[row] = above / window
                # Without division: a share may be the very threshold.
                enough = threshold * window
                trend[row] = side_of(above, below) if max(above, below) >= enough else 0.0
        state[i, 0], state[i, 1], state[i, 2] = count, value, seen
        state[i, 3], state[i, 4] = float(place), total


def _warmup(p: Values) -> tuple[int, ...]:
    return (int(p["length"]) + int(p["window"]) - 2,) * 2


INDICATOR = Indicator(
    name="trend_state",
    title="Trend state",
    inputs=("close",),
    outputs=(
        Output(
            "trend_state",
            "trend_state_{length}_{window}",
            "sign",
            "1 bullish, -1 bearish, else 0",
            -1,
            1,
            is_integer=True,
        ),
        Output(
            "share",
            "trend_share_{length}_{window}",
            "0..100",
            "closes above the average",
            0.0,
            100.0,
        ),
    ),
    parameters=(
        length(50, minimum=2, text="rows of the exponential average"),
        length(20, name="window", text="rows whose closes are counted"),
        Parameter(
            "threshold", 60.0, "percent of closes on one side that make a trend", 50.0, 100.0
        ),
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda p: 5 + int(p["window"]),
    advance=advance,
    formula="share = percent of the closes of window rows above their ema(length), equal ones "
    "half; 1 where share >= threshold, -1 where share <= 100 - threshold, 0 where neither or both",
    reference="the definition; what differs by less than 1e-9 of the average is equal to it",
    seed="mean of the first length closes",
    flat="a share of 50, and 0: closes that are the average itself speak for neither side",
)
