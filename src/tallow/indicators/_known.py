"""Rows of which nothing is missing, one after the other: what a recursive indicator sees.

What also looks at a window of such rows takes them from here, and puts its values back into their
places.
"""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel_part
from tallow.indicators._averages import average_step, range_step


@kernel_part
def start_known(s, kept):  # type: ignore[no-untyped-def]
    """Make missing the last `kept` values of a new state: rows before the first."""
    if s[4] == 0.0:
        s[4] = 1.0
        for k in range(len(s) - kept, len(s)):
            s[k] = np.nan


@kernel_part
def known_ranges(s, n, skips_first, high, low, close, known, places):  # type: ignore[no-untyped-def]
    """Write highs, lows, closes, average ranges and places of known rows; return how many.

    State: rows seen (0 or 1), close before, ranges counted up to `n`, average, and whether
    `start_known` was. `known` is float64 ``[4, rows]``; an average in its warm-up is null.
    """
    seen, before, count, reach, found = s[0], s[1], s[2], s[3], 0
    for row in range(len(close)):
        h, l, c = high[row], low[row], close[row]
        if h != h or l != l or c != c:
            continue
        if seen > 0.0 or skips_first == 0.0:
            x = range_step(h, l, before if seen > 0.0 else np.nan)
            count, reach = average_step(count, reach, x, n, 1.0 / n)
        seen, before = 1.0, c
        known[0, found], known[1, found], known[2, found] = h, l, c
        known[3, found] = reach if count == n else np.nan
        places[found] = row
        found += 1
    s[0], s[1], s[2], s[3] = seen, before, count, reach
    return found
