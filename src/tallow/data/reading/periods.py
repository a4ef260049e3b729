"""Which rows share the period of one candle, and which of them count.

Of days, weeks and months the last row by time counts: providers send the final candle beside the
one that was still forming. What several candles of minutes in one period are is not certain:
finer rows, or strays; none of them counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tallow.core.arrays import Flags, Ints, Times
from tallow.core.calendars import Calendar
from tallow.core.timeframe import Timeframe
from tallow.data.kernels.buckets import bucket_table
from tallow.data.reading.rules import OFF_GRID, REPEATED_PERIOD

NOWHERE = -1


class Periods:
    """The periods of candles of one size on some calendars.

    Attributes
    ----------
    is_needed
        False for minutes: reading lets no two rows of one minute through.
    rule
        What a row breaks that does not count.
    """

    def __init__(self, calendars: Sequence[Calendar], source: Timeframe) -> None:
        self._by_date = source.unit != "minute"
        self._table = bucket_table(tuple(calendars), source, source)
        self.is_needed = self._by_date or source.minutes > 1
        self.rule = REPEATED_PERIOD if self._by_date else OFF_GRID

    def others(self, which: Ints, periods: Ints) -> Flags | None:
        """Say which rows do not count, as another has their period; None where all count.

        Parameters
        ----------
        which
            Of each row a number of its instrument; rows are sorted by it, and by time.
        periods
            Of each row its period, as `of` returns them.
        """
        again = (which[1:] == which[:-1]) & (periods[1:] == periods[:-1])
        again &= periods[1:] != NOWHERE
        if not again.any():
            return None
        has_later, has_earlier = np.append(again, False), np.append(False, again)
        return has_later if self._by_date else has_later | has_earlier

    def of(self, times: Times, calendar_of: Ints) -> Ints:
        """Return a number for each time's period, of its calendar; `NOWHERE` outside of all."""
        found = np.full(len(times), NOWHERE, dtype=np.int64)
        table = self._table
        for index in np.unique(calendar_of).tolist():
            first, last = int(table.starts[index]), int(table.starts[index + 1])
            own = np.flatnonzero(calendar_of == index)
            at = np.searchsorted(table.segment_close[first:last], times[own], "right")
            opens = table.segment_open[first + np.minimum(at, last - first - 1)]
            inside = (at < last - first) & (times[own] >= opens)
            since = (times[own] - opens) // table.source_us if table.source_us else 0
            found[own] = np.where(inside, opens + since * max(table.source_us, 1), NOWHERE)
        return found
