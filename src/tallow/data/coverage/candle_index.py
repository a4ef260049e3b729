"""Candles as coverage sees them: each instrument's times, and its calendar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from tallow.core.arrays import Ints, Times
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import CalendarError, CandleInputError, RangeError, TimeframeError
from tallow.core.kernel import read_only
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.kernels.rows import increasing_within
from tallow.data.reading.periods import Periods, dated_frame
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import time_view


class CandleIndex(NamedTuple):
    """Sorted candles: rows ``offsets[i]:offsets[i + 1]``, perhaps none, are of ``names[i]``."""

    frame: pl.DataFrame
    names: list[str]
    calendar_of: Ints
    offsets: Ints
    times: Times

    def with_lookup_times(self, calendars: CalendarAssignment, source: Timeframe) -> CandleIndex:
        """Return the candles with the times at which those of days are looked up."""
        frame = dated_frame(self.frame, calendars, source)
        return self._replace(frame=frame, times=read_only(time_view(frame)))

    def own(self, i: int) -> Times:
        """Return the times of an instrument's rows."""
        return self.times[self.offsets[i] : self.offsets[i + 1]]

    def members(self, calendar: int) -> list[int]:
        """Return the instruments of a calendar."""
        return [int(i) for i in np.flatnonzero(self.calendar_of == calendar)]

    def candle(self, i: int, row: int) -> int:
        """Return the time of an instrument's first (0) or last (-1) candle; else `RangeError`."""
        if not len(self.own(i)):
            raise RangeError(
                f"start: None; instrument {self.names[i]!r} has no candle to start from; "
                "give a start"
            )
        return int(self.own(i)[row])

    def one_a_period(self, calendars: CalendarAssignment, source: Timeframe) -> CandleIndex:
        """Return the candles without rows that count in no bar, as another has their period."""
        periods = Periods(calendars.calendars, source)
        if not periods.is_needed:
            return self
        which = np.repeat(np.arange(len(self.names)), np.diff(self.offsets))
        others = periods.others(which, periods.of(self.times, self.calendar_of[which]))
        if others is None:
            return self
        kept = self.frame.filter(pl.Series(~others))
        lengths = np.bincount(which[~others], minlength=len(self.names)).tolist()
        times = read_only(time_view(kept))
        return self._replace(frame=kept, offsets=_offsets(lengths), times=times)

    def countable(self, calendars: CalendarAssignment, source: Timeframe) -> CandleIndex:
        """Return the candles that count, with the times at which they are looked up."""
        return self.with_lookup_times(calendars, source).one_a_period(calendars, source)

    def before(self, limits: Mapping[int, int]) -> CandleIndex:
        """Return the rows before a limit, one for each calendar."""
        own = np.array([limits[calendar] for calendar in self.calendar_of.tolist()], dtype=np.int64)
        lengths = [int(np.searchsorted(self.own(i), limit)) for i, limit in enumerate(own)]
        if sum(lengths) == len(self.times):
            return self
        kept = self.frame.filter(pl.Series(self.times < np.repeat(own, np.diff(self.offsets))))
        times = read_only(time_view(kept))
        return self._replace(frame=kept, offsets=_offsets(lengths), times=times)


def index_candles(
    candles: pl.DataFrame, calendars: CalendarAssignment, instruments: Sequence[str] | None
) -> CandleIndex:
    """Return the candles of some instruments, or of all that the frame has.

    `CandleInputError` if the frame is not sorted by instrument and timestamp, or not unique in
    them; `CalendarError` if an instrument has no calendar.
    """
    runs, offsets = instrument_runs(candles)
    if instruments is not None and not set(runs) <= set(instruments):
        candles = candles.filter(pl.col("instrument").is_in(list(instruments)))
        runs, offsets = instrument_runs(candles)
    times = read_only(time_view(candles))
    if list(runs) != sorted(set(runs)) or not increasing_within(times, offsets):
        raise CandleInputError(
            "coverage: candles=unsorted; rows must be sorted by instrument and timestamp, and "
            "unique in them; read them with read_candles"
        )
    names = list(runs) if instruments is None else sorted(set(instruments))
    rows = dict(zip(runs, np.diff(offsets).tolist(), strict=True))
    calendar_of = calendar_indices(calendars, names)
    return CandleIndex(
        candles, names, calendar_of, _offsets(rows.get(name, 0) for name in names), times
    )


def daily_at_most(source_timeframe: str | Timeframe) -> Timeframe:
    """Read how long candles last; raise `TimeframeError` where that is more than a day."""
    source = parse_timeframe(source_timeframe)
    if source.unit not in {"minute", "day"}:
        raise TimeframeError(
            f"coverage: source_timeframe={source}; a candle must last a day at most; give 1m or 1d"
        )
    return source


def _offsets(lengths: Iterable[int]) -> Ints:
    return np.cumsum([0, *lengths], dtype=np.int64)


def calendar_indices(calendars: CalendarAssignment, names: Sequence[str]) -> Ints:
    """Return each instrument's calendar; raise `CalendarError` where one has none."""
    calendar_of = calendars.indices(names)
    if (calendar_of < 0).any():
        raise CalendarError(
            f"calendar: instrument={names[int(np.argmin(calendar_of))]!r}; the mapping must name "
            'it; add it, or "*" for all others'
        )
    return calendar_of
