"""Whether values are the same, bit for bit."""

from __future__ import annotations

import numpy as np

from tallow.core.arrays import Flags, Floats


def differing_bits(one: Floats, other: Floats) -> Flags:
    """Say where two columns of one type differ: NaN equals NaN, and 0.0 is not -0.0."""
    bits = np.dtype(f"i{one.dtype.itemsize}")
    missing = np.isnan(one) & np.isnan(other)
    differs: Flags = ~missing & (one.view(bits) != other.view(bits))
    return differs
