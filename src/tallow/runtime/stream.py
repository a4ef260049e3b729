"""Files larger than memory: candles streamed into bars, block by block, in the order they lie in.

Three ways, each tried when the one before meets rows that it cannot take:

1. whole instruments, one after the other: a bar goes out as soon as its instrument has ended;
2. in time order, for all instruments at once: states are kept per instrument, bars are spilled to
   disk and merged at the end;
3. anything else: everything is read, sorted, and run from memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import numpy as np
import polars as pl

from tallow.core.limits import BLOCK_ROWS
from tallow.core.timeframe import Timeframe
from tallow.data.candles import ReadReport
from tallow.data.files import row_count
from tallow.data.merge import settle
from tallow.data.quarantine import count_by_rule, empty_quarantine
from tallow.data.readers import Batch, read_candles, scan_batches
from tallow.data.rules import time_view
from tallow.data.runs import increasing_within, instrument_runs
from tallow.data.spill import Spill
from tallow.data.writers import FrameWriter
from tallow.runtime.batch import BarRun, NeedsWholeInputError
from tallow.runtime.blocks import Block, cut_block, empty_block, frame_blocks, whole_block
from tallow.runtime.ranges import Range
from tallow.runtime.results import RunReport, raise_if_all_failed

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FileJob:
    """What to read, what to compute, and where to write it."""

    paths: Sequence[Path]
    output: Path
    wanted: Range
    make_run: Callable[[], BarRun]
    source: Timeframe
    timezone: str | None
    instrument: str | None
    progress: Progress | None


@dataclass
class _Seen:
    """Counts of a streamed input, gathered as its batches go by."""

    rows_in: int = 0
    accepted: int = 0
    repeated: int = 0
    quarantine: list[pl.DataFrame] = field(default_factory=list)
    sources: dict[str, None] = field(default_factory=dict)
    ignored: dict[str, None] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    first: datetime | None = None
    last: datetime | None = None

    def see(self, batch: Batch, frame: pl.DataFrame, repeated: int, wanted: Range) -> pl.DataFrame:
        """Count a batch, of which `frame` is accepted; return the rows that are wanted of it."""
        self.rows_in += batch.rows_in
        self.accepted += len(frame)
        self.repeated += repeated
        if len(batch.quarantine):
            self.quarantine.append(batch.quarantine)
        self.sources |= dict.fromkeys([batch.source])
        self.ignored |= dict.fromkeys(batch.ignored_columns)
        if len(frame):
            low, high = cast("Any", frame["timestamp"].min()), cast("Any", frame["timestamp"].max())
            self.first = min(self.first or low, low)
            self.last = max(self.last or high, high)
            self.names.update(frame["instrument"].unique())
        return wanted.pick(frame)

    def report(self) -> tuple[ReadReport, pl.DataFrame]:
        quarantine = pl.concat(self.quarantine) if self.quarantine else empty_quarantine()
        report = ReadReport(
            rows_in=self.rows_in,
            accepted=self.accepted,
            repeated=self.repeated,
            quarantined=len(quarantine),
            by_rule=count_by_rule(quarantine),
            sources=tuple(self.sources),
            ignored_columns=tuple(self.ignored),
            instruments=len(self.names),
            first=self.first,
            last=self.last,
        )
        return report, quarantine


def run_files(job: FileJob) -> RunReport:
    """Stream candle files into a file of bars, sorted by instrument and time.

    Peak memory grows with the size of a block, for inputs sorted by instrument or by time.

    Raises
    ------
    CandleInputError, OutputError
        The output is then untouched.
    """
    for way in (_by_instrument, _by_time):
        try:
            return way(job)
        except NeedsWholeInputError:
            continue
    return _from_memory(job)


def _by_instrument(job: FileJob) -> RunReport:
    run, seen = job.make_run(), _Seen()
    with _Output(job, run) as output:
        for block in _whole_instruments(job, seen):
            output.write(run.feed(block))
            output.show_progress(seen.rows_in)
        return output.finished(*seen.report())


def _whole_instruments(job: FileJob, seen: _Seen) -> Iterator[Block]:
    """Cut batches into blocks of whole instruments; each batch's last one is held, as it may go on.

    An instrument larger than a block goes out in pieces.
    """
    held: list[pl.DataFrame] = []
    name, last_time = "", 0
    for batch in _batches(job):
        frame = seen.see(batch, batch.frame, 0, job.wanted)
        if not len(frame):
            continue
        names, offsets = instrument_runs(frame)
        times = time_view(frame)
        follows = names[0] > name or (names[0] == name and times[0] > last_time)
        if not (follows and sorted(set(names)) == names and increasing_within(times, offsets)):
            raise NeedsWholeInputError
        first = 0
        if held or name:
            if names[0] == name:
                held.append(frame.head(int(offsets[1])))
                first = 1
            if names[-1] != name:
                yield _one_instrument(name, held, closing=True)
                held = []
        if len(names) - 1 > first:
            yield cut_block(frame, names, offsets, first, len(names) - 1, closing=True)
        if names[-1] != name:
            held = [frame.slice(int(offsets[-2]))]
        name, last_time = names[-1], int(times[-1])
        if sum(map(len, held)) > BLOCK_ROWS:
            yield _one_instrument(name, held, closing=False)
            held = []
    if name:
        yield _one_instrument(name, held, closing=True)


def _one_instrument(name: str, held: Sequence[pl.DataFrame], closing: bool) -> Block:
    if not held:
        return empty_block([name])
    frame = pl.concat(held, rechunk=True)
    return cut_block(frame, [name], np.array([0, len(frame)]), 0, 1, closing)


def _by_time(job: FileJob) -> RunReport:
    run, seen = job.make_run(), _Seen()
    with _Output(job, run) as output, Spill(job.output.resolve().parent) as spill:
        for batch in _batches(job):
            settled = settle(batch.frame)
            if len(settled.contradicting):
                # Only the whole input shows all rows of a key, and their original text.
                raise NeedsWholeInputError
            frame = seen.see(batch, settled.frame, settled.repeated, job.wanted)
            if len(frame):
                for bars in run.feed(whole_block(frame, closing=False)):
                    spill.add(output.cut(bars))
            output.show_progress(seen.rows_in)
        for bars in run.finish():
            spill.add(output.cut(bars))
        output.write(spill.sorted_frames())
        return output.finished(*seen.report())


def _from_memory(job: FileJob) -> RunReport:
    run = job.make_run()
    candles = read_candles(
        list(job.paths),
        source_timeframe=job.source,
        timezone=job.timezone,
        instrument=job.instrument,
    )
    if job.wanted.instruments is not None:
        job.wanted.check_found(set(candles.frame["instrument"].unique()))
    with _Output(job, run) as output:
        for block in frame_blocks(job.wanted.pick(candles.frame)):
            output.write(run.feed(block))
            output.show_progress(run.counts.rows)
        return output.finished(candles.report, candles.quarantine)


def _batches(job: FileJob) -> Iterator[Batch]:
    return scan_batches(
        job.paths, source_timeframe=job.source, timezone=job.timezone, instrument=job.instrument
    )


class _Output:
    """The output file of one attempt, opened at its first frame, and the counts of its bars."""

    def __init__(self, job: FileJob, run: BarRun) -> None:
        self._job, self._run = job, run
        self._writer: FrameWriter | None = None
        self._schema = pl.Schema()
        self._bars = 0
        self._total = row_count(job.paths)

    def __enter__(self) -> _Output:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.__exit__(kind, error, trace)

    def cut(self, bars: pl.DataFrame) -> pl.DataFrame:
        """Return the bars of the range asked for."""
        return self._job.wanted.cut(bars, self._run.options.calendars)

    def write(self, frames: Iterable[pl.DataFrame]) -> None:
        """Write the bars of the range asked for."""
        for frame in map(self.cut, frames):
            writer = self._writer or self._open(frame.schema)
            if frame.schema != self._schema:
                # A later file brings open interest: every row needs the column.
                raise NeedsWholeInputError
            if len(frame):
                self._bars += len(frame)
                writer.write(frame)

    def show_progress(self, rows: int) -> None:
        """Tell the caller how many candles are done, of how many."""
        if self._job.progress is not None:
            self._job.progress(rows, self._total)

    def finished(self, read: ReadReport, quarantine: pl.DataFrame) -> RunReport:
        """Return the run's report; without a single bar, write an empty file."""
        if self._writer is None:
            self._open(self._run.empty_frame().schema)
        self._run.counts.check()
        raise_if_all_failed(self._run.failures, read.instruments)
        return RunReport(
            read, self._run.counts, self._bars, self._run.failures, self._run.quarantine(quarantine)
        )

    def _open(self, schema: pl.Schema) -> FrameWriter:
        self._schema = schema
        self._writer = FrameWriter(self._job.output, schema).__enter__()
        return self._writer
