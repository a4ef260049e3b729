"""Where the bars of a run go: for each timeframe a run, a sink and a report."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from tallow.data.coverage.provisional import NONE_PROVISIONAL, provisional_bars
from tallow.data.output_zone import in_zone
from tallow.data.reading.candles import ReadReport
from tallow.data.reading.stamps import IF_READ, outside_hint
from tallow.data.spill import Spill
from tallow.plan.plan import Plan
from tallow.runtime.batch import BarOptions, BarRun
from tallow.runtime.blocks import Block
from tallow.runtime.cross import add_phases
from tallow.runtime.ranges import Range
from tallow.runtime.results import RunReport, raise_if_all_failed, raise_if_all_refused
from tallow.runtime.universes import MemberCut
from tallow.runtime.why_empty import why_no_bar, with_universe

Progress = Callable[[int, int], None]
"""Called with the candles done and the candles in all; raise in it to cancel."""

Reports = dict[str, RunReport]
"""Each timeframe's report, by its text."""


class Sink(Protocol):
    """Where bars go: entered before the first frame, left with the error if there is one.

    `finish` says that no more come; what can fail, fails there, and not where it is left.
    """

    def __enter__(self) -> Sink: ...
    def write(self, frame: pl.DataFrame) -> None: ...  # noqa: D102 - the class says it
    def finish(self) -> None: ...  # noqa: D102
    def __exit__(self, *error: Any) -> None: ...


