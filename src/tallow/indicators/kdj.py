"""KDJ: a stochastic oscillator with Wilder's means, and how far they are apart."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output, Values
from tallow.indicators._averages import average_step
from tallow.indicators._blocks import highest_step, next_place
from tallow.indicators._declare import START, length, zero_or_null


@kernel
def advance(state, params, offsets, high, low, close, out_k, out_d, out_j):  # type: ignore[no-untyped-def]
    """State: rows counted, place, highest and lowest of blocks; counts and means; the blocks."""
    n, k_length, d_length = int(params[0]), params[1], params[2]
    flat, together = 0.0 if params[3] == 1.0 else np.nan, params[4] == 1.0
    for i in range(len(state)):
        seen, place, top, bottom = state[i, 0], int(state[i, 1]), state[i, 2], state[i, 3]
        k_count, k, d_count, d = state[i, 4], state[i, 5], state[i, 6], state[i, 7]
        for row in range(offsets[i], offsets[i + 1]):
            h, l, c = high[row], low[row], close[row]
            out_k[row] = out_d[row] = out_j[row] = np.nan
            if h != h or l != l or c != c:
                continue
            top, highest = highest_step(state, i, 8, n, place, top, h)
            bottom, lowest = highest_step(state, i, 8 + n, n, place, bottom, -l)
            place, seen = next_place(place, n), min(seen + 1.0, params[0])
            reach = highest + lowest
            # A null is no value of the means': they wait.
            if seen < params[0] or (reach == 0.0 and flat != flat):
                continue
            share = 100.0 * ((c + lowest) / reach) if reach > 0.0 else flat
            k_count, k = average_step(k_count, k, share, k_length, 1.0 / k_length)
            if k_count < k_length:
                continue
            d_count, d = average_step(d_count, d, k, d_length, 1.0 / d_length)
            if d_count == d_length:
                out_d[row], out_j[row] = d, k + 2.0 * (k - d)
            if d_count == d_length or not together:
                out_k[row] = k
        state[i, 0], state[i, 1], state[i, 2], state[i, 3] = seen, float(place), top, bottom
        state[i, 4], state[i, 5], state[i, 6], state[i, 7] = k_count, k, d_count, d


def _warmup(p: Values) -> tuple[int, ...]:
    k = int(p["length"]) + int(p["k_length"]) - 2
    d = k + int(p["d_length"]) - 1
    return (d if p["start"] == "together" else k, d, d)


_N = "{length}_{k_length}_{d_length}"

INDICATOR = Indicator(
    name="kdj",
    title="KDJ",
    inputs=("high", "low", "close"),
    outputs=(
        Output("k", f"kdj_k_{_N}", "percent", "smoothed place in the range", 0.0, 100.0),
        Output("d", f"kdj_d_{_N}", "percent", "mean of k", 0.0, 100.0),
        Output("j", f"kdj_j_{_N}", "percent", "3 k - 2 d"),
    ),
    parameters=(
        length(9),
        length(3, name="k_length"),
        length(3, name="d_length"),
        zero_or_null("the range"),
        START,
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda p: 8 + 2 * int(p["length"]),
    advance=advance,
    formula="k = rma(100 (close - lowest low) / (highest high - lowest low)); d = rma(k); "
    "j = 3 k - 2 d",
    reference="Lane (1984), Lane's Stochastics, S&C 2:3, as charts in China draw it; TA-Lib's KDJ",
    seed="each mean by that of its own first values; some charts begin with 50",
    flat="null without a range; 0 in TA-Lib",
    presets={"talib": {"flat": "zero", "start": "together"}},
    compared=("talib",),
    names={"talib": "KDJ", "pandas_ta": "kdj"},
)
