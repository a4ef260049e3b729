"""Directional movement index."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._averages import FAINT, keep_faint
from tallow.indicators._declare import WILDER, length, zero_or_null
from tallow.indicators._directions import (
    FIRST_SUMS,
    movement_step,
    wilder_step,
    wilder_whole,
)
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
def _go_on(state, i, params, high, low, close, start, stop, only_begin, out):  # type: ignore[no-untyped-def]
    """Take rows one by one, or those until there is a value; return where others begin."""
    n, short, flat = params[0], params[1] == 1.0, 0.0 if params[2] == 1.0 else np.nan
    seen, top, bottom, before = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
    count, plus, minus, value = state[i, 4], state[i, 5], state[i, 6], state[i, 7]
    ranged, row = state[i, 8], start
    while row < stop and not (only_begin and count == n):
        h, l, c, here = high[row], low[row], close[row], row
        out[here] = np.nan
        row += 1
        if h != h or l != l or c != c:
            continue
        if seen > 0.0:
            up, down = movement_step(h, l, top, bottom)
            fresh = count < n
            plus = wilder_step(count, plus, up, n, short)
            minus = wilder_step(count, minus, down, n, short)
            count = min(count + 1.0, n)
            ranged = 1.0 if h != l or l != before else ranged
            # Behind a branch, so that the next row need not wait for it.
            if min(plus, minus) < FAINT:
                plus, minus = keep_faint(plus), keep_faint(minus)
            if (up + down > 0.0 or fresh) and plus + minus > 0.0:
                value = 100.0 * (abs(plus - minus) / (plus + minus))
        seen, top, bottom, before = 1.0, h, l, c
        if count == n:
            out[here] = value if ranged > 0.0 else flat
    state[i, 0], state[i, 1], state[i, 2], state[i, 3] = seen, top, bottom, before
    state[i, 4], state[i, 5], state[i, 6], state[i, 7] = count, plus, minus, value
    state[i, 8] = ranged
    return row


@kernel_part
def _step(work, n, short, flat):  # type: ignore[no-untyped-def]
    """Take candles of three sections into both movements, value, and whether any range was."""
    for k in range(np.uint64(ROWS * LANES)):
        now = k + np.uint64(LANES)
        h, l = work[now], work[at(now, 1)]
        up, down = movement_step(h, l, work[k], work[at(k, 1)])
        plus = keep_faint(wilder_whole(work[at(k, 3)], up, n, short))
        minus = keep_faint(wilder_whole(work[at(k, 4)], down, n, short))
        both, value, ranged = plus + minus, work[at(k, 5)], work[at(k, 6)]
        share = 100.0 * (abs(plus - minus) / both)
        value = share if up + down > 0.0 and both > 0.0 else value
        ranged = 1.0 if h != l or l != work[at(k, 2)] else ranged
        work[at(now, 3)], work[at(now, 4)] = plus, minus
        work[at(now, 5)], work[at(now, 6)] = value, ranged
        work[at(now, 7)] = value if ranged > 0.0 else flat


@kernel_part
def _go_side_by_side(state, lanes, params, high, low, close, work, out):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing."""
    flat = 0.0 if params[2] == 1.0 else np.nan
    columns = (1, 2, 3, 5, 6, 7, 8)
    load_states(state, lanes, columns, work)
    while has_piece(lanes):
        missing = load_lanes(high, lanes, work, 0)
        missing += load_lanes(low, lanes, work, 1)
        missing += load_lanes(close, lanes, work, 2)
        if missing > 0:
            part_lanes(lanes)
            break
        for part in range(piece_parts(lanes)):
            _step(part_of(work, part), params[0], params[1] == 1.0, flat)
        store_lanes(work, 7, lanes, out)
        next_piece(work, 7, lanes)
    save_states(state, lanes, columns, work)


@kernel
def advance(state, params, offsets, high, low, close, out):  # type: ignore[no-untyped-def]
    """State: seen; high, low, close before; count; mean movements; value; whether any range was.

    A row without movement shrinks both means alike, so the value stays what it was.
    """
    lanes, work = start_lanes(True), np.empty(8 * ROOM)
    while fill_lanes(offsets, lanes):
        for k in range(LANES):
            i, start, stop, only_begin = lone_rows(lanes, k)
            if start < stop:
                lanes[ROW, k] = _go_on(
                    state, i, params, high, low, close, start, stop, only_begin, out
                )
        if join_lanes(offsets, lanes):
            _go_side_by_side(state, lanes, params, high, low, close, work, out)


INDICATOR = Indicator(
    name="dx",
    title="Directional movement index",
    inputs=("high", "low", "close"),
    outputs=(Output("dx", "dx_{length}", "0..100", "how one-sided movement is", 0.0, 100.0),),
    parameters=(length(14, minimum=2), FIRST_SUMS, zero_or_null("the mean range")),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda _: 9,
    advance=advance,
    formula="100 |+di - -di| / (+di + -di): what adx is the mean of",
    reference=WILDER,
    seed="means of the first length values; TA-Lib's first sums have one term less",
    flat="0 without movement; null without any range, but 0 in TA-Lib",
    version=4,
    presets={"talib": {"seed": "short", "flat": "zero"}},
    compared=("talib",),
    names={"talib": "DX"},
)
