"""Candles streamed into bars, block by block; files in the order of their rows.

Three ways, each tried when the one before meets rows that it cannot take:

1. whole instruments, one after the other: a bar goes out as soon as its instrument has ended;
2. in time order, for all instruments at once: states are kept per instrument, bars are spilled to
   disk and merged at the end (where the bars go to a file);
3. anything else: everything is read, sorted, and run from memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, cast

import polars as pl

from tallow.core.limits import BLOCK_ROWS
from tallow.data.coverage.provisional import NONE_PROVISIONAL, provisional_bars
from tallow.data.reading.assumptions import warn_once
from tallow.data.reading.batches import Batch
from tallow.data.reading.candle_files import CandleFiles
from tallow.data.reading.candles import Candles, ReadReport
from tallow.data.reading.merge import MinuteWatch, deduplicate
from tallow.data.reading.quarantine import count_by_rule, empty_quarantine
from tallow.data.reading.runs import OrderWatch, instrument_runs
from tallow.data.reading.schema import OPEN_INTEREST, time_view
from tallow.data.reading.stamps import IF_READ, outside_hint
from tallow.data.spill import Spill
from tallow.plan.plan import Plan
from tallow.runtime.batch import BarOptions, BarRun
from tallow.runtime.blocks import (
    NeedsWholeInputError,
    frame_blocks,
    group_blocks,
    whole_block,
    whole_instruments,
)
from tallow.runtime.ranges import Range
from tallow.runtime.results import RunReport, raise_if_all_failed, raise_if_all_refused

Progress = Callable[[int, int], None]
"""Called with the candles done and the candles in all; raise in it to cancel."""


class Sink(Protocol):
    """Where bars go: entered before the first frame, left with the error if there is one."""

    def __enter__(self) -> Sink: ...
    def write(self, frame: pl.DataFrame) -> None: ...  # noqa: D102 - the class says it
    def __exit__(self, *error: Any) -> None: ...


@dataclass(frozen=True)
class Job:
    """What to compute, and where it goes.

    Attributes
    ----------
    open
        Makes the sink for bars of a schema; called again where one way of reading is given up for
        the next.
    spill_folder
        Where bars may be sorted on disk; None: in memory only.
    """

    plan: Plan
    options: BarOptions
    wanted: Range
    open: Callable[[pl.Schema], Sink]
    progress: Progress | None = None
    pool: Executor | None = None
    threads: int = 1
    spill_folder: Path | None = None

    def new_run(self, has_interest: bool) -> BarRun:
        """Return a run over candles that have open interest, or have none."""
        return BarRun(self.plan, self.options, self.pool, self.threads, has_interest)


class FrameList:
    """A sink that keeps the bars in memory."""

    def __init__(self) -> None:
        self._frames: list[pl.DataFrame] = []
        self._schema = pl.Schema()

    def open(self, schema: pl.Schema) -> FrameList:
        """Start again."""
        self._frames, self._schema = [], schema
        return self

    def frame(self) -> pl.DataFrame:
        """Return all bars as one frame."""
        if len(self._frames) == 1:
            return self._frames[0]
        return pl.concat(self._frames or [pl.DataFrame(schema=self._schema)], rechunk=False)

    def __enter__(self) -> FrameList:
        return self

    def write(self, frame: pl.DataFrame) -> None:
        """Take the next frame."""
        self._frames.append(frame)

    def __exit__(self, *_: object) -> None:
        """Keep what was taken."""


@dataclass
class _ReadCounts:
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

    def see(self, batch: Batch, frame: pl.DataFrame, repeated: int) -> None:
        """Count a batch, of which `frame` is accepted; the caller adds its instruments."""
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


def run_job(candles: Candles | CandleFiles, job: Job) -> RunReport:
    """Run candles, in memory or in files, into bars, sorted by instrument and time."""
    return run_candles(candles, job) if isinstance(candles, Candles) else run_files(candles, job)


@warn_once
def run_files(files: CandleFiles, job: Job) -> RunReport:
    """Stream candle files into bars, sorted by instrument and time.

    Peak memory grows with the size of a block, for inputs sorted by instrument or by time.
    `TallowError` if the input cannot be read or the bars not be written; nothing is left behind.
    """
    ways = (_run_by_instrument, _by_time) if job.spill_folder else (_run_by_instrument,)
    for way in ways:
        try:
            return way(files, job)
        except NeedsWholeInputError:
            continue
    return run_candles(files.read(), job)


def run_candles(candles: Candles, job: Job) -> RunReport:
    """Run candles that are in memory into bars, sorted by instrument and time."""
    run = job.new_run(OPEN_INTEREST in candles.frame.columns)
    with _Output(job, run, candles.__len__) as output:
        for group in group_blocks(frame_blocks(job.wanted.pick(candles.frame)), 2 * run.threads):
            output.write(run.feed(*group))
            output.show_progress(run.counts.rows)
        names = (
            set() if job.wanted.instruments is None else set(candles.frame["instrument"].unique())
        )
        return output.finished(candles.report, candles.quarantine, names)


def _run_by_instrument(files: CandleFiles, job: Job) -> RunReport:
    run, seen = job.new_run(files.has_interest), _ReadCounts()
    with _Output(job, run, lambda: files.row_count) as output:
        blocks = whole_instruments(_ordered(files, job.wanted, seen), BLOCK_ROWS)
        for group in group_blocks(blocks, 2 * run.threads):
            seen.names.update(name for block in group for name in block.names)
            output.write(run.feed(*group))
            if run.revised:
                # What was written cannot be taken back.
                raise NeedsWholeInputError
            output.show_progress(seen.rows_in)
        return output.finished(*seen.report(), seen.names)


def _ordered(files: CandleFiles, wanted: Range, seen: _ReadCounts) -> Iterator[pl.DataFrame]:
    """Return the rows that are wanted; of the others, too, the order is checked."""
    watch, minutes = OrderWatch(), MinuteWatch()
    for batch in files.batches():
        if not batch.frame["instrument"].is_sorted():
            raise NeedsWholeInputError
        if minutes.is_shared(batch.frame, batch.quarantine):
            raise NeedsWholeInputError
        seen.see(batch, batch.frame, 0)
        if wanted.instruments is not None:
            watch.see(batch.frame)
            if not watch.in_order:
                raise NeedsWholeInputError
            seen.names.update(batch.frame["instrument"].unique())
        yield wanted.pick(batch.frame)


def _by_time(files: CandleFiles, job: Job) -> RunReport:
    run, seen, order = job.new_run(files.has_interest), _ReadCounts(), _TimeOrder()
    minutes = MinuteWatch()
    assert job.spill_folder is not None
    with _Output(job, run, lambda: files.row_count) as output, Spill(job.spill_folder) as spill:
        for batch in files.batches():
            unique = deduplicate(batch.frame)
            is_shared = minutes.is_shared(unique.frame, batch.quarantine)
            if is_shared or len(unique.contradicting):
                # Only the whole input shows all rows of a key, and their original text.
                raise NeedsWholeInputError
            seen.see(batch, unique.frame, unique.repeated)
            seen.names.update(unique.frame["instrument"].unique())
            frame = job.wanted.pick(unique.frame)
            if len(frame) < len(unique.frame):
                order.check(unique.frame)
            if len(frame):
                for bars in run.feed(whole_block(frame, closing=False)):
                    spill.add(output.cut(bars))
            output.show_progress(seen.rows_in)
        for bars in run.finish():
            spill.add(output.cut(bars))
        output.write(map(run.corrected, spill.sorted_frames()))
        return output.finished(*seen.report(), seen.names)


class _TimeOrder:
    """Each instrument's last time. Rows before it may come again, and are counted."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def check(self, frame: pl.DataFrame) -> None:
        """Raise `NeedsWholeInputError` if rows of a unique batch are not after those before."""
        names, offsets = instrument_runs(frame)
        times = time_view(frame)
        firsts, lasts = times[offsets[:-1]].tolist(), times[offsets[1:] - 1].tolist()
        for name, first, last in zip(names, firsts, lasts, strict=True):
            if first <= self._last.get(name, first - 1):
                raise NeedsWholeInputError
            self._last[name] = last


