"""Arnaud Legoux moving average."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import WINDOW, Indicator, Output, Parameter
from tallow.indicators._declare import length
from tallow.indicators._windows import load_windows, next_stretch, start_stretches


@kernel_part
def _bell(n, offset, sigma):  # type: ignore[no-untyped-def]
    """Return the weights of a window's rows, the highest of them 1, and their sum."""
    weights, total = np.empty(n), 0.0
    top, width = offset * (n - 1.0), n / sigma
    nearest = math.floor(top + 0.5) - top
    for k in range(n):
        gap = k - top
        weights[k] = math.exp((nearest * nearest - gap * gap) / (2.0 * width * width))
        total += weights[k]
    return weights, total


@kernel_part
def _add_weighted(x, newest, weight, sums):  # type: ignore[no-untyped-def]
    for j in range(len(sums)):
        sums[j] += weight * (x[j] - newest[j])


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` closes."""
    n = int(params[0])
    weights, total = _bell(n, params[1], params[2])
    rows, room, who, side = start_stretches(n)
    window = np.empty(room)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window)
        newest, mean = close[a:z], out[a:z]
        for j in range(len(mean)):
            mean[j] = 0.0
        for k in range(n):
            _add_weighted(x[k * side :], newest, weights[k], mean)
        for j in range(len(mean)):
            mean[j] = newest[j] + mean[j] / total
        a = z


INDICATOR = Indicator(
    name="alma",
    title="Arnaud Legoux moving average",
    inputs=("close",),
    outputs=(
        Output("alma", "alma_{length}_{offset}_{sigma}", "price", "mean weighted by a bell curve"),
    ),
    parameters=(
        length(9),
        Parameter("offset", 0.85, "top of the curve, from oldest to newest row", 0.0, 1.0),
        Parameter("sigma", 6.0, "rows in a deviation of the curve are length / sigma", 0.1, 100.0),
    ),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: int(p["length"]) - 1,
    advance=advance,
    formula="sum(w close) / sum(w); w = exp(-(k - offset (length - 1))^2 / "
    "(2 (length / sigma)^2)), k = 0 the oldest row",
    reference="Legoux and Kouzis-Loukas (2009), Arnaud Legoux Moving Average, as ta.alma",
    version=2,
    names={"pine": "ta.alma", "pandas_ta": "alma"},
)
