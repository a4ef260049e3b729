"""Tillson's T3 moving average."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter
from tallow.indicators._averages import average_step
from tallow.indicators._declare import length
from tallow.indicators._lanes import (
    LANES,
    ROOM,
    ROWS,
    count_pieces,
    load_lanes,
    load_states,
    next_piece,
    save_states,
    side_by_side,
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
    while start < stop and state[i, 10] < n:
        x, level = close[start], 0
        out[start] = np.nan
        while x == x and level < LEVELS:
            count, value = state[i, 2 * level], state[i, 2 * level + 1]
            count, value = average_step(count, value, x, n, weight)
            state[i, 2 * level], state[i, 2 * level + 1] = count, value
            x = value if count == n else np.nan
            level += 1
        if x == x:
            out[start] = _joined(state[i, 5], state[i, 7], state[i, 9], state[i, 11], weights)
        start += 1
    if only_begin:
        return start
    a, b, c = state[i, 1], state[i, 3], state[i, 5]
    d, e, f = state[i, 7], state[i, 9], state[i, 11]
    for row in range(start, stop):
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
    return stop


@kernel_part
def _step(work, weight, weights):  # type: ignore[no-untyped-def]
    """Take the rows of section 0 into the averages of the next six; join them in the last one."""
    before, eight = np.uint64(0), np.uint64(LANES)
    one, two, three = np.uint64(ROOM), np.uint64(2 * ROOM), np.uint64(3 * ROOM)
    four, five, six = np.uint64(4 * ROOM), np.uint64(5 * ROOM), np.uint64(6 * ROOM)
    joined = np.uint64(7 * ROOM)
    for k in range(np.uint64(ROWS * LANES)):
        now = k + eight
        a, b, c = work[one + k], work[two + k], work[three + k]
        d, e, f = work[four + k], work[five + k], work[six + k]
        a += weight * (work[before + now] - a)
        b += weight * (a - b)
        c += weight * (b - c)
        d += weight * (c - d)
        e += weight * (d - e)
        f += weight * (e - f)
        work[one + now], work[two + now], work[three + now] = a, b, c
        work[four + now], work[five + now], work[six + now] = d, e, f
        work[joined + now] = _joined(c, d, e, f, weights)


@kernel_part
def _go_side_by_side(state, i, offsets, starts, weight, weights, close, work, out):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing."""
    for level in range(LEVELS):
        load_states(state, i, 2 * level + 1, work, level + 1)
    for _ in range(count_pieces(offsets, i, starts)):
        if load_lanes(close, starts, work, 0) > 0:
            break
        _step(work, weight, weights)
        store_lanes(work, LEVELS + 1, starts, out)
        next_piece(work, LEVELS + 1, starts)
    for level in range(LEVELS):
        save_states(state, i, 2 * level + 1, work, level + 1)


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: count and value of each of six averages."""
    n, weight, weights = params[0], 2.0 / (params[0] + 1.0), _weights(params[1])
    work, starts = np.empty((LEVELS + 2) * ROOM), np.empty(LANES, dtype=np.int64)
    i = np.int64(0)
    while i < len(state):
        many = side_by_side(offsets, i)
        for k in range(many):
            starts[k] = offsets[i + k]
        for turn in range(2):
            only_begin = turn == 0 and many > 1
            for k in range(many):
                stop = offsets[i + k + 1]
                if starts[k] < stop:
                    starts[k] = _go_on(
                        state, i + k, n, weights, close, starts[k], stop, only_begin, out
                    )
            if only_begin:
                _go_side_by_side(state, i, offsets, starts, weight, weights, close, work, out)
        i += many


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
    version=2,
    compared=("talib",),
    names={"talib": "T3", "pandas_ta": "t3"},
)
