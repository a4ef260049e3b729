"""True strength index."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Output, Values
from tallow.indicators._averages import FAINT, average_step
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
def _line(moves, sizes, flat):  # type: ignore[no-untyped-def]
    return 100.0 * min(max(moves / sizes, -1.0), 1.0) if sizes > 0.0 else flat


@kernel_step
def _go_on(state, i, params, flat, close, start, stop, only_begin, line, signal):  # type: ignore[no-untyped-def]
    """Take rows one by one, or those until all has a value; return where others begin."""
    short_n, long_n, signal_n = params[0], params[1], params[2]
    short_weight, long_weight = 2.0 / (short_n + 1.0), 2.0 / (long_n + 1.0)
    mean_weight = 2.0 / (signal_n + 1.0)
    seen, before, long_count, move = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
    size, short_count, moves = state[i, 4], state[i, 5], state[i, 6]
    sizes, mean_count, mean = state[i, 7], state[i, 8], state[i, 9]
    row = start
    while row < stop and not (only_begin and mean_count == signal_n):
        x, here = close[row], row
        line[here] = signal[here] = np.nan
        row += 1
        if x != x:
            continue
        change, is_first = x - before, seen == 0.0
        seen, before = 1.0, x
        if is_first:
            continue
        # Past the beginning all four go on at once, without its checks.
        if short_count == short_n:
            # Faded away, both keep their relation: below this it would lose its digits.
            if change != 0.0 or sizes > FAINT:
                move += long_weight * (change - move)
                size += long_weight * (abs(change) - size)
                moves += short_weight * (move - moves)
                sizes += short_weight * (size - sizes)
        else:
            _, move = average_step(long_count, move, change, long_n, long_weight)
            long_count, size = average_step(long_count, size, abs(change), long_n, long_weight)
            if long_count < long_n:
                continue
            _, moves = average_step(short_count, moves, move, short_n, short_weight)
            short_count, sizes = average_step(short_count, sizes, size, short_n, short_weight)
            if short_count < short_n:
                continue
        value = _line(moves, sizes, flat)
        line[here] = value
        # A null is no value of the signal's: it waits.
        if value != value:
            continue
        mean_count, mean = average_step(mean_count, mean, value, signal_n, mean_weight)
        if mean_count == signal_n:
            signal[here] = mean
    state[i, 0], state[i, 1], state[i, 2], state[i, 3] = seen, before, long_count, move
    state[i, 4], state[i, 5], state[i, 6] = size, short_count, moves
    state[i, 7], state[i, 8], state[i, 9] = sizes, mean_count, mean
    return row


@kernel_part
def _step(work, long_weight, short_weight, mean_weight, flat):  # type: ignore[no-untyped-def]
    """Take closes of section 0: averages are the next five, then come the line and the signal."""
    for k in range(np.uint64(ROWS * LANES)):
        now = k + np.uint64(LANES)
        change = work[now] - work[k]
        move, size, moves = work[at(k, 1)], work[at(k, 2)], work[at(k, 3)]
        sizes, mean = work[at(k, 4)], work[at(k, 5)]
        is_kept = change == 0.0 and not sizes > FAINT
        new_move = move + long_weight * (change - move)
        new_size = size + long_weight * (abs(change) - size)
        new_moves = moves + short_weight * (new_move - moves)
        new_sizes = sizes + short_weight * (new_size - sizes)
        moves = moves if is_kept else new_moves
        sizes = sizes if is_kept else new_sizes
        work[at(now, 1)] = move if is_kept else new_move
        work[at(now, 2)] = size if is_kept else new_size
        work[at(now, 3)], work[at(now, 4)] = moves, sizes
        value = _line(moves, sizes, flat)
        new_mean = mean + mean_weight * (value - mean)
        work[at(now, 5)] = new_mean if value == value else mean
        work[at(now, 6)], work[at(now, 7)] = value, new_mean


@kernel_part
def _go_side_by_side(state, lanes, params, flat, close, work, line, signal):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing."""
    weights = 2.0 / (params[1] + 1.0), 2.0 / (params[0] + 1.0), 2.0 / (params[2] + 1.0)
    columns = (1, 3, 4, 6, 7, 9)
    load_states(state, lanes, columns, work)
    while has_piece(lanes):
        if load_lanes(close, lanes, work, 0) > 0:
            part_lanes(lanes)
            break
        for part in range(piece_parts(lanes)):
            _step(part_of(work, part), weights[0], weights[1], weights[2], flat)
        store_lanes(work, 6, lanes, line)
        store_lanes(work, 7, lanes, signal)
        next_piece(work, 6, lanes)
    save_states(state, lanes, columns, work)


@kernel
def advance(state, params, offsets, close, line, signal):  # type: ignore[no-untyped-def]
    """State: rows seen (0 or 1), close before, the counts and averages, count and signal.

    Averages are of changes and of their sizes, over the long length and then the short one.
    """
    flat = 0.0 if params[3] == 1.0 else np.nan
    lanes, work = start_lanes(True), np.empty(8 * ROOM)
    while fill_lanes(offsets, lanes):
        for k in range(LANES):
            i, start, stop, only_begin = lone_rows(lanes, k)
            if start < stop:
                lanes[ROW, k] = _go_on(
                    state, i, params, flat, close, start, stop, only_begin, line, signal
                )
        if join_lanes(offsets, lanes):
            _go_side_by_side(state, lanes, params, flat, close, work, line, signal)


def _check(p: Values) -> str | None:
    if float(p["short_length"]) <= float(p["long_length"]):
        return None
    return f"short_length={p['short_length']}; must be at most long_length={p['long_length']}"


def _warmup(p: Values) -> tuple[int, ...]:
    line = int(p["long_length"]) + int(p["short_length"]) - 1
    return (line, line + int(p["signal_length"]) - 1)


_N = "{short_length}_{long_length}_{signal_length}"

INDICATOR = Indicator(
    name="tsi",
    title="True strength index",
    inputs=("close",),
    outputs=(
        Output("tsi", f"tsi_{_N}", "percent", "smoothed change, of its size", -100.0, 100.0),
        Output("signal", f"tsi_signal_{_N}", "percent", "average of tsi", -100.0, 100.0),
    ),
    parameters=(
        length(13, name="short_length"),
        length(25, name="long_length"),
        length(13, name="signal_length"),
        zero_or_null("the smoothed size"),
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda _: 10,
    advance=advance,
    formula="100 m(change of the close) / m(its size); m(x) = ema(ema(x, long), short); "
    "signal = ema(tsi, signal)",
    reference="Blau (1991), True Strength Index, S&C 9:11; ta.tsi is a hundredth of it",
    seed="each average by the mean of its own first rows",
    flat="null until the close has changed; 0 in TA-Lib",
    check=_check,
    version=6,
    presets={"talib": {"flat": "zero"}},
    compared=("talib",),
    names={"talib": "TSI", "pine": "ta.tsi", "pandas_ta": "tsi"},
)
