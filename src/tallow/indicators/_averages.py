"""Recursive averages: one step, shared by every indicator that smooths."""

from __future__ import annotations

import numpy as np

from tallow.core.arrays import Floats, Ints
from tallow.core.kernel import kernel_part


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


FAINT = 1e-300
"""The least that is left of a mean of sizes which has known one that is not zero."""


@kernel_part
def keep_faint(value: float) -> float:
    """Return a mean of sizes, kept from fading away.

    On rows without change it shrinks for ever. Below this its digits would go one by one, and
    arithmetic would crawl; any later change is so much larger that nothing depends on it.
    """
    return FAINT if 0.0 < value < FAINT else value


@kernel_part
def advance_average(
    state: Floats, length: float, weight: float, offsets: Ints, x: Floats, out: Floats
) -> None:
    """Run `average_step` over every row; state is ``[count, value]``.

    Each step waits for the one before, so instruments go side by side, two by two, where they can:
    the same bits in little more than half the time. An instrument with a single new row goes alone:
    taking views of arrays would cost ten times its step.
    """
    # Typed, or Numba compiles what it calls twice: for a literal and for a number.
    i = np.int64(0)
    while i < len(state):
        start, stop = offsets[i], offsets[i + 1]
        if i + 1 < len(state) and stop - start > 1:
            _average_pair(state, i, length, weight, offsets, x, out)
            i += 2
        else:
            count, value = state[i, 0], state[i, 1]
            for row in range(start, stop):
                count, value, out[row] = _average_row(count, value, x[row], length, weight)
            state[i, 0], state[i, 1] = count, value
            i += 1


@kernel_part
def _average_pair(state, i, length, weight, offsets, x, out):  # type: ignore[no-untyped-def]
    """Run the rows of instruments ``i`` and ``i + 1``."""
    start, stop, other_stop = offsets[i], offsets[i + 1], offsets[i + 2]
    # First as many rows as each average is short of; a missing one leaves it short.
    a = min(stop, start + np.int64(length - state[i, 0]))
    b = min(other_stop, stop + np.int64(length - state[i + 1, 0]))
    _average_rows(state, i, length, weight, x, start, a, out)
    _average_rows(state, i + 1, length, weight, x, stop, b, out)
    rows = 0
    if state[i, 0] == length and state[i + 1, 0] == length:
        rows = min(stop - a, other_stop - b)
        _average_two(state[i : i + 2], weight, x[a : a + rows], x[b:], out[a:], out[b:])
    _average_rows(state, i, length, weight, x, a + rows, stop, out)
    _average_rows(state, i + 1, length, weight, x, b + rows, other_stop, out)


@kernel_part
def _average_rows(state, i, length, weight, x, start, stop, out):  # type: ignore[no-untyped-def]
    """Run rows ``start:stop``, which are of instrument ``i``."""
    count, value = state[i, 0], state[i, 1]
    for row in range(start, stop):
        count, value, out[row] = _average_row(count, value, x[row], length, weight)
    state[i, 0], state[i, 1] = count, value


@kernel_part
def _average_row(count, value, x, length, weight):  # type: ignore[no-untyped-def]
    """Take one row; return count and value, and what is shown of it: null before the warm-up."""
    if x != x:
        return count, value, np.nan
    count, value = average_step(count, value, x, length, weight)
    return count, value, value if count == length else np.nan


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
