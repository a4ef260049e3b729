"""Awesome oscillator."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import check_fast_slow, length
from tallow.indicators._windows import load_windows, next_stretch, start_stretches, window_sums


@kernel
def advance(state, params, offsets, high, low, out):  # type: ignore[no-untyped-def]
    """State: the middles of the last ``slow_length - 1`` rows."""
    fast, slow = int(params[0]), int(params[1])
    rows, room, who, side = start_stretches(slow)
    window, work, fresh = np.empty(room), np.empty((6, room)), np.empty(room)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        h, l, middles, gap = high[a:z], low[a:z], fresh[: z - a], out[a:z]
        for j in range(len(middles)):
            middles[j] = (h[j] + l[j]) / 2.0
        x = load_windows(state, 0, slow - 1, who, side, middles, window)
        late = window_sums(x, slow, side, work[:3])
        early = window_sums(x[(slow - fast) * side :], fast, side, work[3:])
        for j in range(len(gap)):
            # Both are differences from the newest middle.
            gap[j] = early[j] / fast - late[j] / slow
        a = z


INDICATOR = Indicator(
    name="ao",
    title="Awesome oscillator",
    inputs=("high", "low"),
    outputs=(
        Output(
            "ao",
            "ao_{fast_length}_{slow_length}",
            "price difference",
            "fast minus slow mean of middles",
        ),
    ),
    parameters=(length(5, name="fast_length"), length(34, minimum=2, name="slow_length")),
    memory=WINDOW,
    warmup=lambda p: (int(p["slow_length"]) - 1,),
    state_size=lambda p: int(p["slow_length"]) - 1,
    advance=advance,
    formula="sma((high + low) / 2, fast) - sma((high + low) / 2, slow)",
    reference="Williams (1998), New Trading Dimensions",
    flat="exactly 0",
    version=2,
    check=check_fast_slow,
    compared=("talib",),
    names={"talib": "AO", "pandas_ta": "ao"},
)
