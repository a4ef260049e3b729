"""Detrended price oscillator."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output, Parameter, Values
from tallow.indicators._declare import length
from tallow.indicators._windows import (
    hide_missing,
    load_windows,
    next_stretch,
    start_stretches,
    window_means,
)


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the closes of the mean and of the shift together."""
    n, of_close = int(params[0]), params[1] == 1.0
    back = n // 2 + 1
    kept = max(n - 1, back) if of_close else n - 1 + back
    mean_late, price_late = (0, back) if of_close else (back, 0)
    rows, room, who, side = start_stretches(kept + 1)
    window, work, means = np.empty(room), np.empty((3, room)), np.empty(room)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, kept, who, side, close[a:z], window)
        mean, gap = means[: z - a], out[a:z]
        first, last = (kept - mean_late - n + 1) * side, len(x) - mean_late * side
        window_means(x[first:last], n, side, work, mean)
        price = x[(kept - price_late) * side :]
        for j in range(len(gap)):
            gap[j] = price[j] - mean[j]
        hide_missing(x, kept + 1, side, work, gap)
        a = z


def _kept(p: Values) -> int:
    n = int(p["length"])
    back = n // 2 + 1
    return max(n - 1, back) if p["shift"] == "close" else n - 1 + back


INDICATOR = Indicator(
    name="dpo",
    title="Detrended price oscillator",
    inputs=("close",),
    outputs=(
        Output("dpo", "dpo_{length}", "price difference", "close minus mean, one of them earlier"),
    ),
    parameters=(
        length(21),
        Parameter(
            "shift",
            "mean",
            "what is taken from length / 2 + 1 rows before: the mean, or the close",
            choices=("mean", "close"),
        ),
    ),
    memory=WINDOW,
    warmup=lambda p: (_kept(p),),
    state_size=_kept,
    advance=advance,
    formula="close - sma(close, length) m rows before; m = length / 2 + 1, rounded down",
    reference="Murphy (1999), Technical Analysis of the Financial Markets, ch. 10; "
    "the close before minus the mean in TA-Lib, which charts draw m rows earlier",
    flat="exactly 0",
    version=2,
    presets={"talib": {"shift": "close"}},
    compared=("talib",),
    names={"talib": "DPO", "pandas_ta": "dpo"},
)
