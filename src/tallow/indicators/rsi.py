"""Relative strength index."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter
from tallow.indicators._averages import FAINT, average_step, keep_faint
from tallow.indicators._declare import WILDER, length
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
    n, flat = params[0], params[1]
    seen, before, count = state[i, 0], state[i, 1], state[i, 2]
    gain, loss, value = state[i, 3], state[i, 4], state[i, 5]
    row = start
    while row < stop and not (only_begin and count == n):
        x, here = close[row], row
        out[here] = np.nan
        row += 1
        if x != x:
            continue
        if seen > 0.0:
            change, fresh = x - before, count < n
            _, loss = average_step(count, loss, max(-change, 0.0), n, 1.0 / n)
            count, gain = average_step(count, gain, max(change, 0.0), n, 1.0 / n)
            # Behind a branch, so that the next row need not wait for it.
            if min(gain, loss) < FAINT:
                loss, gain = keep_faint(loss), keep_faint(gain)
            both = gain + loss
            now = 100.0 * (gain / both) if both > 0.0 else flat
            if change != 0.0 or fresh:
                value = now
        seen, before = 1.0, x
        if count == n:
            out[here] = value
    state[i, 0], state[i, 1], state[i, 2] = seen, before, count
    state[i, 3], state[i, 4], state[i, 5] = gain, loss, value
    return row


@kernel_part
def _step(work, weight, flat):  # type: ignore[no-untyped-def]
    """Take the closes of section 0 into gains, losses and values: the sections after it."""
    for k in range(np.uint64(ROWS * LANES)):
        now = k + np.uint64(LANES)
        change = work[now] - work[k]
        gain, loss, value = work[at(k, 1)], work[at(k, 2)], work[at(k, 3)]
        loss = keep_faint(loss + weight * (max(-change, 0.0) - loss))
        gain = keep_faint(gain + weight * (max(change, 0.0) - gain))
        both = gain + loss
        strength = 100.0 * (gain / both) if both > 0.0 else flat
        work[at(now, 1)], work[at(now, 2)] = gain, loss
        work[at(now, 3)] = strength if change != 0.0 else value


@kernel_part
def _go_side_by_side(state, lanes, params, close, work, out):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing."""
    columns = (1, 3, 4, 5)
    load_states(state, lanes, columns, work)
    while has_piece(lanes):
        if load_lanes(close, lanes, work, 0) > 0:
            part_lanes(lanes)
            break
        for part in range(piece_parts(lanes)):
            _step(part_of(work, part), 1.0 / params[0], params[1])
        store_lanes(work, 3, lanes, out)
        next_piece(work, 4, lanes)
    save_states(state, lanes, columns, work)


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: rows seen (0 or 1), close before, changes counted, mean gain, mean loss, value.

    A row without a change shrinks both means alike, so the value stays what it was.
    """
    lanes, work = start_lanes(True), np.empty(4 * ROOM)
    while fill_lanes(offsets, lanes):
        for k in range(LANES):
            i, start, stop, only_begin = lone_rows(lanes, k)
            if start < stop:
                lanes[ROW, k] = _go_on(state, i, params, close, start, stop, only_begin, out)
        if join_lanes(offsets, lanes):
            _go_side_by_side(state, lanes, params, close, work, out)


FLAT = Parameter(
    "flat", 100.0, "value while neither gain nor loss has occurred", minimum=0.0, maximum=100.0
)

INDICATOR = Indicator(
    name="rsi",
    title="Relative strength index",
    inputs=("close",),
    outputs=(Output("rsi", "rsi_{length}", "0..100", "share of gains in all change", 0.0, 100.0),),
    parameters=(length(14, minimum=2), FLAT),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda _: 6,
    advance=advance,
    formula="100 x rma(gain) / (rma(gain) + rma(loss)) over length changes of the close",
    reference=WILDER,
    seed="means of the first length gains and losses",
    flat="100 on TradingView, 0 in TA-Lib",
    presets={"talib": {"flat": 0.0}},
    version=5,
    compared=("talib",),
    names={"talib": "RSI", "pine": "ta.rsi", "pandas_ta": "rsi"},
)
