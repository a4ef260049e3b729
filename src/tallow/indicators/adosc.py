"""Chaikin oscillator."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter
from tallow.indicators._averages import FAINT
from tallow.indicators._declare import check_fast_slow, length
from tallow.indicators._flows import flow_step
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


@kernel_part
def _lead(lead, flow, count, n, first):  # type: ignore[no-untyped-def]
    """Return by how much the line is above its average: all that is needed of the two."""
    weight = 2.0 / (n + 1.0)
    if count < n and not first:
        weight = 1.0 / (count + 1.0)
    lead = (lead + flow) * (1.0 - weight)
    return lead if abs(lead) > FAINT else 0.0


@kernel_step
def _go_on(state, i, params, high, low, close, volume, start, stop, only_begin, out):  # type: ignore[no-untyped-def]
    """Take rows one by one, or those until there is a value; return where others begin."""
    fast, slow, first = params[0], params[1], params[2] == 1.0
    count, near, far = state[i, 0], state[i, 1], state[i, 2]
    row = start
    while row < stop and not (only_begin and count == slow):
        here, out[row] = row, np.nan
        row += 1
        flow = flow_step(high[here], low[here], close[here], volume[here])
        if flow != flow:
            continue
        if count > 0.0:
            near, far = (
                _lead(near, flow, count, fast, first),
                _lead(far, flow, count, slow, first),
            )
        count = min(count + 1.0, slow)
        if count == slow:
            out[here] = far - near
    state[i, 0], state[i, 1], state[i, 2] = count, near, far
    return row


@kernel_part
def _step(work, fast, slow):  # type: ignore[no-untyped-def]
    """Take candles of the last four sections into the first two; the difference is the third."""
    for k in range(np.uint64(ROWS * LANES)):
        now = k + np.uint64(LANES)
        flow = flow_step(work[at(now, 2)], work[at(now, 3)], work[at(now, 4)], work[at(now, 5)])
        near = (work[k] + flow) * (1.0 - fast)
        far = (work[at(k, 1)] + flow) * (1.0 - slow)
        near = near if abs(near) > FAINT else 0.0
        far = far if abs(far) > FAINT else 0.0
        work[now], work[at(now, 1)], work[at(now, 2)] = near, far, far - near


@kernel_part
def _go_side_by_side(state, lanes, params, high, low, close, volume, work, out):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing."""
    columns = (1, 2)
    load_states(state, lanes, columns, work)
    while has_piece(lanes):
        missing = load_lanes(high, lanes, work, 2)
        missing += load_lanes(low, lanes, work, 3)
        missing += load_lanes(close, lanes, work, 4)
        missing += load_lanes(volume, lanes, work, 5)
        if missing > 0:
            part_lanes(lanes)
            break
        for part in range(piece_parts(lanes)):
            _step(part_of(work, part), 2.0 / (params[0] + 1.0), 2.0 / (params[1] + 1.0))
        store_lanes(work, 2, lanes, out)
        next_piece(work, 2, lanes)
    save_states(state, lanes, columns, work)


@kernel
def advance(state, params, offsets, high, low, close, volume, out):  # type: ignore[no-untyped-def]
    """State: rows counted up to the longer length; the line above its fast and slow average."""
    lanes, work = start_lanes(True), np.empty(6 * ROOM)
    while fill_lanes(offsets, lanes):
        for k in range(LANES):
            i, start, stop, only_begin = lone_rows(lanes, k)
            if start < stop:
                lanes[ROW, k] = _go_on(
                    state, i, params, high, low, close, volume, start, stop, only_begin, out
                )
        if join_lanes(offsets, lanes):
            _go_side_by_side(state, lanes, params, high, low, close, volume, work, out)


INDICATOR = Indicator(
    name="adosc",
    title="Chaikin oscillator",
    inputs=("high", "low", "close", "volume"),
    outputs=(
        Output(
            "adosc", "adosc_{fast_length}_{slow_length}", "units", "fast less slow average of ad"
        ),
    ),
    parameters=(
        length(3, name="fast_length"),
        length(10, minimum=2, name="slow_length"),
        Parameter(
            "seed",
            "mean",
            "what an average begins with: the mean of its first rows, or ad's first value",
            choices=("mean", "first"),
        ),
    ),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["slow_length"]) - 1,),
    state_size=lambda _: 3,
    advance=advance,
    formula="ema(ad, fast_length) - ema(ad, slow_length)",
    reference="Chaikin, as described by Achelis (2001), Technical Analysis from A to Z",
    check=check_fast_slow,
    flat="a row without range changes no ad",
    seed="means of the first rows, as each ema; ad's first value in TA-Lib",
    presets={"talib": {"seed": "first"}},
    version=5,
    compared=("talib",),
    names={"talib": "ADOSC", "pandas_ta": "adosc"},
)
