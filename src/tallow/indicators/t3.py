"""Tillson's T3 moving average."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter
from tallow.indicators._averages import average_step
from tallow.indicators._declare import length


@kernel_part
def _weights(v):  # type: ignore[no-untyped-def]
    """Return how much the sixth, fifth and fourth average weigh; the third has the rest of 1."""
    return -v * v * v, 3.0 * v * v * (1.0 + v), -3.0 * v * (1.0 + v) * (1.0 + v)


@kernel_part
def _joined(third, fourth, fifth, sixth, weights):  # type: ignore[no-untyped-def]
    more = weights[2] * (fourth - third) + weights[1] * (fifth - third)
    return third + (more + weights[0] * (sixth - third))


@kernel_part
def _begin(state, i, n, weights, close, start, stop, out):  # type: ignore[no-untyped-def]
    """Take the rows until all averages have their first value; return where the others begin."""
    while start < stop and state[i, 10] < n:
        x, level = close[start], 0
        out[start] = np.nan
        while x == x and level < 6:
            count, value = state[i, 2 * level], state[i, 2 * level + 1]
            count, value = average_step(count, value, x, n, 2.0 / (n + 1.0))
            state[i, 2 * level], state[i, 2 * level + 1] = count, value
            x = value if count == n else np.nan
            level += 1
        if x == x:
            out[start] = _joined(state[i, 5], state[i, 7], state[i, 9], state[i, 11], weights)
        start += 1
    return start


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: count and value of each of six averages.

    They go side by side in one pass: each waits for its own row before only.
    """
    n, weight = params[0], 2.0 / (params[0] + 1.0)
    weights = _weights(params[1])
    for i in range(len(state)):
        start = _begin(state, i, n, weights, close, offsets[i], offsets[i + 1], out)
        a, b, c = state[i, 1], state[i, 3], state[i, 5]
        d, e, f = state[i, 7], state[i, 9], state[i, 11]
        for row in range(start, offsets[i + 1]):
            x = close[row]
            if x != x:
                out[row] = np.nan
                continue
            a += weight * (x - a)
            b += weight * (a - b)
            c += weight * (b - c)
            d += weight * (c - d)
            e += weight * (d - e)
            f += weight * (e - f)
            out[row] = _joined(c, d, e, f, weights)
        state[i, 1], state[i, 3], state[i, 5] = a, b, c
        state[i, 7], state[i, 9], state[i, 11] = d, e, f


INDICATOR = Indicator(
    name="t3",
    title="Tillson's T3",
    inputs=("close",),
    outputs=(Output("t3", "t3_{length}_{factor}", "price", "six averages, joined to lag less"),),
    parameters=(
        length(5),
        Parameter("factor", 0.7, "how much of the lag is taken away", minimum=0.0, maximum=1.0),
    ),
    memory=RECURSIVE,
    warmup=lambda p: (6 * (int(p["length"]) - 1),),
    state_size=lambda _: 12,
    advance=advance,
    formula="g(g(g(close))), g(x) = (1 + factor) ema(x) - factor ema(ema(x)), worked out as "
    "weights of the third to sixth average of averages over length",
    reference="Tillson (1998), Smoothing Techniques for More Accurate Signals, S&C 16:1",
    seed="each average by the mean of its first length values",
    compared=("talib",),
    names={"talib": "T3", "pandas_ta": "t3"},
)
