"""One row for each period of its source: a day has one candle of a day, and no two are added up.

Of days, weeks and months the last row by time counts: providers send the final candle beside the
one that was still forming. Of candles of minutes nobody can say what several in one period are:
finer rows, or strays; all are set aside.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.timeframe import Timeframe
from tallow.data.aggregate import LAST_TIME, CandleArrays
from tallow.data.buckets import bucket_table
from tallow.data.dated import dated_times, noon_shifts
from tallow.data.rules import OFF_GRID, REPEATED_PERIOD
from tallow.runtime.blocks import Block, NeedsWholeInputError
from tallow.runtime.operations import Floats, Times

Flags = NDArray[np.bool_]
_NOWHERE = -1


class PeriodRows:
    """Settles rows of one size, by the calendars of their instruments."""

    def __init__(self, calendars: CalendarAssignment, source: Timeframe) -> None:
        self._calendars, self._by_date = calendars, source.unit != "minute"
        self._shifts = noon_shifts(calendars.calendars, source)
        self._table = bucket_table(calendars.calendars, source, source)
        # Reading lets no two rows of one minute through.
        self.is_needed = self._by_date or source.minutes > 1
        self.rule = REPEATED_PERIOD if self._by_date else OFF_GRID

    def dated(self, block: Block) -> Block:
        """Return a block whose dates, midnights in UTC, lie on these dates at their venue."""
        candles, places = block.candles, self._calendars.places(block.names)
        times = dated_times(candles.timestamp, candles.offsets, places, self._shifts)
        if times is candles.timestamp:
            return block
        which = np.repeat(np.arange(len(block.names)), np.diff(candles.offsets))
        order = np.lexsort((times, which))
        columns = (column[order] if len(column) else column for column in candles[2:])
        return Block(
            block.names, CandleArrays(candles.offsets, times[order], *columns), block.closing
        )

    def others(self, block: Block, state: Floats) -> Flags | None:
        """Say which rows are set aside, as another has their period; None where none is.

        `state` is that of the bars before the block.

        Raises
        ------
        NeedsWholeInputError
            If a row is of the period of the last one before the block.
        """
        offsets, times = block.candles.offsets, block.candles.timestamp
        places = np.maximum(self._calendars.places(block.names), 0)
        which = np.repeat(np.arange(len(block.names)), np.diff(offsets))
        periods = self._periods(times, places[which])
        some = np.flatnonzero((np.diff(offsets) > 0) & np.isfinite(state[:, LAST_TIME]))
        if len(some):
            last = self._periods(state[some, LAST_TIME].astype(np.int64), places[some])
            if ((last == periods[offsets[some]]) & (last != _NOWHERE)).any():
                raise NeedsWholeInputError
        again = (which[1:] == which[:-1]) & (periods[1:] == periods[:-1])
        again &= periods[1:] != _NOWHERE
        if not again.any():
            return None
        has_later, has_earlier = np.append(again, False), np.append(False, again)
        return has_later if self._by_date else has_later | has_earlier

    def _periods(self, times: Times, places: Times) -> Times:
        """Return a number for each time's period, of its calendar; `_NOWHERE` outside of all."""
        found = np.full(len(times), _NOWHERE, dtype=np.int64)
        table = self._table
        for place in np.unique(places).tolist():
            first, last = int(table.starts[place]), int(table.starts[place + 1])
            own = np.flatnonzero(places == place)
            at = np.searchsorted(table.segment_close[first:last], times[own], "right")
            opens = table.segment_open[first + np.minimum(at, last - first - 1)]
            inside = (at < last - first) & (times[own] >= opens)
            since = (times[own] - opens) // table.source_us if table.source_us else 0
            found[own] = np.where(inside, opens + since * max(table.source_us, 1), _NOWHERE)
        return found
