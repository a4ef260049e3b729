"""Rows that a run takes out: no calendar knows their times, or another row has their period.

They go to the run's quarantine by themselves; the other rows of their instruments stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from tallow.core.arrays import Codes, Flags, Floats, Times
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.time import from_us
from tallow.core.timeframe import Timeframe
from tallow.data.kernels.aggregate import LAST_TIME, CandleArrays
from tallow.data.reading.known_times import (
    RIGHT,
    RULES_OF_TIMES,
    known_times,
    latest_open,
)
from tallow.data.reading.periods import NOWHERE, Periods, dated_times, noon_shifts
from tallow.data.reading.schema import TIME_TYPE
from tallow.runtime.blocks import Block, NeedsWholeInputError, filter_block


class PeriodRows:
    """Finds rows of one size whose period has another row, by the calendars of instruments."""

    def __init__(self, calendars: CalendarAssignment, source: Timeframe) -> None:
        self._calendars = calendars
        self._shifts = noon_shifts(calendars.calendars, source)
        self._periods = Periods(calendars.calendars, source)
        self.rule = self._periods.rule

    def with_lookup_times(self, block: Block) -> Block:
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

        `state` is that of the bars before the block. `NeedsWholeInputError` if a row is of the
        period of the last one before the block.
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


class RowChecks:
    """Takes rows out of a run's blocks, and keeps them for its quarantine.

    Attributes
    ----------
    failures
        The calendar's reason, for instruments that have only rows of times that it does not know;
        shared with the run.
    """

    def __init__(
        self,
        calendars: CalendarAssignment,
        source: Timeframe,
        final_at: int | None,
        failures: dict[str, str],
    ) -> None:
        self._calendars = calendars
        self._final_at = final_at
        self._known = known_times(calendars)
        is_minute = source.unit == "minute" and source.minutes == 1
        self._periods = None if is_minute else PeriodRows(calendars, source)
        self.failures = failures
        self._frames: list[pl.DataFrame] = []
        # Instruments all of whose rows so far were taken out for their times.
        self._unknown: set[str] = set()

    def pick(self, block: Block, state: Floats) -> tuple[Block, dict[str, int]]:
        """Return a block without such rows, and how many were taken out by which rule.

        `state` is that of the bars before the block.
        """
        counts: dict[str, int] = {}
        if self._periods is not None:
            block = self._periods.with_lookup_times(block)
        block = self._known_rows(block, state, counts)
        others = None if self._periods is None else self._periods.others(block, state)
        if others is None or self._periods is None:
            return block, counts
        self._take_out(quarantine_rows(block, others, self._periods.rule), "off_grid", counts)
        return filter_block(block, ~others), counts

    def quarantine(self, read: pl.DataFrame, off_grid: Sequence[tuple[str, int]]) -> pl.DataFrame:
        """Return the rows that reading took out, those taken out here, and those off the grid."""
        found = list(self._frames)
        if off_grid:
            names, times = zip(*off_grid, strict=True)
            found.append(quarantine_frame(names, np.array(times), "off_grid"))
        if not found:
            return read
        # Whatever way the rows came in.
        ordered = pl.concat(found).sort("instrument", "timestamp", "rule")
        return pl.concat([read, ordered], how="diagonal")

    def _known_rows(self, block: Block, state: Floats, counts: dict[str, int]) -> Block:
        """Return a block without rows of times that no calendar knows, or that have not come.

        An instrument that has no other rows fails, with the calendar's reason.
        """
        calendar_of, candles = self._calendars.indices(block.names), block.candles
        latest = latest_open(self._final_at)
        codes = self._known.wrong(calendar_of, candles.offsets, candles.timestamp, latest)
        if codes is None and not self._unknown:
            return block
        kept = block
        if codes is not None:
            for rule, wrong in wrong_rows(block, codes):
                self._take_out(wrong, rule, counts)
            kept = filter_block(block, codes == RIGHT)
        has_rows = (np.diff(kept.candles.offsets) > 0) | (state[:, LAST_TIME] > -np.inf)
        for i, name in enumerate(block.names):
            if has_rows[i] and name in self._unknown:
                self._unknown.remove(name)
                del self.failures[name]
            elif not has_rows[i] and len(rows := block.candles.part(slice(i, i + 1)).timestamp):
                self._unknown.add(name)
                self.failures[name] = self._unknown_reason(int(calendar_of[i]), rows)
        return kept

    def _take_out(self, rows: pl.DataFrame, count: str, counts: dict[str, int]) -> None:
        self._frames.append(rows)
        counts[count] = counts.get(count, 0) + len(rows)

    def _unknown_reason(self, index: int, times: Times) -> str:
        """Say why none of an instrument's rows counts."""
        outside = self._known.uncovered(np.full(len(times), index), times)
        if not outside.any():
            return f"timestamp: {from_us(int(times[0]))}; has not come yet; check zone and unit"
        return calendar_problem(self._calendars, index, int(times[np.argmax(outside)]))


def quarantine_frame(names: Sequence[str], times: Times, rule: str) -> pl.DataFrame:
    """Return rows by instrument and time, int64 microseconds, with the rule that they broke."""
    frame = pl.DataFrame(
        [pl.Series("instrument", names, pl.String), pl.Series("timestamp", times, pl.Int64)]
    )
    return frame.with_columns(pl.col("timestamp").cast(TIME_TYPE), rule=pl.lit(rule))


def wrong_rows(block: Block, codes: Codes) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield each rule that times of a block's rows break, with these rows."""
    for code, rule in enumerate(RULES_OF_TIMES):
        rows = codes == code
        if rule is not None and rows.any():
            yield rule, quarantine_rows(block, rows, rule)


def quarantine_rows(block: Block, rows: Flags, rule: str) -> pl.DataFrame:
    """Return some of a block's rows as `quarantine_frame` does."""
    candles = block.candles
    which = np.repeat(np.arange(len(block.names)), np.diff(candles.offsets))
    names = [block.names[i] for i in which[rows].tolist()]
    return quarantine_frame(names, candles.timestamp[rows], rule)


def quarantine_text(frames: Sequence[pl.DataFrame]) -> str:
    """Say how many rows lack a session, and which is the first."""
    first, rows = frames[0].row(0, named=True), sum(map(len, frames))
    return (
        f"{first['instrument']}: timestamp={first['timestamp'].isoformat()}; rule "
        f"{first['rule']}: such rows={rows}, without values that need a "
        "session; correct the times, or see calendar_dates= and beyond_coverage="
    )


def calendar_problem(calendars: CalendarAssignment, index: int, moment: int) -> str:
    """Return why a calendar does not know a time."""
    calendar = calendars.calendars[index]
    try:
        day = from_us(moment).astimezone(ZoneInfo(calendar.timezone)).date()
    except OverflowError:
        # On the first and last day that Python knows, another zone may be a day before or after.
        day = date.min if moment < 0 else date.max
    covered = calendar.first_date <= day <= calendar.assumed_until
    error = calendar.unknown_times_error if covered else calendar.coverage_error
    return str(error(day))