class _Output:
    """The bars of one attempt: cut to the range, counted, and handed to the sink.

    The sink is opened at the first frame, whose columns are then those of all.
    """

    def __init__(self, job: Job, run: BarRun, count_rows: Callable[[], int]) -> None:
        self._job, self._run, self._count_rows = job, run, count_rows
        self._sink: Sink | None = None
        self._bars = 0
        self._assumed = provisional_bars(run.options.calendars, run.options.timeframe)
        self._provisional: list[pl.DataFrame] = []

    def __enter__(self) -> _Output:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._sink is not None:
            self._sink.__exit__(*error)

    def cut(self, bars: pl.DataFrame) -> pl.DataFrame:
        """Return the bars of the range asked for."""
        return self._job.wanted.cut(bars, self._run.options.calendars)

    def write(self, frames: Iterable[pl.DataFrame]) -> None:
        """Write the bars of the range asked for."""
        for frame in map(self.cut, frames):
            sink = self._sink or self._open(frame.schema)
            if len(frame):
                self._bars += len(frame)
                if len(assumed := self._assumed.among(frame)):
                    self._provisional.append(assumed)
                sink.write(frame)

    def show_progress(self, rows: int) -> None:
        """Tell the caller how many candles are done, of how many."""
        if self._job.progress is not None:
            self._job.progress(rows, self._count_rows())

    def finished(self, read: ReadReport, quarantine: pl.DataFrame, names: set[str]) -> RunReport:
        """Return the run's report; without a single bar, the sink gets an empty frame's columns."""
        run = self._run
        raise_if_all_refused(read, run.counts, run.quarantine(quarantine))
        if self._sink is None:
            self._open(self._run.empty_frame().schema)
        run.counts.check()
        self._job.wanted.check_found(names)
        raise_if_all_failed(run.failures, self._job.wanted.count(read.instruments))
        provisional = pl.concat(self._provisional) if self._provisional else NONE_PROVISIONAL
        return RunReport(
            read,
            run.counts,
            self._bars,
            run.failures,
            run.quarantine(quarantine),
            provisional,
            self._assumed.sentence(provisional),
            self._hint(),
        )

    def _hint(self) -> str:
        counts = self._run.counts
        if not counts.outside_session:
            return ""
        return self._run.stamps.hint(IF_READ) or outside_hint(counts.rows, counts.outside_session)

    def _open(self, schema: pl.Schema) -> Sink:
        self._sink = self._job.open(schema).__enter__()
        return self._sink
