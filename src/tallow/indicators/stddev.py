"""Standard deviation."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._windows import (
    load_window,
    short_moments,
    stretch_rows,
    window_moments,
)


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` closes."""
    n = int(params[0])
    step = stretch_rows(n)
    window, work = np.empty(n - 1 + step), np.empty((6, n - 1 + step))
    for i in range(len(state)):
        for low in range(offsets[i], offsets[i + 1], step):
            high = min(low + step, offsets[i + 1])
            x = load_window(state[i], close[low:high], window)
            _, squares = short_moments(x, n, work)
            deviation = out[low:high]
            for j in range(len(deviation)):
                deviation[j] = np.sqrt(squares[j] / n)


@kernel
def advance_long(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """As `advance`, for long windows."""
    n = int(params[0])
    step = stretch_rows(n)
    window, work = np.empty(n - 1 + step), np.empty((6, n - 1 + step))
    for i in range(len(state)):
        for low in range(offsets[i], offsets[i + 1], step):
            high = min(low + step, offsets[i + 1])
            x = load_window(state[i], close[low:high], window)
            _, squares = window_moments(x, n, work)
            deviation = out[low:high]
            for j in range(len(deviation)):
                deviation[j] = np.sqrt(squares[j] / n)


INDICATOR = Indicator(
    name="stddev",
    title="Standard deviation",
    inputs=("close",),
    outputs=(
        Output("stddev", "stddev_{length}", "price", "population deviation of the closes", 0.0),
    ),
    parameters=(length(20, minimum=2),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    advance_long=advance_long,
    formula="sqrt(mean((close - mean)^2)) over length rows",
    reference="Population standard deviation (divisor n), as ta.stdev and TA-Lib's STDDEV",
    flat="exactly 0",
)