@dataclass(frozen=True)
class Job:
    """What to compute, and where it goes.

    Attributes
    ----------
    options
        Of the bars of each timeframe; they differ in nothing else.
    open
        Makes the sink for a timeframe's bars, of which the first are given, perhaps none; called
        again where one way of reading is given up for the next.
    spill_folder
        Where bars may be sorted on disk; None: in memory only.
    output_zone
        By whose clocks the times of bars are; UTC if None.
    peers
        The instruments that others may be compared with; by default, those with a bar.
    """

    plan: Plan
    options: Sequence[BarOptions]
    wanted: Range
    open: Callable[[str, pl.DataFrame], Sink]
    progress: Progress | None = None
    pool: Executor | None = None
    threads: int = 1
    spill_folder: Path | None = None
    output_zone: str | None = None
    peers: Collection[str] | None = None

    def pick(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the rows that bars are made of: all, where instruments are compared."""
        return frame if self.plan.phases else self.wanted.pick(frame)

    def count(self, instruments: int, known: Collection[str]) -> int:
        """Return of how many of an input's instruments, which are `known`, bars are made."""
        return instruments if self.plan.phases else self.wanted.count(instruments, known)

    def new_runs(self, has_interest: bool) -> list[BarRun]:
        """Return a run a timeframe, over candles that have open interest, or have none."""
        return [
            BarRun(self.plan, each, self.pool, self.threads, has_interest) for each in self.options
        ]


class FrameList:
    """A sink that keeps the bars in memory."""

    def __init__(self, first: pl.DataFrame) -> None:
        self._frames: list[pl.DataFrame] = []
        self._first = first

    def frame(self) -> pl.DataFrame:
        """Return all bars as one frame."""
        if len(self._frames) == 1:
            return self._frames[0]
        return pl.concat(self._frames, rechunk=False) if self._frames else self._first.clear()

    def __enter__(self) -> FrameList:
        return self

    def write(self, frame: pl.DataFrame) -> None:
        """Take the next frame."""
        self._frames.append(frame)

    def finish(self) -> None:
        """Keep what was taken."""

    def __exit__(self, *_: object) -> None:
        """Keep what was taken."""


class Outputs:
    """The bars of one attempt: of each timeframe a run and its output, fed with the same blocks."""

    def __init__(self, job: Job, has_interest: bool, count_rows: Callable[[], int]) -> None:
        self._job, self._count_rows, self._stack = job, count_rows, ExitStack()
        self._all = [_Output(job, run, self._stack) for run in job.new_runs(has_interest)]
        shortest = min(self._all, key=lambda each: each.run.options.timeframe.minutes or math.inf)
        self._shortest, size = shortest, shortest.run.options.timeframe
        self._longer = [
            each
            for each in self._all
            if each is not shortest
            and size.unit == each.run.options.source.unit == "minute"
            and each.run.options.timeframe.can_be_built_from(size)
        ]

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    @property
    def revised(self) -> bool:
        """Whether an instrument failed after bars of it had been written."""
        return any(each.run.revised for each in self._all)

    def feed(self, blocks: Sequence[Block]) -> None:
        """Write the bars that blocks complete; of the shortest ones the longer ones are made."""
        parts = self._shortest.run.run(blocks)
        for each in self._all:
            run = each.run
            if each in self._longer:
                each.write(run.join(blocks, parts))
            elif each is self._shortest:
                each.write(run.frames(parts))
            else:
                each.write(run.feed(*blocks))

    def spill(self, block: Block) -> None:
        """Keep the bars that a block completes, to be sorted when no more come."""
        for each in self._all:
            each.spill(each.run.feed(block))

    def sort_spilled(self) -> None:
        """Write the bars that were kept, and those that are open still."""
        for each in self._all:
            each.spill(each.run.finish())
            each.write_spilled()

    def show_progress(self, rows: int) -> None:
        """Tell the caller how many candles are done, of how many."""
        if self._job.progress is not None:
            self._job.progress(rows, self._count_rows())

    def finished(self, read: ReadReport, quarantine: pl.DataFrame, names: set[str]) -> Reports:
        """Return the reports; then all bars are where they go, or none are."""
        reports = {
            each.run.options.timeframe.text: each.finished(read, quarantine, names)
            for each in self._all
        }
        for each in self._all:
            each.finish()
        return reports


class _Output:
    """The bars of a timeframe: cut to the range, counted, and handed to the sink.

    The sink is opened at the first frame, whose columns are then those of all; `stack` leaves it.
    Where instruments are compared, bars wait for those of all.
    """

    def __init__(self, job: Job, run: BarRun, stack: ExitStack) -> None:
        self.run, self._job, self._stack = run, job, stack
        self._sink: Sink | None = None
        self._spill: Spill | None = None
        self._waiting: list[pl.DataFrame] | None = [] if job.plan.phases else None
        self._bars = 0
        self._assumed = provisional_bars(run.options.calendars, run.options.timeframe)
        self._provisional: list[pl.DataFrame] = []
        universe = job.wanted.universe
        self._members = None if universe is None else MemberCut(universe, run.options.calendars)

    def _cut(self, bars: pl.DataFrame) -> pl.DataFrame:
        """Return the bars of the range asked for, and of members where a universe is."""
        bars = self._job.wanted.cut(bars, self.run.options.calendars)
        return bars if self._members is None else self._members.cut(bars)

    def write(self, frames: Iterable[pl.DataFrame]) -> None:
        """Write the bars of the range asked for."""
        if self._waiting is not None:
            self._waiting += frames
            return
        for frame in map(self._cut, frames):
            sink = self._sink or self._open(frame)
            if len(frame):
                self._bars += len(frame)
                if len(assumed := self._assumed.among(frame)):
                    self._provisional.append(assumed)
                sink.write(in_zone(frame, self._job.output_zone))

    def spill(self, frames: Iterable[pl.DataFrame]) -> None:
        """Keep the bars of the range asked for, for `write_spilled` to sort."""
        if self._spill is None:
            assert self._job.spill_folder is not None
            self._spill = self._stack.enter_context(Spill(self._job.spill_folder))
        for frame in frames if self._waiting is not None else map(self._cut, frames):
            self._spill.add(frame)

    def write_spilled(self) -> None:
        """Write the bars that were kept."""
        assert self._spill is not None
        self.write(map(self.run.corrected, self._spill.sorted_frames()))

    def finished(self, read: ReadReport, quarantine: pl.DataFrame, names: set[str]) -> RunReport:
        """Return the run's report; without a single bar, the sink gets an empty frame's columns."""
        raise_if_all_refused(read, self.run.counts, self.run.quarantine(quarantine))
        self._write_compared()
        if self._sink is None:
            self._open(self.run.empty_frame())
        wanted = self._job.wanted
        wanted.check_found(names)
        raise_if_all_failed(self.run.failures, self._job.count(read.instruments, names))
        provisional = pl.concat(self._provisional) if self._provisional else NONE_PROVISIONAL
        report = report_of_run(self.run, read, quarantine, self._bars, provisional)
        if self._members is None or wanted.names is None:
            return report
        return with_universe(report, self._members.report(wanted.names, names))

    def _write_compared(self) -> None:
        """Write the bars that waited for those of all instruments."""
        if self._waiting is not None:
            whole = pl.concat([self.run.empty_frame(), *self._waiting])
            job = self._job
            how = (job.plan, self.run.options.calendars, self.run.options.timeframe)
            compared, failures = add_phases(whole, *how, known=job.peers)
            self.run.failures.update(failures)
            self._waiting = None
            self.write([self._job.wanted.pick(compared)])

    def finish(self) -> None:
        """Let the sink end its work."""
        if self._sink is not None:
            self._sink.finish()

    def _open(self, first: pl.DataFrame) -> Sink:
        first = in_zone(first, self._job.output_zone)
        sink = self._job.open(self.run.options.timeframe.text, first)
        self._sink = self._stack.enter_context(sink)
        return self._sink


def report_of_run(
    run: BarRun, read: ReadReport, quarantine: pl.DataFrame, bars: int, provisional: pl.DataFrame
) -> RunReport:
    """Return what became of the candles of a run that has ended."""
    run.counts.check()
    counts, assumed = run.counts, provisional_bars(run.options.calendars, run.options.timeframe)
    hint = ""
    if counts.outside_session:
        hint = run.stamps.hint(IF_READ) or outside_hint(counts.rows, counts.outside_session)
    return RunReport(
        read,
        counts,
        bars,
        run.failures,
        run.quarantine(quarantine),
        provisional,
        assumed.sentence(provisional),
        hint,
        why_empty=why_no_bar(read, counts, bars, bool(run.failures), run.options.calendars),
    )
