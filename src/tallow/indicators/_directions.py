"""Wilder's directional movements, and the means that directional indicators are ratios of."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel_part, kernel_step
from tallow.core.operator import Parameter
from tallow.indicators._averages import FAINT, average_step, keep_faint, range_step
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

FIRST_SUMS = Parameter(
    "seed",
    "full",
    "terms of the first sums: length, or one less as TA-Lib has it",
    choices=("full", "short"),
)


@kernel_part
def movement_step(high, low, high_before, low_before):  # type: ignore[no-untyped-def]
    """The row's directional movements, of which at most one is not zero."""
    up, down = high - high_before, low_before - low
    return up if up > down and up > 0.0 else 0.0, down if down > up and down > 0.0 else 0.0


@kernel_part
def wilder_step(count, value, x, n, short):  # type: ignore[no-untyped-def]
    """Wilder's mean; `short`: TA-Lib's, whose first sum has ``n - 1`` terms but divisor ``n``."""
    if not short:
        return average_step(count, value, x, n, 1.0 / n)[1]
    if count < n - 1.0:
        return value + x / n
    return value + (x - value) / n


@kernel_part
def wilder_whole(value, x, n, short):  # type: ignore[no-untyped-def]
    """As `wilder_step`, past the first sum."""
    return value + (x - value) / n if short else value + (1.0 / n) * (x - value)


@kernel_step
def _go_on(state, i, params, top, bottom, close, sign, start, stop, only_begin, out):  # type: ignore[no-untyped-def]
    """Take rows one by one, or those until there is a value; return where others begin."""
    n, short, flat = params[0], params[1] == 1.0, 0.0 if params[2] == 1.0 else np.nan
    seen, high, low, before = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
    count, reach, moved, value = state[i, 4], state[i, 5], state[i, 6], state[i, 7]
    row = start
    while row < stop and not (only_begin and count == n):
        h, l, c, here = sign * top[row], sign * bottom[row], sign * close[row], row
        out[here] = np.nan
        row += 1
        if h != h or l != l or c != c:
            continue
        if seen > 0.0:
            x, fresh = range_step(h, l, before), count < n
            reach = wilder_step(count, reach, x, n, short)
            moved = wilder_step(count, moved, movement_step(h, l, high, low)[0], n, short)
            count = min(count + 1.0, n)
            # Behind a branch, so that the next row need not wait for it.
            if min(reach, moved) < FAINT:
                reach, moved = keep_faint(reach), keep_faint(moved)
            if x > 0.0 or fresh:
                value = 100.0 * (moved / reach) if reach > 0.0 else flat
        seen, high, low, before = 1.0, h, l, c
        if count == n:
            out[here] = value
    state[i, 0], state[i, 1], state[i, 2], state[i, 3] = seen, high, low, before
    state[i, 4], state[i, 5], state[i, 6], state[i, 7] = count, reach, moved, value
    return row


@kernel_part
def _step(work, n, short, flat, sign):  # type: ignore[no-untyped-def]
    """Take tops, bottoms and closes of three sections into range, movement and value."""
    for k in range(np.uint64(ROWS * LANES)):
        now = k + np.uint64(LANES)
        h, l, c = sign * work[now], sign * work[at(now, 1)], sign * work[at(now, 2)]
        # What came before has its sign already.
        work[now], work[at(now, 1)], work[at(now, 2)] = h, l, c
        x, up = range_step(h, l, work[at(k, 2)]), movement_step(h, l, work[k], work[at(k, 1)])[0]
        reach = keep_faint(wilder_whole(work[at(k, 3)], x, n, short))
        moved = keep_faint(wilder_whole(work[at(k, 4)], up, n, short))
        value = 100.0 * (moved / reach) if reach > 0.0 else flat
        work[at(now, 3)], work[at(now, 4)] = reach, moved
        work[at(now, 5)] = value if x > 0.0 else work[at(k, 5)]


@kernel_part
def _go_side_by_side(state, lanes, params, top, bottom, close, sign, work, out):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing."""
    flat = 0.0 if params[2] == 1.0 else np.nan
    columns = (1, 2, 3, 5, 6, 7)
    load_states(state, lanes, columns, work)
    while has_piece(lanes):
        missing = load_lanes(top, lanes, work, 0)
        missing += load_lanes(bottom, lanes, work, 1)
        missing += load_lanes(close, lanes, work, 2)
        if missing > 0:
            part_lanes(lanes)
            break
        for part in range(piece_parts(lanes)):
            _step(part_of(work, part), params[0], params[1] == 1.0, flat, sign)
        store_lanes(work, 5, lanes, out)
        next_piece(work, 6, lanes)
    save_states(state, lanes, columns, work)


@kernel_part
def advance_direction(state, params, offsets, top, bottom, close, sign, out):  # type: ignore[no-untyped-def]
    """Write the indicator of movement beyond the top; with `sign` -1, lows are the top.

    State: seen; top, bottom, close before; count; mean range, mean movement; value. A row without
    any range shrinks both means alike, so the value stays what it was.
    """
    lanes, work = start_lanes(True), np.empty(6 * ROOM)
    while fill_lanes(offsets, lanes):
        for k in range(LANES):
            i, start, stop, only_begin = lone_rows(lanes, k)
            if start < stop:
                lanes[ROW, k] = _go_on(
                    state, i, params, top, bottom, close, sign,
                    start, stop, only_begin, out,
                )  # fmt: skip
        if join_lanes(offsets, lanes):
            _go_side_by_side(state, lanes, params, top, bottom, close, sign, work, out)
