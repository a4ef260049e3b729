"""Elder's bull power and bear power."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._averages import average_step
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
def _go_on(state, i, params, high, low, close, start, stop, only_begin, bull, bear):  # type: ignore[no-untyped-def]
    """Take rows one by one, or those until there is a value; return where others begin."""
    n, weight = params[0], 2.0 / (params[0] + 1.0)
    count, value, row = state[i, 0], state[i, 1], start
    while row < stop and not (only_begin and count == n):
        h, l, x, here = high[row], low[row], close[row], row
        bull[here] = bear[here] = np.nan
        row += 1
        known = h + l + x
        if known != known:
            continue
        count, value = average_step(count, value, x, n, weight)
        if count == n:
            bull[here], bear[here] = h - value, l - value
    state[i, 0], state[i, 1] = count, value
    return row


@kernel_part
def _step(work, weight):  # type: ignore[no-untyped-def]
    """Take the closes of section 1 into averages, section 0; highs and lows become powers."""
    for k in range(np.uint64(ROWS * LANES)):
        now = k + np.uint64(LANES)
        value = work[k]
        value += weight * (work[at(now, 1)] - value)
        work[now] = value
        work[at(now, 2)] -= value
        work[at(now, 3)] -= value


@kernel_part
def _go_side_by_side(state, lanes, params, high, low, close, work, bull, bear):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing."""
    columns = (1,)
    load_states(state, lanes, columns, work)
    while has_piece(lanes):
        missing = load_lanes(close, lanes, work, 1)
        missing += load_lanes(high, lanes, work, 2)
        missing += load_lanes(low, lanes, work, 3)
        if missing > 0:
            part_lanes(lanes)
            break
        for part in range(piece_parts(lanes)):
            _step(part_of(work, part), 2.0 / (params[0] + 1.0))
        store_lanes(work, 2, lanes, bull)
        store_lanes(work, 3, lanes, bear)
        next_piece(work, 1, lanes)
    save_states(state, lanes, columns, work)


@kernel
def advance(state, params, offsets, high, low, close, bull, bear):  # type: ignore[no-untyped-def]
    """State: count and value of the average."""
    lanes, work = start_lanes(True), np.empty(4 * ROOM)
    while fill_lanes(offsets, lanes):
        for k in range(LANES):
            i, start, stop, only_begin = lone_rows(lanes, k)
            if start < stop:
                lanes[ROW, k] = _go_on(
                    state, i, params, high, low, close, start, stop, only_begin, bull, bear
                )
        if join_lanes(offsets, lanes):
            _go_side_by_side(state, lanes, params, high, low, close, work, bull, bear)


INDICATOR = Indicator(
    name="elder_ray",
    title="Elder ray",
    inputs=("high", "low", "close"),
    outputs=(
        Output("bull", "bull_power_{length}", "price difference", "the high above the average"),
        Output("bear", "bear_power_{length}", "price difference", "the low above the average"),
    ),
    parameters=(length(13),),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]) - 1,) * 2,
    state_size=lambda _: 2,
    advance=advance,
    formula="bull = high - ema(close, length); bear = low - ema(close, length)",
    reference="Elder (1993), Trading for a Living",
    seed="mean of the first length closes",
    version=5,
    compared=("talib",),
    aliases=("eri",),
    names={"talib": "ERI", "pandas_ta": "eri"},
)
