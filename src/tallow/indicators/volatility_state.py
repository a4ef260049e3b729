"""State of volatility: low, normal or high among those before."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output, Parameter, Values
from tallow.indicators._declare import length
from tallow.indicators._ranks import _count, _count_one, step_down
from tallow.indicators._states import SAME, state_of
from tallow.indicators._volatilities import _returns
from tallow.indicators._windows import (
    hide_missing,
    load_windows,
    next_stretch,
    start_stretches,
    window_moments,
)


@kernel
def advance(state, params, offsets, close, level, percentile):  # type: ignore[no-untyped-def]
    """State: the close before, the last ``length - 1`` returns, the last `window` volatilities."""
    n, many = int(params[0]), int(params[1])
    rows, room, who, side = start_stretches(max(n, many) + 1)
    windows, work, fresh = np.empty((3, room)), np.empty((6, room)), np.empty(room)
    limits, counts = np.empty((2, room)), np.empty((2, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        now, share = fresh[: z - a], percentile[a:z]
        closes = load_windows(state, 0, 1, who, side, close[a:z], windows[0])
        _returns(closes, closes[side:], now)
        returns = load_windows(state, 1, n - 1, who, side, now, windows[1])
        _, squares = window_moments(returns, n, side, work)
        for j in range(z - a):
            now[j] = math.sqrt(squares[j])
        x = load_windows(state, n, many, who, side, now, windows[2])
        for j in range(z - a):
            limits[0, j] = now[j] * (1.0 + SAME)
            limits[1, j] = now[j] * (1.0 - SAME)
        step_down(limits[1, : z - a])
        for k in range(2):
            limit, count = limits[k, : z - a], counts[k, : z - a]
            for j in range(z - a):
                count[j] = 0.0
            for back in range(0, many - 3, 4):
                _count(x, back, side, limit, count)
            for back in range(many // 4 * 4, many):
                _count_one(x[back * side :], limit, count)
        for j in range(z - a):
            # Without division: a percentile may be the very limit.
            lower = 50.0 * (counts[0, j] + counts[1, j])
            level[a + j] = state_of(lower, params[2] * many, params[3] * many)
            share[j] = lower / many
        hide_missing(x, many + 1, side, work, share)
        hide_missing(x, many + 1, side, work, level[a:z])
        a = z


def _warmup(p: Values) -> tuple[int, ...]:
    return (int(p["length"]) + int(p["window"]),) * 2


INDICATOR = Indicator(
    name="volatility_state",
    title="Volatility state",
    inputs=("close",),
    outputs=(
        Output(
            "volatility_state",
            "volatility_state_{length}_{window}",
            "sign",
            "1 high, -1 low, else 0",
            -1,
            1,
            is_integer=True,
        ),
        Output(
            "percentile",
            "volatility_percentile_{length}_{window}",
            "0..100",
            "lower volatilities",
            0.0,
            100.0,
        ),
    ),
    parameters=(
        length(20, minimum=2, text="rows whose returns make a volatility"),
        length(252, name="window", text="volatilities before, among which it is ranked"),
        Parameter("low", 25.0, "percentile below which it is low", 0.0, 50.0),
        Parameter("high", 75.0, "percentile above which it is high", 50.0, 100.0),
    ),
    memory=WINDOW,
    warmup=_warmup,
    state_size=lambda p: int(p["length"]) + int(p["window"]),
    advance=advance,
    formula="percentile = percent of the window volatilities before that are lower, those equal "
    "half; of realised_volatility(length), whose year changes no rank; 1 where percentile > high, "
    "-1 where percentile < low",
    reference="the definition of a percentile rank; volatilities that differ by less than 1e-9 of "
    "themselves are equal; of others: percent_rank(parkinson(20), 252)",
    flat="a percentile of 50, and 0: it is as ever; null where a close is not above zero",
    version=3,
)
