"""Volume that is counted by where in its range a row closed."""

from __future__ import annotations

from tallow.core.kernel import kernel_part
from tallow.indicators.cci import ROUNDING


@kernel_part
def flow_step(high: float, low: float, close: float, volume: float) -> float:
    """Return volume times the place of the close, from -1 at the low to 1 at the high.

    Zero for a row without range, NaN where anything is missing.
    """
    reach, place = high - low, (close - low) - (high - close)
    # Divided by one where there is no range: a missing price stays missing.
    return volume * (place / (reach if reach != 0.0 else 1.0))


@kernel_part
def price_change(now: float, before: float) -> float:
    """Return the change of a mean of three prices: zero where only their rounding differs."""
    gap = now - before
    return 0.0 if abs(gap) <= ROUNDING * abs(before) else gap
