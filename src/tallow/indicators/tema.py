"""Triple exponential moving average."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Output
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


@kernel_step
def _go_on(state, i, params, close, start, stop, only_begin, out):  # type: ignore[no-untyped-def]
    """Take rows one by one, or those until there is a value; return where others begin."""
    weight = 2.0 / (params[0] + 1.0)
    row = begin_chain(state, i, 3, params[0], close, start, stop, out)
    a, b, c = state[i, 1], state[i, 3], state[i, 5]
    if row > start and state[i, 4] == params[0]:
        out[row - 1] = c + 3.0 * (a - b)
    while row < stop and not only_begin:
        x = close[row]
        out[row] = np.nan
        if x == x:
            a += weight * (x - a)
            b += weight * (a - b)
            c += weight * (b - c)
            out[row] = c + 3.0 * (a - b)
        row += 1
    state[i, 1], state[i, 3], state[i, 5] = a, b, c
    return row


@kernel_part
def _step(work, weight):  # type: ignore[no-untyped-def]
    """Take the closes of section 3 into the averages before it; in their place is the result."""
    for k in range(np.uint64(ROWS * LANES)):
        now = k + np.uint64(LANES)
        a, b, c = work[k], work[at(k, 1)], work[at(k, 2)]
        a += weight * (work[at(now, 3)] - a)
        b += weight * (a - b)
        c += weight * (b - c)
        work[now], work[at(now, 1)], work[at(now, 2)] = a, b, c
        work[at(now, 3)] = c + 3.0 * (a - b)


@kernel_part
def _go_side_by_side(state, lanes, params, close, work, out):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing."""
    columns = (1, 3, 5)
    load_states(state, lanes, columns, work)
    while has_piece(lanes):
        if load_lanes(close, lanes, work, 3) > 0:
            part_lanes(lanes)
            break
        for part in range(piece_parts(lanes)):
            _step(part_of(work, part), 2.0 / (params[0] + 1.0))
        store_lanes(work, 3, lanes, out)
        next_piece(work, 3, lanes)
    save_states(state, lanes, columns, work)


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: count and value of each average."""
    lanes, work = start_lanes(True), np.empty(4 * ROOM)
    while fill_lanes(offsets, lanes):
        for k in range(LANES):
            i, start, stop, only_begin = lone_rows(lanes, k)
            if start < stop:
                lanes[ROW, k] = _go_on(state, i, params, close, start, stop, only_begin, out)
        if join_lanes(offsets, lanes):
            _go_side_by_side(state, lanes, params, close, work, out)


INDICATOR = Indicator(
    name="tema",
    title="Triple exponential moving average",
    inputs=("close",),
    outputs=(Output("tema", "tema_{length}", "price", "an average that lags still less"),),
    parameters=(length(20),),
    memory=RECURSIVE,
    warmup=lambda p: (3 * (int(p["length"]) - 1),),
    state_size=lambda _: 6,
    advance=advance,
    formula="3 e1 - 3 e2 + e3; e1 = ema(close, length), e2 = ema(e1), e3 = ema(e2)",
    reference="Mulloy (1994), Smoothing Data with Less Lag, S&C 12:2",
    seed="each average by the mean of its first length values",
    version=4,
    compared=("talib",),
    names={"talib": "TEMA", "pandas_ta": "tema"},
)
