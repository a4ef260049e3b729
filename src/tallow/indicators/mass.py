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
from tallow.indicators._windows import load_windows, start_stretches, window_sums


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
def _go_on(state, n, m, flat, high, low, start, stop, buffers, places, who, side, out):  # type: ignore[no-untyped-def]
    """Take rows of the first of `who` one by one."""
    i, rows = who[0], len(places)
    ratios, window, work = buffers
    for a in range(start, stop, rows):
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


@kernel_part
def _reaches(starts, high, low, reaches):  # type: ignore[no-untyped-def]
    """Write the ranges of each lane's next rows."""
    for k in range(LANES):
        h, l = high[starts[k] : starts[k] + ROWS], low[starts[k] : starts[k] + ROWS]
        own = reaches[k * ROWS : (k + 1) * ROWS]
        for j in range(len(own)):
            own[j] = h[j] - l[j]


@kernel_part
def _step(lanes, weight, flat):  # type: ignore[no-untyped-def]
    """Take the ranges of section 0 into the averages of the next two; write ratios to the last.

    Return how many averages are so faint that they must be lifted, one by one.
    """
    eight, one_at, two_at = np.uint64(LANES), np.uint64(ROOM), np.uint64(2 * ROOM)
    ratio_at, faint = np.uint64(3 * ROOM), 0
    for k in range(np.uint64(ROWS * LANES)):
        now = k + eight
        one, two = lanes[one_at + k], lanes[two_at + k]
        one += weight * (lanes[now] - one)
        two += weight * (one - two)
        faint += 0.0 < one < FAINT
        lanes[one_at + now], lanes[two_at + now] = one, two
        lanes[ratio_at + now] = one / two if two != 0.0 else flat
    return faint


@kernel_part
def _go_side_by_side(state, offsets, starts, n, m, flat, high, low, buffers, who, out):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing, or too faint."""
    lanes, own = np.empty(4 * ROOM), np.empty(LANES, dtype=np.int64)
    (reaches, window, work), i, side = buffers, who[0], len(own)
    for k in range(LANES):
        own[k], who[k] = k * ROWS, i + k
    for section in range(1, 3):
        load_states(state, i, 2 * section - 1, lanes, section)
    for _ in range(count_pieces(offsets, i, starts)):
        _reaches(starts, high, low, reaches)
        if load_lanes(reaches, own, lanes, 0) > 0 or _step(lanes, 2.0 / (n + 1.0), flat) > 0:
            break
        index = lanes[3 * ROOM + LANES :]
        x = load_windows(state, 5, m - 1, who, side, index, window)
        sums, newest = window_sums(x, m, side, work), x[(m - 1) * side :]
        for j in range(len(index)):
            index[j] = m * newest[j] + sums[j]
        store_lanes(lanes, 3, starts, out)
        next_piece(lanes, 3, starts)
    for section in range(1, 3):
        save_states(state, i, 2 * section - 1, lanes, section)


@kernel
def advance(state, params, offsets, high, low, out):  # type: ignore[no-untyped-def]
    """State: count and average of ranges, of these averages; whether any row was; last ratios."""
    n, m, flat = params[0], int(params[1]), 1.0 if params[2] == 1.0 else np.nan
    rows, room, _, one = start_stretches(m)
    room = max(room, (ROWS + min(m, ROWS)) * LANES)
    buffers = np.empty(max(rows, ROWS * LANES)), np.empty(room), np.empty((3, room))
    places, who = np.empty(rows, dtype=np.int64), np.empty(LANES, dtype=np.int64)
    starts = np.empty(LANES, dtype=np.int64)
    i = np.int64(0)
    while i < len(state):
        many = side_by_side(offsets, i) if m <= ROWS else np.int64(1)
        is_whole = many > 1
        for k in range(i, i + many):
            if state[k, 4] == 0.0:
                state[k, 4] = 1.0
                for back in range(m - 1):
                    state[k, 5 + back] = np.nan
            starts[k - i] = offsets[k]
        for turn in range(2):
            for k in range(many):
                who[0], start, stop = i + k, starts[k], offsets[i + k + 1]
                if turn == 0 and many > 1:
                    # As many as the averages are short of, if no row is missing.
                    stop = min(stop, start + 2 * int(n))
                if start < stop:
                    _go_on(
                        state, n, m, flat, high, low, start, stop, buffers, places, who, one, out
                    )
                    starts[k] = stop
                is_whole = is_whole and state[i + k, 2] == n
            if turn == 0 and is_whole:
                who[0] = i
                _go_side_by_side(state, offsets, starts, n, m, flat, high, low, buffers, who, out)
        i += many


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
    version=2,
    compared=("talib",),
    aliases=("massi",),
    names={"talib": "MASSI", "pandas_ta": "massi"},
)
