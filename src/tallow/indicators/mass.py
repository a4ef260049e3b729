"""Mass index."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.limits import LENGTH_MAX
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter, Values
from tallow.indicators._averages import FAINT, LIFT, average_step
from tallow.indicators._declare import length
from tallow.indicators._lanes import (
    LANES,
    MOST,
    ROOM,
    ROW,
    ROWS,
    WHO,
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
    piece_rows,
    save_states,
    start_lanes,
    store_lanes,
)
from tallow.indicators._windows import copy_into, load_windows, start_stretches, window_sums


@kernel_part
def _ratios(s, n, flat, high, low, ratios, places):  # type: ignore[no-untyped-def]
    """Write the ratio of each row that has both averages, and its place; return how many."""
    one_count, one, two_count, two = s[0], s[1], s[2], s[3]
    weight, found = 2.0 / (n + 1.0), 0
    for row in range(len(high)):
        reach = high[row] - low[row]
        if reach != reach:
            continue
        one_count, one = average_step(one_count, one, reach, n, weight)
        if one_count < n:
            continue
        two_count, two = average_step(two_count, two, one, n, weight)
        if 0.0 < one < FAINT:
            one, two = one * LIFT, two * LIFT
        if two_count == n:
            ratios[found] = one / two if two != 0.0 else flat
            places[found] = row
            found += 1
    s[0], s[1], s[2], s[3] = one_count, one, two_count, two
    return found


@kernel_part
def _go_on(state, i, n, m, flat, high, low, start, stop, only_begin, buffers, who, side, out):  # type: ignore[no-untyped-def]
    """Take rows one by one, or those until averages have values; return where others begin."""
    ratios, window, work, places = buffers
    who[0], rows, a = i, len(places), start
    if state[i, 4] == 0.0:
        state[i, 4] = 1.0
        for back in range(m - 1):
            state[i, 5 + back] = np.nan
    if only_begin:
        # As many as the averages are short of, if no row is missing.
        rows = min(rows, 2 * int(n))
    while a < stop and not (only_begin and state[i, 2] == n):
        z = min(a + rows, stop)
        index = out[a:z]
        for j in range(len(index)):
            index[j] = np.nan
        found = _ratios(state[i], n, flat, high[a:z], low[a:z], ratios, places)
        if found > 0:
            x = load_windows(state, 5, m - 1, who, side, ratios[:found], window)
            sums, newest = window_sums(x, m, side, work), x[m - 1 :]
            for j in range(found):
                index[places[j]] = m * newest[j] + sums[j]
        a = z
    return a


@kernel_part
def _step(work, weight, flat):  # type: ignore[no-untyped-def]
    """Take highs and lows of the last sections into two averages; ratios take the highs' place.

    Return how many averages are so faint that they must be lifted, one by one.
    """
    faint = 0
    for k in range(np.uint64(ROWS * LANES)):
        now = k + np.uint64(LANES)
        one, two = work[k], work[at(k, 1)]
        one += weight * (work[at(now, 2)] - work[at(now, 3)] - one)
        two += weight * (one - two)
        faint += 0.0 < one < FAINT
        work[now], work[at(now, 1)] = one, two
        work[at(now, 2)] = one / two if two != 0.0 else flat
    return faint


@kernel_part
def _go_side_by_side(state, lanes, n, m, flat, high, low, columns, buffers, out):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing, or too faint."""
    (_, window, work, _), side = buffers, lanes.shape[1]
    kept = (m - 1) * side
    load_states(state, lanes, (1, 3), columns)
    for j in range(kept):
        window[j] = state[lanes[WHO, j % side], 5 + j // side]
    while has_piece(lanes):
        missing = load_lanes(high, lanes, columns, 2)
        missing += load_lanes(low, lanes, columns, 3)
        for part in range(piece_parts(lanes)):
            missing += _step(part_of(columns, part), 2.0 / (n + 1.0), flat)
        if missing > 0:
            part_lanes(lanes)
            break
        rows, first = piece_rows(lanes) * side, 2 * ROOM + LANES
        index = columns[first : first + rows]
        copy_into(window[kept : kept + rows], index)
        sums = window_sums(window[: kept + rows], m, side, work)
        for j in range(rows):
            index[j] = m * index[j] + sums[j]
        store_lanes(columns, 2, lanes, out)
        copy_into(window[:kept], window[rows : rows + kept])
        next_piece(columns, 2, lanes)
    save_states(state, lanes, (1, 3), columns)
    for j in range(kept):
        state[lanes[WHO, j % side], 5 + j // side] = window[j]


@kernel
def advance(state, params, offsets, high, low, out):  # type: ignore[no-untyped-def]
    """State: count and average of ranges, of these averages; whether any row was; last ratios."""
    n, m, flat = params[0], int(params[1]), 1.0 if params[2] == 1.0 else np.nan
    rows, room, who, side = start_stretches(m)
    room = max(room, (MOST + m) * LANES)
    places = np.empty(rows, dtype=np.int64)
    buffers = np.empty(rows), np.empty(room), np.empty((3, room)), places
    lanes, columns = start_lanes(True), np.empty(4 * ROOM)
    while fill_lanes(offsets, lanes):
        for k in range(LANES):
            i, start, stop, only_begin = lone_rows(lanes, k)
            if start < stop:
                lanes[ROW, k] = _go_on(
                    state, i, n, m, flat, high, low,
                    start, stop, only_begin, buffers, who, side, out,
                )  # fmt: skip
        if join_lanes(offsets, lanes):
            _go_side_by_side(state, lanes, n, m, flat, high, low, columns, buffers, out)


def _warmup(p: Values) -> tuple[int, ...]:
    return (2 * (int(p["length"]) - 1) + int(p["sum_length"]) - 1,)


INDICATOR = Indicator(
    name="mass",
    title="Mass index",
    inputs=("high", "low"),
    outputs=(Output("mass", "mass_{length}_{sum_length}", "ratio", "sum of ratios", 0.0),),
    parameters=(
        length(9, minimum=2),
        Parameter("sum_length", 25, "rows whose ratios are added", minimum=1, maximum=LENGTH_MAX),
        Parameter("flat", "null", "ratio while there is no range", choices=("null", "one")),
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda p: 4 + int(p["sum_length"]),
    advance=advance,
    formula="sum(e1 / e2) over sum_length rows; e1 = ema(high - low, length), e2 = ema(e1, length)",
    reference="Dorsey (1992), The Mass Index, S&C 10:6",
    flat="null while a ratio is of no range; 1 each in TA-Lib",
    seed="each average by the mean of its first length values",
    presets={"talib": {"flat": "one"}},
    version=5,
    compared=("talib",),
    aliases=("massi",),
    names={"talib": "MASSI", "pandas_ta": "massi"},
)
