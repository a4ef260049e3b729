"""Chande momentum oscillator."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter
from tallow.indicators._averages import keep_faint
from tallow.indicators._changes import step_changes
from tallow.indicators._declare import length, zero_or_null
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
def _sum_changes(state, i, first, n, place):  # type: ignore[no-untyped-def]
    """Return the gains and the losses of a ring, the oldest first: the order makes the bits."""
    gain = loss = 0.0
    for k in range(n):
        change = state[i, first + (place + k if place + k < n else place + k - n)]
        gain, loss = gain + max(change, 0.0), loss + max(-change, 0.0)
    return gain, loss


@kernel_step
def _go_on(state, i, params, close, start, stop, only_begin, out):  # type: ignore[no-untyped-def]
    """Take rows one by one, or those until there is a value; return where others begin."""
    length, wilder = params[0], params[1] == 1.0
    n, flat = int(length), 0.0 if params[2] == 1.0 else np.nan
    seen, before, count = state[i, 0], state[i, 1], state[i, 2]
    gain, loss, value, place = state[i, 3], state[i, 4], state[i, 5], int(state[i, 6])
    row = start
    while row < stop and not (only_begin and count == length):
        x, here = close[row], row
        out[here] = np.nan
        row += 1
        if x != x:
            continue
        change, is_first = x - before, seen == 0.0
        seen, before = 1.0, x
        if is_first:
            continue
        is_new = count < length or change != 0.0 or not wilder
        if wilder:
            count, gain, loss = step_changes(count, gain, loss, change, length)
        else:
            count = min(count + 1.0, length)
            state[i, 7 + place] = change
            place = place + 1 if place + 1 < n else 0
            if count == length:
                gain, loss = _sum_changes(state, i, 7, n, place)
        if is_new:
            both = gain + loss
            value = 100.0 * ((gain - loss) / both) if both > 0.0 else flat
        if count == length:
            out[here] = value
    state[i, 0], state[i, 1], state[i, 2] = seen, before, count
    state[i, 3], state[i, 4], state[i, 5], state[i, 6] = gain, loss, value, float(place)
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
        lead = 100.0 * ((gain - loss) / both) if both > 0.0 else flat
        work[at(now, 1)], work[at(now, 2)] = gain, loss
        work[at(now, 3)] = lead if change != 0.0 else value


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
            _step(part_of(work, part), 1.0 / params[0], 0.0 if params[2] == 1.0 else np.nan)
        store_lanes(work, 3, lanes, out)
        next_piece(work, 4, lanes)
    save_states(state, lanes, columns, work)


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: rows seen (0 or 1), close before, changes counted, gain, loss, value, place, ring.

    A row without a change shrinks Wilder's means alike, so the value stays what it was.
    """
    lanes, work = start_lanes(params[1] == 1.0), np.empty(4 * ROOM)
    while fill_lanes(offsets, lanes):
        for k in range(LANES):
            i, start, stop, only_begin = lone_rows(lanes, k)
            if start < stop:
                lanes[ROW, k] = _go_on(state, i, params, close, start, stop, only_begin, out)
        if join_lanes(offsets, lanes):
            _go_side_by_side(state, lanes, params, close, work, out)


INDICATOR = Indicator(
    name="cmo",
    title="Chande momentum oscillator",
    inputs=("close",),
    outputs=(
        Output("cmo", "cmo_{length}", "percent", "gains minus losses, of both", -100.0, 100.0),
    ),
    parameters=(
        length(9),
        Parameter(
            "smoothing",
            "sums",
            "of gains and losses: plain sums of length changes, or Wilder's means",
            choices=("sums", "wilder"),
        ),
        zero_or_null("the sum of gains and losses"),
    ),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda p: 7 + int(p["length"]),
    advance=advance,
    formula="100 (sum(gain) - sum(loss)) / (sum(gain) + sum(loss)) over length changes",
    reference="Chande and Kroll (1994), The New Technical Trader, as ta.cmo and TA-Lib's CMOU; "
    "TA-Lib's CMO has Wilder's means",
    seed="Wilder's means by those of the first length gains and losses",
    flat="null on TradingView, 0 in TA-Lib",
    version=4,
    presets={"talib": {"smoothing": "wilder", "flat": "zero"}},
    compared=("talib",),
    names={"talib": "CMO CMOU", "pine": "ta.cmo", "pandas_ta": "cmo"},
)
