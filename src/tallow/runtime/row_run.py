"""Indicators on candles as they are: no bars are made of them."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.time import END_OF_TIME
from tallow.core.timeframe import Timeframe
from tallow.data.reading.known_times import RIGHT, known_times
from tallow.data.reading.periods import dated_times, noon_shifts
from tallow.data.reading.schema import NUMBERS
from tallow.plan.plan import Plan
from tallow.runtime.batch import NO_CALENDAR
from tallow.runtime.blocks import Block, frame_blocks
from tallow.runtime.operations import (
    Machine,
    in_parallel,
    split_evenly,
)
from tallow.runtime.output_kinds import output_columns, output_types
from tallow.runtime.results import failure_text
from tallow.runtime.row_checks import calendar_problem, quarantine_text, wrong_rows


@dataclass
class RowRun:
    """One run over candles as they are: every row keeps its position, none is dropped.

    Attributes
    ----------
    failures
        Why an instrument lacks values.
    unknown
        Rows without a session, of which the plan asks: the calendar does not know their days.
    """

    plan: Plan
    calendars: CalendarAssignment
    source: Timeframe
    pool: Executor | None = None
    threads: int = 1
    failures: dict[str, str] = field(default_factory=dict)
    unknown: list[pl.DataFrame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._machine = Machine(self.plan, self.calendars.calendars, size=self.source)
        self._known = known_times(self.calendars)
        self._shifts = noon_shifts(self.calendars.calendars, self.source)

    def compute(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the outputs of sorted candles, row by row, in their order."""
        columns = self.plan.columns
        types = output_types(columns, self.plan.kinds)
        empty = pl.DataFrame(schema=dict(zip(columns, types, strict=True)))
        outputs = [part for block in frame_blocks(frame) for part in self._feed(block)]
        return pl.concat([empty, *outputs], rechunk=False)

    def _feed(self, block: Block) -> list[pl.DataFrame]:
        """Return the outputs of the block's rows, in frames, in the block's order."""
        if self.plan.anchors or self.plan.moments:
            self._note_unknown(block)
        parts = split_evenly(block.candles.offsets, self.threads)
        return in_parallel(self.pool, [partial(self._run_part, block, part) for part in parts])

    def warnings(self) -> list[str]:
        """Return what a caller who gets only the values must know."""
        if self.failures:
            return [failure_text(self.failures)]
        return [quarantine_text(self.unknown)] if self.unknown else []

    def _note_unknown(self, block: Block) -> None:
        """Note rows whose session no calendar knows, and instruments that have no others."""
        candles, calendar_of = block.candles, self.calendars.indices(block.names)
        for i in np.flatnonzero(calendar_of < 0).tolist():
            self.failures.setdefault(block.names[i], NO_CALENDAR)
        codes = self._known.wrong(calendar_of, candles.offsets, candles.timestamp, END_OF_TIME)
        if codes is None:
            return
        self.unknown += [frame for _, frame in wrong_rows(block, codes)]
        wrong = np.concatenate(([0], np.cumsum(codes != RIGHT)))[candles.offsets]
        none_right = (np.diff(wrong) == np.diff(candles.offsets)) & (np.diff(wrong) > 0)
        for i in np.flatnonzero(none_right).tolist():
            moment = int(candles.timestamp[candles.offsets[i]])
            why = calendar_problem(self.calendars, int(calendar_of[i]), moment)
            self.failures.setdefault(block.names[i], why)

    def _run_part(self, block: Block, part: slice) -> pl.DataFrame:
        names, candles = block.names[part], block.candles.part(part)
        inputs = {name: getattr(candles, name) for name in NUMBERS}
        calendar_of, times, offsets = None, candles.timestamp, candles.offsets
        if self.plan.anchors or self.plan.moments:
            calendar_of = self.calendars.indices(names)
            times = dated_times(times, offsets, calendar_of, self._shifts)
        matrix, small = self._machine.room(len(times))
        states = self._machine.new_states(len(names))
        failures = self._machine.fill(states, offsets, inputs, matrix, times, calendar_of, small)
        self.failures.update({names[f.instrument]: f.reason for f in failures})
        columns = output_columns(self.plan, matrix, small)
        return pl.DataFrame(columns, schema=list(self.plan.columns))
