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
    ROWS,
    count_pieces,
    load_lanes,
    load_states,
    next_piece,
    save_states,
    side_by_side,
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
        at, out[row] = row, np.nan
        row += 1
        flow = flow_step(high[at], low[at], close[at], volume[at])
        if flow != flow:
            continue
        if count > 0.0:
            near, far = (
                _lead(near, flow, count, fast, first),
                _lead(far, flow, count, slow, first),
            )
        count = min(count + 1.0, slow)
        if count == slow:
            out[at] = far - near
    state[i, 0], state[i, 1], state[i, 2] = count, near, far
    return row


@kernel_part
def _flows(starts, high, low, close, volume, flows):  # type: ignore[no-untyped-def]
    """Write the flows of each lane's next rows."""
    for k in range(LANES):
        a, z = starts[k], starts[k] + ROWS
        h, l, c, v = high[a:z], low[a:z], close[a:z], volume[a:z]
        own = flows[k * ROWS : (k + 1) * ROWS]
        for j in range(len(own)):
            own[j] = flow_step(h[j], l[j], c[j], v[j])


@kernel_part
def _step(work, fast, slow):  # type: ignore[no-untyped-def]
    """Take the flows of section 0 into the next two; write their difference to the last one."""
    eight, one, two = np.uint64(LANES), np.uint64(ROOM), np.uint64(2 * ROOM)
    three = np.uint64(3 * ROOM)
    for k in range(np.uint64(ROWS * LANES)):
        now = k + eight
        near = (work[one + k] + work[now]) * (1.0 - fast)
        far = (work[two + k] + work[now]) * (1.0 - slow)
        near = near if abs(near) > FAINT else 0.0
        far = far if abs(far) > FAINT else 0.0
        work[one + now], work[two + now], work[three + now] = near, far, far - near


@kernel_part
def _go_side_by_side(state, i, offsets, starts, params, high, low, close, volume, work, out):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing."""
    flows, own = np.empty(LANES * ROWS), np.empty(LANES, dtype=np.int64)
    for k in range(LANES):
        own[k] = k * ROWS
    for section in range(1, 3):
        load_states(state, i, section, work, section)
    for _ in range(count_pieces(offsets, i, starts)):
        _flows(starts, high, low, close, volume, flows)
        if load_lanes(flows, own, work, 0) > 0:
            break
        _step(work, 2.0 / (params[0] + 1.0), 2.0 / (params[1] + 1.0))
        store_lanes(work, 3, starts, out)
        next_piece(work, 3, starts)
    for section in range(1, 3):
        save_states(state, i, section, work, section)


@kernel
def advance(state, params, offsets, high, low, close, volume, out):  # type: ignore[no-untyped-def]
    """State: rows counted up to the longer length; the line above its fast and slow average."""
    work, starts = np.empty(4 * ROOM), np.empty(LANES, dtype=np.int64)
    i = np.int64(0)
    while i < len(state):
        many = side_by_side(offsets, i)
        for k in range(many):
            starts[k] = offsets[i + k]
        for turn in range(2):
            only_begin = turn == 0 and many > 1
            for k in range(many):
                if starts[k] < offsets[i + k + 1]:
                    starts[k] = _go_on(
                        state, i + k, params, high, low, close, volume,
                        starts[k], offsets[i + k + 1], only_begin, out,
                    )  # fmt: skip
            if only_begin:
                _go_side_by_side(
                    state, i, offsets, starts, params, high, low, close, volume, work, out
                )
        i += many


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
    version=2,
    compared=("talib",),
    names={"talib": "ADOSC", "pandas_ta": "adosc"},
)
