"""Whether rows keep the rules and are in order: compiled passes over the columns of candles."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from tallow.core.arrays import Floats, Ints, Times
from tallow.core.kernel import kernel
from tallow.core.limits import CANDLE_YEAR_FIRST, CANDLE_YEAR_LAST
from tallow.core.time import MINUTE_US, to_us

_UNSIGNED_MINUTE_US = np.uint64(MINUTE_US)

TIME_MIN_US, TIME_MAX_US = (
    to_us(datetime(year, 1, 1, tzinfo=UTC)) - back
    for year, back in ((CANDLE_YEAR_FIRST, 0), (CANDLE_YEAR_LAST + 1, 1))
)
"""The years that candles may be of; the first of these microseconds is a whole minute."""

RULES_VERSION = 1
"""Which rows become candles: part of all that is kept, raised where others do."""


@kernel
def rows_hold(
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
    time_us: Times,
    on_grid: bool,
    latest_us: int,
) -> bool:
    """Say whether every row keeps the rules on prices, volume and time.

    Shapes ``(rows,)``; `time_us` is microseconds since 1970, and `latest_us` the last of them that
    holds. A NaN fails whatever comparison it
    meets, so the comparisons ask for what is right, never for what is wrong. No early exit: that
    would cost the clean case its vector instructions.
    """
    broken = 0
    latest = np.uint64(latest_us - TIME_MIN_US)
    for row in range(len(close)):
        held = (
            (low[row] > -np.inf)
            & (high[row] < np.inf)
            & (low[row] <= open_[row])
            & (open_[row] <= high[row])
            & (low[row] <= close[row])
            & (close[row] <= high[row])
            & (volume[row] >= 0.0)
            & (volume[row] < np.inf)
        )
        broken += not held
    for row in range(len(time_us)):
        # Unsigned: one comparison tests both ends, and the remainder costs a third of a signed one.
        since = np.uint64(time_us[row] - TIME_MIN_US)
        off_grid = on_grid & (since % _UNSIGNED_MINUTE_US != np.uint64(0))
        broken += (since > latest) | off_grid
    return broken == 0


@kernel
def increasing_within(time_us: Times, offsets: Ints) -> bool:
    """Say whether times rise strictly inside every run of rows.

    `time_us` has shape ``(rows,)``, `offsets` ``(runs + 1,)`` as `instrument_runs` gives them.
    """
    for run in range(len(offsets) - 1):
        falls = 0
        for row in range(offsets[run] + 1, offsets[run + 1]):
            falls += time_us[row] <= time_us[row - 1]
        if falls:
            return False
    return True


@kernel
def count_falls(time_us: Times) -> int:
    """Return how many rows are not later than the row before."""
    falls = 0
    for row in range(1, len(time_us)):
        falls += time_us[row] <= time_us[row - 1]
    return falls


@kernel
def find_falls(time_us: Times, out: Ints) -> None:
    """Write the numbers of the rows that are not later than the row before."""
    found = 0
    for row in range(1, len(time_us)):
        if time_us[row] <= time_us[row - 1]:
            out[found] = row
            found += 1
