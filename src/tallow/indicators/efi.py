"""Elder's force index."""

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
def _go_on(state, i, params, close, volume, start, stop, only_begin, out):  # type: ignore[no-untyped-def]
    """Take rows one by one, or those until there is a value; return where others begin."""
    n, weight = params[0], 2.0 / (params[0] + 1.0)
    seen, before, count, value = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
    row = start
    while row < stop and not (only_begin and count == n):
        x, units, here = close[row], volume[row], row
        out[here] = np.nan
        row += 1
        if x != x or units != units:
            continue
        if seen > 0.0:
            count, value = average_step(count, value, (x - before) * units, n, weight)
        seen, before = 1.0, x
        out[here] = value if count == n else np.nan
    state[i, 0], state[i, 1], state[i, 2], state[i, 3] = seen, before, count, value
    return row


@kernel_part
def _step(work, weight):  # type: ignore[no-untyped-def]
    """Take the closes of section 0 and the volumes of section 2 into the averages of section 1."""
    for k in range(np.uint64(ROWS * LANES)):
        now = k + np.uint64(LANES)
        force, value = (work[now] - work[k]) * work[at(now, 2)], work[at(k, 1)]
        work[at(now, 1)] = value + weight * (force - value)


@kernel_part
def _go_side_by_side(state, lanes, params, close, volume, work, out):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing."""
    columns = (1, 3)
    load_states(state, lanes, columns, work)
    while has_piece(lanes):
        missing = load_lanes(close, lanes, work, 0)
        missing += load_lanes(volume, lanes, work, 2)
        if missing > 0:
            part_lanes(lanes)
            break
        for part in range(piece_parts(lanes)):
            _step(part_of(work, part), 2.0 / (params[0] + 1.0))
        store_lanes(work, 1, lanes, out)
        next_piece(work, 2, lanes)
    save_states(state, lanes, columns, work)


@kernel
def advance(state, params, offsets, close, volume, out):  # type: ignore[no-untyped-def]
    """State: rows seen (0 or 1), close before, forces counted up to ``length``, average."""
    lanes, work = start_lanes(True), np.empty(3 * ROOM)
    while fill_lanes(offsets, lanes):
        for k in range(LANES):
            i, start, stop, only_begin = lone_rows(lanes, k)
            if start < stop:
                lanes[ROW, k] = _go_on(
                    state, i, params, close, volume, start, stop, only_begin, out
                )
        if join_lanes(offsets, lanes):
            _go_side_by_side(state, lanes, params, close, volume, work, out)


INDICATOR = Indicator(
    name="efi",
    title="Elder's force index",
    inputs=("close", "volume"),
    outputs=(Output("efi", "efi_{length}", "force", "average of change times volume"),),
    parameters=(length(13),),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda _: 4,
    advance=advance,
    formula="ema((close - close before) x volume, length)",
    reference="Elder (1993), Trading for a Living",
    seed="mean of the first length forces",
    version=4,
    compared=("talib",),
    names={"talib": "EFI", "pandas_ta": "efi"},
)
