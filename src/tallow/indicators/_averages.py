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
    """Run `average_step` over every row; state is ``[count, value]``."""
    for i in range(len(state)):
        count, value = state[i, 0], state[i, 1]
        for row in range(offsets[i], offsets[i + 1]):
            if x[row] != x[row]:
                out[row] = np.nan
                continue
            count, value = average_step(count, value, x[row], length, weight)
            out[row] = value if count == length else np.nan
        state[i, 0], state[i, 1] = count, value


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
