"""Historical volatility."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output, Parameter
from tallow.indicators._declare import length
from tallow.indicators._volatilities import _returns
from tallow.indicators._windows import load_windows, next_stretch, start_stretches, window_moments


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the close before, the last ``length - 1`` returns."""
    n, scale = int(params[0]), 100.0 * math.sqrt(params[1])
    rows, room, who, side = start_stretches(n + 1)
    window, work, fresh = np.empty((2, room)), np.empty((6, room)), np.empty(room)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        closes = load_windows(state, 0, 1, who, side, close[a:z], window[0])
        returns, volatility = fresh[: z - a], out[a:z]
        _returns(closes, closes[side:], returns)
        x = load_windows(state, 1, n - 1, who, side, returns, window[1])
        _, squares = window_moments(x, n, side, work)
        for j in range(len(volatility)):
            volatility[j] = scale * math.sqrt(squares[j] / n)
        a = z


INDICATOR = Indicator(
    name="historical_volatility",
    title="Historical volatility",
    inputs=("close",),
    outputs=(
        Output(
            "historical_volatility",
            "historical_volatility_{length}_{rows_per_year}",
            "percent",
            "deviation of returns, for a year",
            0.0,
        ),
    ),
    parameters=(
        length(10, minimum=2),
        Parameter("rows_per_year", 365, "rows of the timeframe in a year", 1, 600_000),
    ),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda p: int(p["length"]),
    advance=advance,
    formula="100 sqrt(rows per year) deviation(log(close / close before)), over length rows",
    reference="Black and Scholes (1973); the population's deviation, as TradingView's",
    flat="exactly 0; null where a close is not above zero",
    version=2,
    aliases=("hv",),
)
