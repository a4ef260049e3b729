"""Products of the changes of closes, on rows of less volume than before, or of more."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel_part, kernel_step
from tallow.core.operator import Parameter
from tallow.indicators._averages import FAINT
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

BASE = Parameter("base", 1.0, "value of the first row", minimum=1e-9, maximum=1e9)
MOST = 1.0 / FAINT


@kernel_step
def _go_on(state, i, base, close, volume, way, start, stop, only_begin, out):  # type: ignore[no-untyped-def]
    """Take rows one by one, or those until there is a value; return where others begin."""
    seen, before, units_before, index = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
    row = start
    while row < stop and not (only_begin and seen > 0.0):
        x, units, here = close[row], volume[row], row
        out[here] = np.nan
        row += 1
        if x != x or units != units:
            continue
        if seen == 0.0:
            index = base
        elif way * units > way * units_before and before != 0.0 and x != 0.0:
            index = min(max(index * (x / before), FAINT), MOST)
        seen, before, units_before = 1.0, x, units
        out[here] = index
    state[i, 0], state[i, 1], state[i, 2], state[i, 3] = seen, before, units_before, index
    return row


@kernel_part
def _step(work, way):  # type: ignore[no-untyped-def]
    """Take the closes and volumes of two sections into the indices of section 2."""
    for k in range(np.uint64(ROWS * LANES)):
        now = k + np.uint64(LANES)
        x, before, index = work[now], work[k], work[at(k, 2)]
        moves = way * work[at(now, 1)] > way * work[at(k, 1)]
        other = min(max(index * (x / before), FAINT), MOST)
        work[at(now, 2)] = other if moves and before != 0.0 and x != 0.0 else index


@kernel_part
def _go_side_by_side(state, lanes, way, close, volume, work, out):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing."""
    columns = (1, 2, 3)
    load_states(state, lanes, columns, work)
    while has_piece(lanes):
        missing = load_lanes(close, lanes, work, 0)
        missing += load_lanes(volume, lanes, work, 1)
        if missing > 0:
            part_lanes(lanes)
            break
        for part in range(piece_parts(lanes)):
            _step(part_of(work, part), way)
        store_lanes(work, 2, lanes, out)
        next_piece(work, 3, lanes)
    save_states(state, lanes, columns, work)


@kernel_part
def advance_index(state, base, offsets, close, volume, way, out):  # type: ignore[no-untyped-def]
    """Write the index of rows whose volume moved by `way`, 1 or -1.

    State: rows seen (0 or 1), close and volume before, index. A product of quotients: each costs a
    last bit, however far prices jump.
    """
    lanes, work = start_lanes(True), np.empty(3 * ROOM)
    while fill_lanes(offsets, lanes):
        for k in range(LANES):
            i, start, stop, only_begin = lone_rows(lanes, k)
            if start < stop:
                lanes[ROW, k] = _go_on(
                    state, i, base, close, volume, way, start, stop, only_begin, out
                )
        if join_lanes(offsets, lanes):
            _go_side_by_side(state, lanes, way, close, volume, work, out)
