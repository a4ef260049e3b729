"""Simple moving average."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._windows import (
    load_window,
    short_sums,
    stretch_rows,
    window_sums,
)


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` closes."""
    n = int(params[0])
    step = stretch_rows(n)
    window, work = np.empty(n - 1 + step), np.empty((3, n - 1 + step))
    for i in range(len(state)):
        for low in range(offsets[i], offsets[i + 1], step):
            high = min(low + step, offsets[i + 1])
            x = load_window(state[i], close[low:high], window)
            sums, newest, mean = short_sums(x, n, work), x[n - 1 :], out[low:high]
            for j in range(len(mean)):
                mean[j] = newest[j] + sums[j] / n


@kernel
def advance_long(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """As `advance`, for long windows."""
    n = int(params[0])
    step = stretch_rows(n)
    window, work = np.empty(n - 1 + step), np.empty((3, n - 1 + step))
    for i in range(len(state)):
        for low in range(offsets[i], offsets[i + 1], step):
            high = min(low + step, offsets[i + 1])
            x = load_window(state[i], close[low:high], window)
            sums, newest, mean = window_sums(x, n, work), x[n - 1 :], out[low:high]
            for j in range(len(mean)):
                mean[j] = newest[j] + sums[j] / n


INDICATOR = Indicator(
    name="sma",
    title="Simple moving average",
    inputs=("close",),
    outputs=(Output("sma", "sma_{length}", "price", "mean of the last closes"),),
    parameters=(length(9),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    advance_long=advance_long,
    formula="mean(close over length rows)",
    reference="Murphy (1999), Technical Analysis of the Financial Markets, ch. 9",
)
