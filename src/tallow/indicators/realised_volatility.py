"""Realised volatility: the deviation of logarithmic returns, for a year."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import YEAR_ROWS
from tallow.indicators._volatilities import _returns, annualise, in_percent, volatility
from tallow.indicators._windows import load_windows, next_stretch, start_stretches, window_moments


@kernel
def advance(state, params, offsets, close, year_rows, out):  # type: ignore[no-untyped-def]
    """State: the close before, the last ``length - 1`` returns."""
    n = int(params[0])
    rows, room, who, side = start_stretches(n + 1)
    window, work, fresh = np.empty((2, room)), np.empty((6, room)), np.empty(room)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        closes = load_windows(state, 0, 1, who, side, close[a:z], window[0])
        returns, variances = fresh[: z - a], out[a:z]
        _returns(closes, closes[side:], returns)
        x = load_windows(state, 1, n - 1, who, side, returns, window[1])
        _, squares = window_moments(x, n, side, work)
        for j in range(len(variances)):
            variances[j] = squares[j] / (n - 1.0)
        annualise(variances, params[1], year_rows[a:z], variances)
        a = z


INDICATOR = volatility(
    name="realised_volatility",
    title="Realised volatility",
    inputs=("close", YEAR_ROWS),
    outputs=in_percent("realised_volatility", "volatility of a year, of closes"),
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda p: int(p["length"]),
    advance=advance,
    formula="100 sqrt(rows per year) x sample deviation of log(close / close before), over length "
    "rows",
    reference="the usual estimator, from close to close, as Yang and Zhang (2000) have it: the "
    "divisor is length - 1; of the population, and of a year of a given length: "
    "historical_volatility",
    version=2,
    aliases=("realized_volatility",),
)
