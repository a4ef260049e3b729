"""Momentum."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._windows import hide_missing, load_windows, next_stretch, start_stretches


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the last ``length`` closes."""
    n = int(params[0])
    rows, room, who, side = start_stretches(n + 1)
    window, work = np.empty(room), np.empty((3, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n, who, side, close[a:z], window)
        newest, change, missing = x[n * side :], out[a:z], 0
        for j in range(len(change)):
            moved = newest[j] - x[j]
            missing += moved != moved
            change[j] = moved
        # Of as many rows as are kept, each is in a change.
        if missing > 0 or len(change) < n * side:
            hide_missing(x, n + 1, side, work, change)
        a = z


INDICATOR = Indicator(
    name="momentum",
    title="Momentum",
    inputs=("close",),
    outputs=(
        Output("momentum", "momentum_{length}", "price difference", "change over length rows"),
    ),
    parameters=(length(10),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda p: int(p["length"]),
    advance=advance,
    formula="close - close length rows before",
    reference="Murphy (1999), Technical Analysis of the Financial Markets, ch. 10",
    version=4,
    compared=("talib",),
    aliases=("mom",),
    names={"talib": "MOM", "pine": "ta.mom", "pandas_ta": "mom"},
)
