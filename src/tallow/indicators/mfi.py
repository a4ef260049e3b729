"""Money flow index."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length, zero_or_null
from tallow.indicators._flows import price_change
from tallow.indicators._volume_windows import window_volumes
from tallow.indicators._windows import load_windows, next_stretch, start_stretches


@kernel
def advance(state, params, offsets, high, low, close, volume, out):  # type: ignore[no-untyped-def]
    """State: the last ``length`` typical prices, then as many volumes."""
    n, flat = int(params[0]), 0.0 if params[1] == 1.0 else np.nan
    rows, room, who, side = start_stretches(n + 1)
    window, work = np.empty((2, room)), np.empty((6, room))
    typical, flows, ups = np.empty(rows), np.empty(room), np.empty(room)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        h, l, c, prices = high[a:z], low[a:z], close[a:z], typical[: z - a]
        for j in range(len(prices)):
            prices[j] = (h[j] + l[j] + c[j]) / 3.0
        x = load_windows(state, 0, n, who, side, prices, window[0])
        units = load_windows(state, n, n, who, side, volume[a:z], window[1])
        stop = len(x) - side
        now, traded, moved, rises = x[side:], units[side:], flows[:stop], ups[:stop]
        for j in range(len(moved)):
            gap = price_change(now[j], x[j])
            # A missing price, or one that is missing before, is a missing flow.
            moved[j] = now[j] * traded[j] if gap != 0.0 else 0.0 * traded[j]
            moved[j] = moved[j] if gap == gap else gap
            rises[j] = 1.0 if gap > 0.0 else 0.0
        sums, totals = window_volumes(rises, moved, n, side, work)
        newest, index = rises[(n - 1) * side :], out[a:z]
        for j in range(len(index)):
            # The mean of ones and zeros, by their flows; its last bit may lie outside of both.
            share = newest[j] + sums[j] / (totals[j] if totals[j] != 0.0 else 1.0)
            share = 1.0 if share > 1.0 else share
            share = 0.0 if share < 0.0 else share
            index[j] = 100.0 * share if totals[j] != 0.0 else flat
        a = z


INDICATOR = Indicator(
    name="mfi",
    title="Money flow index",
    inputs=("high", "low", "close", "volume"),
    outputs=(Output("mfi", "mfi_{length}", "0..100", "share of rising money flow", 0.0, 100.0),),
    parameters=(
        length(14),
        zero_or_null("the flow"),
    ),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda p: 2 * int(p["length"]),
    advance=advance,
    formula="100 rising / (rising + falling); sums of hlc3 x volume over length rows by its way",
    reference="Quong and Soudack (1989), Volume-Weighted RSI: Money Flow, S&C 7:3",
    flat="null where no money flowed over length rows; 0 in TA-Lib; "
    "prices within 1e-15 of each other are equal",
    presets={"talib": {"flat": "zero"}},
    version=4,
    compared=("talib",),
    names={"talib": "MFI", "pine": "ta.mfi", "pandas_ta": "mfi"},
)
