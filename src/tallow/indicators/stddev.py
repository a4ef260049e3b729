"""Standard deviation."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._short_windows import short_moments
from tallow.indicators._windows import (
    load_windows,
    next_stretch,
    start_stretches,
    window_moments,
)


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` closes."""
    n, share = int(params[0]), 1.0 / params[0]
    rows, room, who, side = start_stretches(n)
    window, work = np.empty(room), np.empty((6, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window)
        _, squares = short_moments(x, n, side, work)
        deviation = out[a:z]
        for j in range(len(deviation)):
            deviation[j] = np.sqrt(squares[j] * share)
        a = z


@kernel
def advance_long(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """As `advance`, for long windows."""
    n, share = int(params[0]), 1.0 / params[0]
    rows, room, who, side = start_stretches(n)
    window, work = np.empty(room), np.empty((6, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window)
        _, squares = window_moments(x, n, side, work)
        deviation = out[a:z]
        for j in range(len(deviation)):
            deviation[j] = np.sqrt(squares[j] * share)
        a = z


INDICATOR = Indicator(
    name="stddev",
    title="Standard deviation",
    inputs=("close",),
    outputs=(
        Output(
            "stddev",
            "stddev_{length}",
            "price difference",
            "population deviation of the closes",
            0.0,
        ),
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
    version=4,
    compared=("talib",),
    aliases=("stdev",),
    names={"talib": "STDDEV", "pine": "ta.stdev", "pandas_ta": "stdev"},
)
