"""Average directional index, with both directional indicators."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter, Values
from tallow.indicators._averages import average_step, keep_faint, range_step
from tallow.indicators._declare import WILDER, length
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
def _go_on(state, i, params, prices, start, stop, only_begin, adx, plus, minus):  # type: ignore[no-untyped-def]
    """Take rows one by one, or those until all has a value; return where others begin."""
    n, short, keep = params[0], params[1] == 1.0, params[2] == 1.0
    s, (high, low, close), row = state[i], prices, start
    while row < stop and not (only_begin and s[8] == n):
        h, l, c, here = high[row], low[row], close[row], row
        adx[here] = plus[here] = minus[here] = np.nan
        row += 1
        if h != h or l != l or c != c:
            continue
        reach, moved, fresh = 0.0, False, s[4] < n
        if s[0] > 0.0:
            up, down = movement_step(h, l, s[1], s[2])
            reach, moved = range_step(h, l, s[3]), up + down > 0.0
            s[5] = keep_faint(wilder_step(s[4], s[5], reach, n, short))
            s[6] = keep_faint(wilder_step(s[4], s[6], up, n, short))
            s[7] = keep_faint(wilder_step(s[4], s[7], down, n, short))
            s[4] = min(s[4] + 1.0, n)
        s[0], s[1], s[2], s[3] = 1.0, h, l, c
        if s[4] < n or (s[5] == 0.0 and not keep):
            continue
        if (reach > 0.0 or fresh) and s[5] != 0.0:
            s[10], s[11] = 100.0 * (s[6] / s[5]), 100.0 * (s[7] / s[5])
        both = s[6] + s[7]
        if (moved or fresh) and both > 0.0:
            s[12] = 100.0 * (abs(s[6] - s[7]) / both)
        plus[here], minus[here] = s[10], s[11]
        if both > 0.0 or s[8] < n or not keep:
            s[8], s[9] = average_step(s[8], s[9], s[12], n, 1.0 / n)
        if s[8] == n:
            adx[here] = s[9]
    return row


@kernel_part
def _step(work, n, short, keep):  # type: ignore[no-untyped-def]
    """Take candles of three sections into means, indicators, dx and adx: the sections after them.

    The last three are what is shown.
    """
    for k in range(np.uint64(ROWS * LANES)):
        now = k + np.uint64(LANES)
        h, l = work[now], work[at(now, 1)]
        up, down = movement_step(h, l, work[k], work[at(k, 1)])
        reach = range_step(h, l, work[at(k, 2)])
        mean = keep_faint(wilder_whole(work[at(k, 3)], reach, n, short))
        rise = keep_faint(wilder_whole(work[at(k, 4)], up, n, short))
        fall = keep_faint(wilder_whole(work[at(k, 5)], down, n, short))
        work[at(now, 3)], work[at(now, 4)], work[at(now, 5)] = mean, rise, fall
        known, both = mean != 0.0 or keep, rise + fall
        index, one, two, dx = work[at(k, 6)], work[at(k, 7)], work[at(k, 8)], work[at(k, 9)]
        is_new = known and reach > 0.0 and mean != 0.0
        one = 100.0 * (rise / mean) if is_new else one
        two = 100.0 * (fall / mean) if is_new else two
        dx = 100.0 * (abs(rise - fall) / both) if known and up + down > 0.0 and both > 0.0 else dx
        later = index + (1.0 / n) * (dx - index)
        index = later if known and (both > 0.0 or not keep) else index
        work[at(now, 6)], work[at(now, 7)] = index, one
        work[at(now, 8)], work[at(now, 9)] = two, dx
        work[at(now, 10)] = index if known else np.nan
        work[at(now, 11)] = one if known else np.nan
        work[at(now, 12)] = two if known else np.nan


@kernel_part
def _go_side_by_side(state, lanes, params, prices, work, adx, plus, minus):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing."""
    columns = (1, 2, 3, 5, 6, 7, 9, 10, 11, 12)
    load_states(state, lanes, columns, work)
    while has_piece(lanes):
        missing = 0
        for section in range(3):
            missing += load_lanes(prices[section], lanes, work, section)
        if missing > 0:
            part_lanes(lanes)
            break
        for part in range(piece_parts(lanes)):
            _step(part_of(work, part), params[0], params[1] == 1.0, params[2] == 1.0)
        store_lanes(work, 10, lanes, adx)
        store_lanes(work, 11, lanes, plus)
        store_lanes(work, 12, lanes, minus)
        next_piece(work, len(columns), lanes)
    save_states(state, lanes, columns, work)


@kernel
def advance(state, params, offsets, high, low, close, adx, plus, minus):  # type: ignore[no-untyped-def]
    """State: seen, high, low, close before; count, range, up, down; count of dx, adx; di, dx.

    A row without any range shrinks all three means alike, and one without movement shrinks both
    movements alike: what they are a ratio of stays what it was.
    """
    lanes, work, prices = start_lanes(True), np.empty(13 * ROOM), (high, low, close)
    while fill_lanes(offsets, lanes):
        for k in range(LANES):
            i, start, stop, only_begin = lone_rows(lanes, k)
            if start < stop:
                lanes[ROW, k] = _go_on(
                    state, i, params, prices, start, stop, only_begin, adx, plus, minus
                )
        if join_lanes(offsets, lanes):
            _go_side_by_side(state, lanes, params, prices, work, adx, plus, minus)


def _warmup(p: Values) -> tuple[int, ...]:
    n = int(p["length"])
    return (2 * n - 1, n, n)


INDICATOR = Indicator(
    name="adx",
    title="Average directional index",
    inputs=("high", "low", "close"),
    outputs=(
        Output("adx", "adx_{length}", "0..100", "strength of a trend", 0.0, 100.0),
        Output("plus_di", "plus_di_{length}", "0..100", "upward movement", 0.0, 100.0),
        Output("minus_di", "minus_di_{length}", "0..100", "downward movement", 0.0, 100.0),
    ),
    parameters=(
        length(14, minimum=2),
        FIRST_SUMS,
        Parameter(
            "flat",
            "zero",
            "without movement: a dx of zero, and null without range; or adx as it was, and zero",
            choices=("zero", "keep"),
        ),
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda _: 13,
    advance=advance,
    formula="di = 100 rma(move) / rma(true range); adx = rma(100 |+di - -di| / (+di + -di))",
    reference=WILDER,
    seed="means of the first length values; TA-Lib's first sums have one term less",
    flat="null while the mean range is zero; 0 in TA-Lib, which also keeps adx without movement",
    presets={"talib": {"seed": "short", "flat": "keep"}},
    version=6,
    compared=("talib",),
    aliases=("dmi",),
    names={"talib": "ADX", "pine": "ta.dmi", "pandas_ta": "adx"},
)
