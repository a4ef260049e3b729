"""Moving average convergence and divergence."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Parameter, Values
from tallow.indicators._averages import average_step
from tallow.indicators._declare import (
    FAST_SLOW,
    SIGNAL,
    START,
    check_fast_slow,
    outputs_with_signal,
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
    skip = slow_n - fast_n if params[3] == 1.0 else 0.0
    together = params[4] == 1.0
    fast_weight, slow_weight = 2.0 / (fast_n + 1.0), 2.0 / (slow_n + 1.0)
    mean_weight = 2.0 / (signal_n + 1.0)
    seen, fast_count, fast = state[i, 0], state[i, 1], state[i, 2]
    slow_count, slow, mean_count, mean = state[i, 3], state[i, 4], state[i, 5], state[i, 6]
    row = start
    while row < stop and not (only_begin and mean_count == signal_n):
        x, here = close[row], row
        row += 1
        if mean_count == signal_n and x == x:
            # As below, once all are past their warm-up.
            fast += fast_weight * (x - fast)
            slow += slow_weight * (x - slow)
            mean += mean_weight * (fast - slow - mean)
            line[here], signal[here] = fast - slow, mean
            histogram[here] = fast - slow - mean
            continue
        line[here] = signal[here] = histogram[here] = np.nan
        if x != x:
            continue
        if seen >= skip:
            fast_count, fast = average_step(fast_count, fast, x, fast_n, fast_weight)
        else:
            seen += 1.0
        slow_count, slow = average_step(slow_count, slow, x, slow_n, slow_weight)
        if slow_count < slow_n:
            continue
        gap = fast - slow
        mean_count, mean = average_step(mean_count, mean, gap, signal_n, mean_weight)
        if mean_count == signal_n:
            signal[here] = mean
            histogram[here] = gap - mean
        if mean_count == signal_n or not together:
            line[here] = gap
    state[i, 0], state[i, 1], state[i, 2] = seen, fast_count, fast
    state[i, 3], state[i, 4], state[i, 5], state[i, 6] = slow_count, slow, mean_count, mean
    return row


@kernel_part
def _step(work, fast_weight, slow_weight, mean_weight):  # type: ignore[no-untyped-def]
    """Take the closes of section 3 into three averages; then come the line and the histogram."""
    for k in range(np.uint64(ROWS * LANES)):
        now = k + np.uint64(LANES)
        x, fast, slow, mean = work[at(now, 3)], work[k], work[at(k, 1)], work[at(k, 2)]
        fast += fast_weight * (x - fast)
        slow += slow_weight * (x - slow)
        mean += mean_weight * (fast - slow - mean)
        work[now], work[at(now, 1)], work[at(now, 2)] = fast, slow, mean
        work[at(now, 3)], work[at(now, 4)] = fast - slow, fast - slow - mean


@kernel_part
def _go_side_by_side(state, lanes, params, close, work, line, signal, histogram):  # type: ignore[no-untyped-def]
    """Take rows of eight instruments, as long as none is missing."""
    columns = (2, 4, 6)
    load_states(state, lanes, columns, work)
    weights = 2.0 / (params[0] + 1.0), 2.0 / (params[1] + 1.0), 2.0 / (params[2] + 1.0)
    while has_piece(lanes):
        if load_lanes(close, lanes, work, 3) > 0:
            part_lanes(lanes)
            break
        for part in range(piece_parts(lanes)):
            _step(part_of(work, part), weights[0], weights[1], weights[2])
        store_lanes(work, 3, lanes, line)
        store_lanes(work, 2, lanes, signal)
        store_lanes(work, 4, lanes, histogram)
        next_piece(work, 3, lanes)
    save_states(state, lanes, columns, work)


@kernel
def advance(state, params, offsets, close, line, signal, histogram):  # type: ignore[no-untyped-def]
    """State: rows seen, then count and average of the fast, slow and signal averages."""
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
    return (signal if p["start"] == "together" else line, signal, signal)


INDICATOR = Indicator(
    name="macd",
    title="Moving average convergence/divergence",
    inputs=("close",),
    outputs=outputs_with_signal("macd", "price difference", "fast average minus slow average"),
    parameters=(
        *FAST_SLOW,
        SIGNAL,
        Parameter(
            "seed",
            "own",
            "seed the fast average on its own first rows, or on those before the slow one's first",
            choices=("own", "aligned"),
        ),
        START,
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda _: 7,
    advance=advance,
    formula="ema(close, fast) - ema(close, slow); signal = ema(macd, signal)",
    reference="Appel (2005), Technical Analysis: Power Tools for Active Investors",
    seed="each average by the mean of its first rows; TA-Lib delays the fast one to the slow one's",
    check=check_fast_slow,
    presets={"talib": {"seed": "aligned", "start": "together"}},
    version=5,
    compared=("talib",),
    names={"talib": "MACD", "pine": "ta.macd", "pandas_ta": "macd"},
)
