"""Heikin-Ashi candles."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Output
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
def _go_on(state, i, opened, high, low, close, start, stop, only_begin, outputs):  # type: ignore[no-untyped-def]
    """Take rows one by one, or those until there is a value; return where others begin."""
    ha_open, ha_high, ha_low, ha_close = outputs
    seen, middle, row = state[i, 0], state[i, 1], start
    while row < stop and not (only_begin and seen > 0.0):
        o, h, l, c, here = opened[row], high[row], low[row], close[row], row
        row += 1
        last = (o + h + l + c) / 4.0
        if last != last:
            ha_open[here] = ha_high[here] = ha_low[here] = ha_close[here] = np.nan
            continue
        first = middle if seen > 0.0 else (o + c) / 2.0
        ha_open[here], ha_close[here] = first, last
        ha_high[here], ha_low[here] = max(h, first, last), min(l, first, last)
        seen, middle = 1.0, (first + last) / 2.0
    state[i, 0], state[i, 1] = seen, middle
    return row


@kernel_part
def _step(work):  # type: ignore[no-untyped-def]
    """Take the candles of four sections, from the second on; section 0 has the middles."""
    for k in range(np.uint64(ROWS * LANES)):
        now = k + np.uint64(LANES)
        o, h, l, c = work[at(now, 1)], work[at(now, 2)], work[at(now, 3)], work[at(now, 4)]
        first, last = work[k], (o + h + l + c) / 4.0
        work[now] = (first + last) / 2.0
        work[at(now, 1)], work[at(now, 4)] = first, last
        work[at(now, 2)], work[at(now, 3)] = max(h, first, last), min(l, first, last)


@kernel_part
def _go_side_by_side(state, lanes, opened, high, low, close, work, outputs):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing."""
    load_states(state, lanes, (1,), work)
    while has_piece(lanes):
        missing = load_lanes(opened, lanes, work, 1) + load_lanes(high, lanes, work, 2)
        missing += load_lanes(low, lanes, work, 3) + load_lanes(close, lanes, work, 4)
        if missing > 0:
            part_lanes(lanes)
            break
        for part in range(piece_parts(lanes)):
            _step(part_of(work, part))
        for k in range(4):
            store_lanes(work, k + 1, lanes, outputs[k])
        next_piece(work, 1, lanes)
    save_states(state, lanes, (1,), work)


@kernel
def advance(state, params, offsets, opened, high, low, close, ha_open, ha_high, ha_low, ha_close):  # type: ignore[no-untyped-def]
    """State: rows seen (0 or 1), middle of the body before."""
    lanes, work = start_lanes(True), np.empty(5 * ROOM)
    outputs = ha_open, ha_high, ha_low, ha_close
    while fill_lanes(offsets, lanes):
        for k in range(LANES):
            i, start, stop, only_begin = lone_rows(lanes, k)
            if start < stop:
                lanes[ROW, k] = _go_on(
                    state, i, opened, high, low, close, start, stop, only_begin, outputs
                )
        if join_lanes(offsets, lanes):
            _go_side_by_side(state, lanes, opened, high, low, close, work, outputs)


INDICATOR = Indicator(
    name="heikin_ashi",
    title="Heikin-Ashi candles",
    inputs=("open", "high", "low", "close"),
    outputs=(
        Output("open", "ha_open", "price", "middle of the body before"),
        Output("high", "ha_high", "price", "highest of high, open and close"),
        Output("low", "ha_low", "price", "lowest of low, open and close"),
        Output("close", "ha_close", "price", "mean of the four prices"),
    ),
    parameters=(),
    memory=RECURSIVE,
    warmup=lambda _: (0,) * 4,
    state_size=lambda _: 2,
    advance=advance,
    formula="close = (open + high + low + close) / 4; open = mean of its open and close before",
    reference="Valcu (2004), Using the Heikin-Ashi Technique, S&C 22:2",
    seed="an open of (open + close) / 2",
    flat="the price itself",
    version=4,
    compared=("talib",),
    aliases=("ha",),
    names={"talib": "HA", "pandas_ta": "ha"},
)
