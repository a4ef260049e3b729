"""True ranges of windows' rows, at vector speed."""

from __future__ import annotations

from tallow.core.arrays import Floats
from tallow.core.kernel import kernel_part


@kernel_part
def true_ranges(high: Floats, low: Floats, before: Floats, out: Floats) -> None:
    """Write each row's range, stretched to the close before it; missing where any of them is."""
    for j in range(len(out)):
        h, l, c = high[j], low[j], before[j]
        reach, above, below = h - l, abs(h - c), abs(l - c)
        reach = above if above > reach else reach
        reach = below if below > reach else reach
        # A comparison passes over what is missing.
        out[j] = reach + (h + l + c) * 0.0
