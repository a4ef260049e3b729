"""Percentage price oscillator."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Values
from tallow.indicators._averages import average_step
from tallow.indicators._declare import (
    FAST_SLOW,
    SIGNAL,
    check_fast_slow,
    outputs_with_signal,
    zero_or_null,
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
def _go_on(state, i, params, close, start, stop, only_begin, line, signal, histogram):  # type: ignore[no-untyped-def]
    """Take rows one by one, or those until all has a value; return where others begin."""
    fast_n, slow_n, signal_n = params[0], params[1], params[2]
    flat = 0.0 if params[3] == 1.0 else np.nan
    fast_weight, slow_weight = 2.0 / (fast_n + 1.0), 2.0 / (slow_n + 1.0)
    mean_weight = 2.0 / (signal_n + 1.0)
    fast_count, fast, slow_count = state[i, 0], state[i, 1], state[i, 2]
    slow, mean_count, mean = state[i, 3], state[i, 4], state[i, 5]
    row = start
    while row < stop and not (only_begin and mean_count == signal_n):
        x, here = close[row], row
        line[here] = signal[here] = histogram[here] = np.nan
        row += 1
        if x != x:
            continue
        fast_count, fast = average_step(fast_count, fast, x, fast_n, fast_weight)
        slow_count, slow = average_step(slow_count, slow, x, slow_n, slow_weight)
        if slow_count < slow_n:
            continue
        gap = 100.0 * ((fast - slow) / slow) if slow != 0.0 else flat
        line[here] = gap
        # A null is no value of the signal's: it waits.
        if gap != gap:
            continue
        mean_count, mean = average_step(mean_count, mean, gap, signal_n, mean_weight)
        if mean_count == signal_n:
            signal[here], histogram[here] = mean, gap - mean
    state[i, 0], state[i, 1], state[i, 2] = fast_count, fast, slow_count
    state[i, 3], state[i, 4], state[i, 5] = slow, mean_count, mean
    return row


@kernel_part
def _step(work, fast_weight, slow_weight, mean_weight):  # type: ignore[no-untyped-def]
    """Take the closes of section 3 into three averages; then come the line and the histogram.

    Return how many of the lines are null, for which the signal must wait.
    """
    missing = 0
    for k in range(np.uint64(ROWS * LANES)):
        now = k + np.uint64(LANES)
        x, fast, slow, mean = work[at(now, 3)], work[k], work[at(k, 1)], work[at(k, 2)]
        fast += fast_weight * (x - fast)
        slow += slow_weight * (x - slow)
        gap = 100.0 * ((fast - slow) / slow)
        missing += gap != gap
        mean += mean_weight * (gap - mean)
        work[now], work[at(now, 1)], work[at(now, 2)] = fast, slow, mean
        work[at(now, 3)], work[at(now, 4)] = gap, gap - mean
    return missing


@kernel_part
def _go_side_by_side(state, lanes, params, close, work, line, signal, histogram):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing."""
    columns = (1, 3, 5)
    load_states(state, lanes, columns, work)
    weights = 2.0 / (params[0] + 1.0), 2.0 / (params[1] + 1.0), 2.0 / (params[2] + 1.0)
    while has_piece(lanes):
        missing = load_lanes(close, lanes, work, 3)
        for part in range(piece_parts(lanes)):
            missing += _step(part_of(work, part), weights[0], weights[1], weights[2])
        if missing > 0:
            part_lanes(lanes)
            break
        store_lanes(work, 3, lanes, line)
        store_lanes(work, 2, lanes, signal)
        store_lanes(work, 4, lanes, histogram)
        next_piece(work, 3, lanes)
    save_states(state, lanes, columns, work)


@kernel
def advance(state, params, offsets, close, line, signal, histogram):  # type: ignore[no-untyped-def]
    """State: count and value of the fast, slow and signal averages."""
    lanes, work = start_lanes(True), np.empty(5 * ROOM)
    while fill_lanes(offsets, lanes):
        for k in range(LANES):
            i, start, stop, only_begin = lone_rows(lanes, k)
            if start < stop:
                lanes[ROW, k] = _go_on(
                    state, i, params, close, start, stop, only_begin, line, signal, histogram
                )
        if join_lanes(offsets, lanes):
            _go_side_by_side(state, lanes, params, close, work, line, signal, histogram)


def _warmup(p: Values) -> tuple[int, ...]:
    line = int(p["slow_length"]) - 1
    signal = line + int(p["signal_length"]) - 1
    return (line, signal, signal)


INDICATOR = Indicator(
    name="ppo",
    title="Percentage price oscillator",
    inputs=("close",),
    outputs=outputs_with_signal("ppo", "percent", "fast minus slow average, of the slow one"),
    parameters=(
        *FAST_SLOW,
        SIGNAL,
        zero_or_null("the slow average"),
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda _: 6,
    advance=advance,
    formula="100 (ema(close, fast) - ema(close, slow)) / ema(close, slow); "
    "signal = ema(ppo, signal)",
    reference="Appel (2005), Technical Analysis: Power Tools for Active Investors; "
    "pandas-ta has simple means unless told otherwise",
    seed="each average by the mean of its own first rows",
    flat="null where the slow average is zero; 0 in TA-Lib",
    check=check_fast_slow,
    version=2,
    presets={"talib": {"flat": "zero"}},
    compared=("talib",),
    names={"talib": "PPO", "pandas_ta": "ppo"},
)
