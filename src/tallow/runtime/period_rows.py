"""One row for each period of its source, in a run: a day has one candle, and no two are added up.

Which rows count is said in `tallow.data.reading.periods`.
"""

from __future__ import annotations

import numpy as np

from tallow.core.arrays import Flags, Floats
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.timeframe import Timeframe
from tallow.data.kernels.aggregate import LAST_TIME, CandleArrays
from tallow.data.reading.dated import dated_times, noon_shifts
from tallow.data.reading.periods import NOWHERE, Periods
from tallow.runtime.blocks import Block, NeedsWholeInputError


class PeriodRows:
    """Finds rows of one size whose period has another row, by the calendars of instruments."""

    def __init__(self, calendars: CalendarAssignment, source: Timeframe) -> None:
        self._calendars = calendars
        self._shifts = noon_shifts(calendars.calendars, source)
        self._periods = Periods(calendars.calendars, source)
        self.rule = self._periods.rule

    def dated(self, block: Block) -> Block:
        """Return a block whose dates, midnights in UTC, lie on these dates at their venue."""
        candles, calendar_of = block.candles, self._calendars.indices(block.names)
        times = dated_times(candles.timestamp, candles.offsets, calendar_of, self._shifts)
        if times is candles.timestamp:
            return block
        which = np.repeat(np.arange(len(block.names)), np.diff(candles.offsets))
        order = np.lexsort((times, which))
        columns = (column[order] if len(column) else column for column in candles[2:])
        return Block(
            block.names, CandleArrays(candles.offsets, times[order], *columns), block.closing
        )

    def others(self, block: Block, state: Floats) -> Flags | None:
        """Say which rows do not count, as another has their period; None where all count.

        `state` is that of the bars before the block.

        Raises
        ------
        NeedsWholeInputError
            If a row is of the period of the last one before the block.
        """
        offsets, times = block.candles.offsets, block.candles.timestamp
        calendar_of = np.maximum(self._calendars.indices(block.names), 0)
        which = np.repeat(np.arange(len(block.names)), np.diff(offsets))
        periods = self._periods.of(times, calendar_of[which])
        some = np.flatnonzero((np.diff(offsets) > 0) & np.isfinite(state[:, LAST_TIME]))
        if len(some):
            last = self._periods.of(state[some, LAST_TIME].astype(np.int64), calendar_of[some])
            if ((last == periods[offsets[some]]) & (last != NOWHERE)).any():
                raise NeedsWholeInputError
        return self._periods.others(which, periods)
