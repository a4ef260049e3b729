"""Parts of the indicators that compare instruments: their rows are those of one moment."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel_part


@kernel_part
def average_ranks(values, ranks):  # type: ignore[no-untyped-def]
    """Fill in ascending ranks, from 1; equal values share the mean of their places."""
    order = np.argsort(values, kind="mergesort")
    low = 0
    while low < len(values):
        high = low + 1
        while high < len(values) and values[order[high]] == values[order[low]]:
            high += 1
        for place in range(low, high):
            ranks[order[place]] = (low + 1 + high) / 2.0
        low = high


@kernel_part
def compensated_sum(values):  # type: ignore[no-untyped-def]
    """Add up values in their order, and what each sum loses (Neumaier)."""
    total, lost = 0.0, 0.0
    for value in values:
        after = total + value
        if abs(total) >= abs(value):
            lost += (total - after) + value
        else:
            lost += (value - after) + total
        total = after
    return total + lost
