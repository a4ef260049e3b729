"""Tillson's T3 moving average."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter
from tallow.indicators._chains import begin_chain
from tallow.indicators._declare import length
from tallow.indicators._lanes import (
    LANES,
    ROOM,
    ROW,
    ROWS,
    at,
    fill_lanes,
    has_piece,
    join_lanes,
    load_lanes,
    load_states,
    lone_rows,
    next_piece,
    part_lanes,
    part_of,
    piece_parts,
    save_states,
    start_lanes,
    store_lanes,
)

LEVELS = 6


@kernel_part
def _weights(v):  # type: ignore[no-untyped-def]
    """Return how much the sixth, fifth and fourth average weigh; the third has the rest of 1."""
    return -v * v * v, 3.0 * v * v * (1.0 + v), -3.0 * v * (1.0 + v) * (1.0 + v)


@kernel_part
def _joined(third, fourth, fifth, sixth, weights):  # type: ignore[no-untyped-def]
    more = weights[2] * (fourth - third) + weights[1] * (fifth - third)
    return third + (more + weights[0] * (sixth - third))


@kernel_step
def _go_on(state, i, n, weights, close, start, stop, only_begin, out):  # type: ignore[no-untyped-def]
    """Take rows one by one, or those until all averages have a value; return where others begin."""
    weight = 2.0 / (n + 1.0)
    row = begin_chain(state, i, LEVELS, n, close, start, stop, out)
    a, b, c = state[i, 1], state[i, 3], state[i, 5]
    d, e, f = state[i, 7], state[i, 9], state[i, 11]
    if row > start and state[i, 10] == n:
        out[row - 1] = _joined(c, d, e, f, weights)
    while row < stop and not only_begin:
        x = close[row]
        out[row] = np.nan
        if x == x:
            a += weight * (x - a)
            b += weight * (a - b)
            c += weight * (b - c)
            d += weight * (c - d)
            e += weight * (d - e)
            f += weight * (e - f)
            out[row] = _joined(c, d, e, f, weights)
        row += 1
    state[i, 1], state[i, 3], state[i, 5] = a, b, c
    state[i, 7], state[i, 9], state[i, 11] = d, e, f
    return row


@kernel_part
def _step(work, weight, weights):  # type: ignore[no-untyped-def]
    """Take the closes of the last section into the averages before it; join them in its place."""
    for k in range(np.uint64(ROWS * LANES)):
        now = k + np.uint64(LANES)
        a, b, c = work[k], work[at(k, 1)], work[at(k, 2)]
        d, e, f = work[at(k, 3)], work[at(k, 4)], work[at(k, 5)]
        a += weight * (work[at(now, 6)] - a)
        b += weight * (a - b)
        c += weight * (b - c)
        d += weight * (c - d)
        e += weight * (d - e)
        f += weight * (e - f)
        work[now], work[at(now, 1)], work[at(now, 2)] = a, b, c
        work[at(now, 3)], work[at(now, 4)], work[at(now, 5)] = d, e, f
        work[at(now, 6)] = _joined(c, d, e, f, weights)


@kernel_part
def _go_side_by_side(state, lanes, n, weights, close, work, out):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing."""
    columns = (1, 3, 5, 7, 9, 11)
    load_states(state, lanes, columns, work)
    while has_piece(lanes):
        if load_lanes(close, lanes, work, 6) > 0:
            part_lanes(lanes)
            break
        for part in range(piece_parts(lanes)):
            _step(part_of(work, part), 2.0 / (n + 1.0), weights)
        store_lanes(work, 6, lanes, out)
        next_piece(work, 6, lanes)
    save_states(state, lanes, columns, work)


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: count and value of each of six averages."""
    n, weights = params[0], _weights(params[1])
    lanes, work = start_lanes(True), np.empty(7 * ROOM)
    while fill_lanes(offsets, lanes):
        for k in range(LANES):
            i, start, stop, only_begin = lone_rows(lanes, k)
            if start < stop:
                lanes[ROW, k] = _go_on(state, i, n, weights, close, start, stop, only_begin, out)
        if join_lanes(offsets, lanes):
            _go_side_by_side(state, lanes, n, weights, close, work, out)


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
    version=5,
    compared=("talib",),
    names={"talib": "T3", "pandas_ta": "t3"},
)
