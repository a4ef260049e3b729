"""Bands that move towards the price only, until a close has broken them."""

from __future__ import annotations

from tallow.core.kernel import kernel_part


@kernel_part
def trail_step(upper, lower, above, below, before, is_first):  # type: ignore[no-untyped-def]
    """Return both bands after a row; `above` and `below` are where it would have them."""
    if is_first or above < upper or before > upper:
        upper = above
    if is_first or below > lower or before < lower:
        lower = below
    return upper, lower
