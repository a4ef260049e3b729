"""What an engine makes of candles: bars, in frames or files; or the rows with indicators."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import EmptyWarning, warn_caller
from tallow.core.moments import Moment
from tallow.core.timeframe import Timeframe, parse_timeframe, parse_timeframes
from tallow.data.kernels.aggregate import NoTrade
from tallow.data.output_zone import in_zone, require_output_zone
from tallow.data.reading.candle_files import CandleFiles
from tallow.data.reading.candles import Candles
from tallow.data.reading.interchange import to_native
from tallow.data.reading.options import ReadKeywords
from tallow.data.reading.readers import open_candles
from tallow.data.universe import Universe
from tallow.data.writers import FrameWriter, check_outputs
from tallow.plan.plan import Indicators, make_plan
from tallow.runtime.array_run import ArrayResult, run_to_arrays
from tallow.runtime.bar_frames import BAR_COLUMNS
from tallow.runtime.batch import BarOptions
from tallow.runtime.cross import add_phases
from tallow.runtime.outputs import FrameList, Job, Progress, Reports
from tallow.runtime.ranges import Range, moment_us
from tallow.runtime.results import ProcessingResult, Recipe, raise_if_all_failed
from tallow.runtime.stream import run_files, run_job
from tallow.runtime.why_empty import NO_ROW, warn_if_empty

T = TypeVar("T")
Timeframes = str | Timeframe | Iterable[str | Timeframe]


class InputKeywords(ReadKeywords, total=False):
    """What an input leaves out, and how long its candles last."""

    source_timeframe: str | Timeframe | None


class RowKeywords(InputKeywords, total=False):
    """What `tallow.AnalyticsEngine.calculate_indicators` is asked by name."""

    output_zone: str | None


class RunKeywords(RowKeywords, total=False):
    """What `tallow.AnalyticsEngine.process_candles` and `process_files` are asked by name."""

    start: Moment | None
    end: Moment | None
    instruments: str | list[str] | None
    universe: str | Path | Universe | None
    final_at: str | datetime | None
    progress: Progress | None


@dataclass(frozen=True)
class CandleRequests:
    """Answers requests about candles that come with them; may be used by several threads.

    Errors are those of `tallow.AnalyticsEngine`. `final_at` is what the caller gave.
    """

    calendars: CalendarAssignment
    convention: str
    no_trade: NoTrade
    pool: Executor | None
    threads: int

    def to_frames(
        self,
        candles: Any,
        reading: InputKeywords,
        timeframe: Timeframes,
        indicators: Indicators,
        wanted: Range,
        final_at: str | datetime | None,
        progress: Progress | None = None,
        output_zone: str | None = None,
        peers: Collection[str] | None = None,
    ) -> dict[str, ProcessingResult]:
        """Return the bars of each timeframe; `peers` are those of `Job`."""
        began = time.perf_counter()
        read = open_candles(candles, calendar=self.calendars, **reading)
        plan = make_plan(indicators, self.convention, BAR_COLUMNS)
        options = self._options(timeframe, read.source_timeframe, final_at)
        bars: dict[str, FrameList] = {}

        def keep(size: str, first: pl.DataFrame) -> FrameList:
            bars[size] = FrameList(first)
            return bars[size]

        how = (progress, self.pool, self.threads, None, require_output_zone(output_zone), peers)
        job = Job(plan, options, wanted, keep, *how)
        reports = run_job(read, job)
        warn_if_empty(reports.values())
        seconds, native = time.perf_counter() - began, getattr(read, "native", "polars")
        return {
            # Not rechunked: the copy would cost more than the kernels.
            size: ProcessingResult.of(
                bars[size].frame(), Recipe(plan, size, self.calendars), report, seconds, native
            )
            for size, report in reports.items()
        }

    def to_arrays(
        self,
        candles: Any,
        timeframe: str | Timeframe,
        indicators: Indicators,
        reading: InputKeywords,
    ) -> ArrayResult:
        """Return the bars of a timeframe as arrays."""
        read = self._read(candles, reading)
        plan = make_plan(indicators, self.convention, BAR_COLUMNS)
        options = self._options(parse_timeframe(timeframe), read.source_timeframe, None)
        result = run_to_arrays(read, plan, options[0], self.pool, self.threads)
        warn_if_empty([result.report])
        return result

    def to_files(
        self,
        inputs: CandleFiles,
        output: str | Path,
        timeframe: Timeframes,
        indicators: Indicators,
        wanted: Range,
        final_at: str | datetime | None,
        progress: Progress | None,
        output_zone: str | None = None,
    ) -> Reports:
        """Write the bars of each timeframe to a file; return what became of their candles."""
        options = self._options(timeframe, inputs.source_timeframe, final_at)
        paths = check_outputs(output, [each.timeframe.text for each in options])
        plan = make_plan(indicators, self.convention, BAR_COLUMNS)

        def write(size: str, first: pl.DataFrame) -> FrameWriter:
            return FrameWriter(paths[size], first.schema)

        folder = next(iter(paths.values())).parent
        how = (progress, self.pool, self.threads, folder, require_output_zone(output_zone))
        job = Job(plan, options, wanted, write, *how)
        reports = run_files(inputs, job)
        warn_if_empty(reports.values())
        return reports

    def to_rows(self, candles: Any, indicators: Indicators, asked: RowKeywords) -> Any:
        """Return candles with a column per output."""
        from tallow.runtime.row_run import RowRun

        zone = require_output_zone(asked.get("output_zone"))
        reading: Any = {name: value for name, value in asked.items() if name != "output_zone"}
        read = self._read(candles, reading)
        plan = make_plan(indicators, self.convention, read.frame.columns)
        run = RowRun(plan, self.calendars, read.source_timeframe, self.pool, self.threads)
        outputs = run.compute(read.frame)
        raise_if_all_failed(run.failures, read.report.instruments)
        if read.frame.is_empty():
            warn_caller(f"no candles: {NO_ROW}", EmptyWarning)
        for text in run.warnings():
            warn_caller(text)
        shown = read.frame.hstack(outputs)
        if plan.phases:
            shown, failures = add_phases(shown, plan, self.calendars, run.source)
            raise_if_all_failed(failures, read.report.instruments)
        return to_native(in_zone(shown, zone), read.native)

    def _read(self, candles: Any, reading: InputKeywords) -> Candles:
        """Return candles in memory, whatever they come in."""
        opened = open_candles(candles, calendar=self.calendars, **reading)
        return opened if isinstance(opened, Candles) else opened.read()

    def _options(
        self, timeframe: Timeframes, source: Timeframe, final_at: str | datetime | None
    ) -> list[BarOptions]:
        moment = None if final_at is None else moment_us("final_at", final_at)
        return [
            BarOptions(size, source, self.calendars, self.no_trade, moment)
            for size in parse_timeframes(timeframe)
        ]


def as_asked(found: dict[str, T], timeframe: Timeframes) -> T | dict[str, T]:
    """Return what was found of the one timeframe asked for, or by timeframe where several were."""
    return next(iter(found.values())) if isinstance(timeframe, str | Timeframe) else found
