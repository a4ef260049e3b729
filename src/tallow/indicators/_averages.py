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

    Each step waits for the one before, so four instruments go side by side where they can: the same
    bits in less than half the time.
    """
    at = np.empty(4, dtype=np.int64)
    i = 0
    while i < len(state):
        if i + 4 > len(state):
            _average_rows(
                state[i], length, weight, x[offsets[i] : offsets[i + 1]], out[offsets[i] :]
            )
            i += 1
            continue
        rows = offsets[-1]
        for k in range(4):
            # First as many rows as the average is short of; a missing one leaves it short.
            start, stop = offsets[i + k], offsets[i + k + 1]
            at[k] = min(stop, start + np.int64(length - state[i + k, 0]))
            _average_rows(state[i + k], length, weight, x[start : at[k]], out[start:])
            rows = min(rows, stop - at[k]) if state[i + k, 0] == length else 0
        _average_four(state[i : i + 4], weight, at, rows, x, out)
        for k in range(4):
            start = at[k] + rows
            _average_rows(state[i + k], length, weight, x[start : offsets[i + k + 1]], out[start:])
        i += 4


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
def _average_four(state, weight, at, rows, x, out):  # type: ignore[no-untyped-def]
    """Run the same number of rows of four instruments whose averages are whole."""
    a, b, c, d = x[at[0] :], x[at[1] :], x[at[2] :], x[at[3] :]
    out_a, out_b, out_c, out_d = out[at[0] :], out[at[1] :], out[at[2] :], out[at[3] :]
    p, q, r, s = state[0, 1], state[1, 1], state[2, 1], state[3, 1]
    for row in range(rows):
        # A missing row makes a missing value, which is shown but not kept.
        out_a[row] = p + weight * (a[row] - p)
        out_b[row] = q + weight * (b[row] - q)
        out_c[row] = r + weight * (c[row] - r)
        out_d[row] = s + weight * (d[row] - s)
        p = out_a[row] if a[row] == a[row] else p
        q = out_b[row] if b[row] == b[row] else q
        r = out_c[row] if c[row] == c[row] else r
        s = out_d[row] if d[row] == d[row] else s
    state[0, 1], state[1, 1], state[2, 1], state[3, 1] = p, q, r, s


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
