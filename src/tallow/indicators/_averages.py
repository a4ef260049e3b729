"""Recursive averages: one step, shared by every indicator that smooths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tallow.core.kernel import kernel_part

Floats = NDArray[np.float64]


@kernel_part
def average_step(
    count: float, value: float, x: float, length: float, weight: float
) -> tuple[float, float]:
    """Take one more `x`: a plain mean of the first `length`, then ``value += weight (x - value)``.

    Both forms leave an average of equal values exactly at that value.
    """
    if count < length:
        count += 1.0
        value += (x - value) / count
    else:
        value += weight * (x - value)
    return count, value


@kernel_part
def advance_average(
    state: Floats, length: float, weight: float, offsets: NDArray[np.int64], x: Floats, out: Floats
) -> None:
    """Run `average_step` over every row; state is ``[count, value]``.

    Each step waits for the one before, so instruments go side by side, two by two, where they can:
    the same bits in little more than half the time.
    """
    i = 0
    while i < len(state):
        start, stop = offsets[i], offsets[i + 1]
        if i + 1 < len(state):
            # First as many rows as each average is short of; a missing one leaves it short.
            other, other_stop = stop, offsets[i + 2]
            a = min(stop, start + np.int64(length - state[i, 0]))
            b = min(other_stop, other + np.int64(length - state[i + 1, 0]))
            _average_rows(state[i], length, weight, x[start:a], out[start:])
            _average_rows(state[i + 1], length, weight, x[other:b], out[other:])
            rows = 0
            if state[i, 0] == length and state[i + 1, 0] == length:
                rows = min(stop - a, other_stop - b)
                _average_two(state[i : i + 2], weight, x[a : a + rows], x[b:], out[a:], out[b:])
            rest = b + rows
            _average_rows(state[i + 1], length, weight, x[rest:other_stop], out[rest:])
            start = a + rows
        _average_rows(state[i], length, weight, x[start:stop], out[start:])
        i += 2


@kernel_part
def _average_rows(state, length, weight, x, out):  # type: ignore[no-untyped-def]
    """Run one instrument's rows."""
    count, value = state[0], state[1]
    for row in range(len(x)):
        if x[row] != x[row]:
            out[row] = np.nan
            continue
        count, value = average_step(count, value, x[row], length, weight)
        out[row] = value if count == length else np.nan
    state[0], state[1] = count, value


@kernel_part
def _average_two(state, weight, x, y, out_x, out_y):  # type: ignore[no-untyped-def]
    """Run rows of two instruments whose averages are whole; as many as `x` has."""
    a, b = state[0, 1], state[1, 1]
    for row in range(len(x)):
        # A missing row makes a missing value, which is shown but not kept.
        next_a, next_b = a + weight * (x[row] - a), b + weight * (y[row] - b)
        out_x[row], out_y[row] = next_a, next_b
        a = next_a if x[row] == x[row] else a
        b = next_b if y[row] == y[row] else b
    state[0, 1], state[1, 1] = a, b


@kernel_part
def range_step(high: float, low: float, previous_close: float) -> float:
    """True range: the row's range, stretched to the close before it (NaN: high minus low)."""
    result = high - low
    # Comparisons with NaN are false, so a missing close leaves high minus low.
    above, below = abs(high - previous_close), abs(low - previous_close)
    if above > result:
        result = above
    if below > result:
        result = below
    return result
