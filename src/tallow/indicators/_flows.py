"""Volume that is counted by where in its range a row closed."""

from __future__ import annotations

from tallow.core.kernel import kernel_part


@kernel_part
def flow_step(high: float, low: float, close: float, volume: float) -> float:
    """Return volume times the place of the close, from -1 at the low to 1 at the high.

    Zero for a row without range, NaN where anything is missing.
    """
    reach, place = high - low, (close - low) - (high - close)
    # Divided by one where there is no range: a missing price stays missing.
    return volume * (place / (reach if reach != 0.0 else 1.0))
