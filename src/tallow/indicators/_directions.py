"""Wilder's directional movements, and the means that directional indicators are ratios of."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel_part
from tallow.core.operator import Parameter
from tallow.indicators._averages import FAINT, average_step, keep_faint, range_step

FIRST_SUMS = Parameter(
    "seed",
    "full",
    "terms of the first sums: length, or one less as TA-Lib has it",
    choices=("full", "short"),
)


@kernel_part
def movement_step(high, low, high_before, low_before):  # type: ignore[no-untyped-def]
    """The row's directional movements, of which at most one is not zero."""
    up, down = high - high_before, low_before - low
    return up if up > down and up > 0.0 else 0.0, down if down > up and down > 0.0 else 0.0


@kernel_part
def wilder_step(count, value, x, n, short):  # type: ignore[no-untyped-def]
    """Wilder's mean; `short`: TA-Lib's, whose first sum has ``n - 1`` terms but divisor ``n``."""
    if not short:
        return average_step(count, value, x, n, 1.0 / n)[1]
    if count < n - 1.0:
        return value + x / n
    return value + (x - value) / n


@kernel_part
def advance_direction(state, params, offsets, top, bottom, close, sign, out):  # type: ignore[no-untyped-def]
    """Write the indicator of movement beyond the top; with `sign` -1, lows are the top.

    State: seen; top, bottom, close before; count; mean range, mean movement; value. A row without
    any range shrinks both means alike, so the value stays what it was.
    """
    n, short, flat = params[0], params[1] == 1.0, 0.0 if params[2] == 1.0 else np.nan
    for i in range(len(state)):
        seen, high, low, before = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
        count, reach, moved, value = state[i, 4], state[i, 5], state[i, 6], state[i, 7]
        for row in range(offsets[i], offsets[i + 1]):
            h, l, c = sign * top[row], sign * bottom[row], sign * close[row]
            out[row] = np.nan
            if h != h or l != l or c != c:
                continue
            if seen > 0.0:
                x, fresh = range_step(h, l, before), count < n
                reach = wilder_step(count, reach, x, n, short)
                moved = wilder_step(count, moved, movement_step(h, l, high, low)[0], n, short)
                count = min(count + 1.0, n)
                # Behind a branch, so that the next row need not wait for it.
                if min(reach, moved) < FAINT:
                    reach, moved = keep_faint(reach), keep_faint(moved)
                if x > 0.0 or fresh:
                    value = 100.0 * (moved / reach) if reach > 0.0 else flat
            seen, high, low, before = 1.0, h, l, c
            if count == n:
                out[row] = value
        state[i, 0], state[i, 1], state[i, 2], state[i, 3] = seen, high, low, before
        state[i, 4], state[i, 5], state[i, 6], state[i, 7] = count, reach, moved, value
