"""Batch runs: blocks of candles in, frames of bars with indicators out.

A history is only a longer stream: a block may hold whole instruments or the next rows of many,
and the kernels' states carry over. Each block's instruments are shared among threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import astuple, dataclass, field, replace
from functools import partial

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Floats, Ints
from tallow.core.buffers import BUFFERS
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.limits import THREAD_ROWS
from tallow.core.timeframe import Timeframe, require_multiple
from tallow.data.kernels import aggregate as bars
from tallow.data.kernels.buckets import bucket_table
from tallow.data.kernels.longer import join_shorter, longer_bars
from tallow.data.reading.stamps import StampCounts, StampWatch
from tallow.plan.plan import Plan
from tallow.runtime.bar_frames import BarColumns, bar_arrays, bar_frame, no_bars
from tallow.runtime.blocks import Block, NeedsWholeInputError, empty_block
from tallow.runtime.operations import (
    Failure,
    Machine,
    States,
    in_parallel,
    join_states,
    split_evenly,
)
from tallow.runtime.output_kinds import output_types
from tallow.runtime.parts import Part
from tallow.runtime.row_checks import RowChecks, calendar_problem

NO_CALENDAR = 'calendar: the mapping does not name this instrument; add it, or "*" for all others'
_NO_CALENDAR = 6.0
_BARS = 4
"""Column of an instrument's tally for its bars, after those of `bars.AggregateResult.counts`."""
TALLY_SIZE = _BARS + 1
"""Numbers of a tally, the last of an instrument's states, which no value depends on."""


@dataclass
class Counts:
    """Where the candles of a run went; they add up to `rows`."""

    rows: int = 0
    in_bars: int = 0
    outside_session: int = 0
    no_trade: int = 0
    off_grid: int = 0
    failed: int = 0
    bars: int = 0
    not_covered: int = 0
    forming: int = 0

    def plus(self, others: Counts) -> Counts:
        """Return both together."""
        return Counts(*map(sum, zip(astuple(self), astuple(others), strict=True)))

    def check(self) -> None:
        """Assert that no candle is unaccounted for."""
        parts = (self.in_bars, self.outside_session, self.no_trade, self.off_grid, self.failed)
        assert self.rows == sum(parts) + self.not_covered + self.forming, self


@dataclass(frozen=True)
class BarOptions:
    """What kind of bars to build.

    `final_at`, in microseconds since 1970 UTC, decides what is final; by default, for each
    instrument, the end of its last row.
    """

    timeframe: Timeframe
    source: Timeframe
    calendars: CalendarAssignment
    no_trade: bars.NoTrade = "drop"
    final_at: int | None = None


@dataclass
class BarRun:
    """One run over blocks: the states of its instruments, and its counts.

    Attributes
    ----------
    states
        Of the instruments whose end was not announced: from where their next rows are.
    interest
        Whether the candles have open interest; the bars then have it, too.
    failures
        Why an instrument has no values, by instrument; the others are not affected.
    revised
        An instrument failed after bars of it had been returned: pass these through `corrected`.
    as_arrays
        Bars are made as arrays, and no frames of them.
    """

    plan: Plan
    options: BarOptions
    pool: Executor | None = None
    threads: int = 1
    interest: bool = False
    revised: bool = False
    counts: Counts = field(default_factory=Counts)
    stamps: StampCounts = field(default_factory=StampCounts)
    failures: dict[str, str] = field(default_factory=dict)
    off_grid: list[tuple[str, int]] = field(default_factory=list)
    as_arrays: bool = False

    def __post_init__(self) -> None:
        options = self.options
        require_multiple(options.timeframe, options.source)
        calendars = options.calendars
        buckets = bucket_table(calendars.calendars, options.timeframe, options.source)
        shared = (calendars.calendars, buckets, options.no_trade, options.timeframe)
        self._machine = Machine(self.plan, *shared)
        self.states = States(self._new_states)
        self._closed: set[str] = set()
        self._withdrawn: set[str] = set()
        self._missing: dict[str, set[str]] = {}
        self._checks = RowChecks(calendars, options.source, options.final_at, self.failures)

    def feed(self, *blocks: Block) -> list[pl.DataFrame]:
        """Run blocks of different instruments; return the bars that are complete, in their order.

        `NeedsWholeInputError` if a block holds rows before, or at, an instrument's last one.
        """
        return self.frames(self.run(blocks))

    def frames(self, parts: Sequence[Part]) -> list[pl.DataFrame]:
        """Return the bars of what was run."""
        return [self.corrected(part.frame) for part in parts]

    def run(self, blocks: Sequence[Block]) -> list[Part]:
        """Do as `feed`; return what was made of each share of the blocks."""
        shares: list[tuple[Block, slice, list[Floats]]] = []
        for given in filter(lambda each: each.names, blocks):
            states = self.states.take(given.names)
            block, taken_out = self._checks.pick(given, states[0])
            for name, rows in taken_out.items():
                setattr(self.counts, name, getattr(self.counts, name) + rows)
            self._check_order(block, states[0])
            threads = min(self.threads // len(blocks), len(given) // THREAD_ROWS)
            parts = split_evenly(block.candles.offsets, max(1, threads))
            shares += [(block, part, states) for part in parts]
            self.counts.rows += len(given)
        done = in_parallel(self.pool, [partial(self._run_part, *share) for share in shares])
        for (block, where, states), part in zip(shares, done, strict=True):
            self._account(block.names[where], part)
            if block.closing:
                self._closed.update(block.names[where])
            else:
                self.states.put(block.names[where], join_states([s[where] for s in states]))
        return done

    def join(self, blocks: Sequence[Block], shorter: Sequence[Part]) -> list[pl.DataFrame]:
        """Do as `feed`, for bars that can be built of those that another run made of the blocks.

        Where the bits are the same, they are joined of them: all at once, as a call costs more.
        """
        joined = self._joined([block for block in blocks if block.names], shorter)
        return self.feed(*blocks) if joined is None else [self.corrected(joined)]

    def _joined(self, blocks: Sequence[Block], shorter: Sequence[Part]) -> pl.DataFrame | None:
        """Return the bars of blocks; None where they cannot be joined of shorter ones."""
        names = [name for block in blocks for name in block.names]
        if not (shorter and self._may_join(blocks, names, shorter)):
            return None
        whole = [part.as_bars for part in shorter if part.as_bars is not None]
        if len(whole) < len(shorter):
            return None
        given, buckets = join_shorter(whole), self._machine.buckets
        *own, _ = self._new_states(len(names))
        # What became of the candles, and when the last one ended, is no matter of timeframes.
        own[0][:] = np.concatenate([part.state for part in shorter])
        places = np.concatenate([part.calendar_of for part in shorter])
        size = bars.SCRATCH_NUMBERS * (len(given.candles) + len(names))
        with BUFFERS.lend(size) as memory:
            assert buckets is not None
            built = longer_bars(given, places, buckets, bars.Scratch(memory))
            if built is None:
                return None
            result = replace(shorter[0].result, bars=built)
            made = self._machine.run_bars(own[1:], result, places, small=True)
            final = self._finality(built, own[0], closing=True)
            frame = bar_frame(names, built, final, self.interest, self.plan, made)
            self._account_joined(names, shorter, built)
        self._note_failures(names, made.failures)
        self._closed.update(names)
        return frame

    def _may_join(
        self, blocks: Sequence[Block], names: Sequence[str], shorter: Sequence[Part]
    ) -> bool:
        """Say whether parts hold all rows that their instruments have, and none has failed."""
        rows = sum(len(part.candles.timestamp) for part in shorter)
        return (
            rows == sum(map(len, blocks))
            and all(block.closing for block in blocks)
            and self.states.index.keys().isdisjoint(names)
            and not any(part.state[:, bars.FAILED].any() for part in shorter)
        )

    def _account_joined(
        self, names: Sequence[str], shorter: Sequence[Part], built: bars.BarArrays
    ) -> None:
        """Count what shorter bars' run counted, with these bars."""
        first = 0
        for part in shorter:
            last = first + len(part.state)
            own = replace(built, offsets=built.offsets[first : last + 1])
            result, tally = replace(part.result, bars=own), np.zeros_like(part.tally)
            self.counts.rows += len(part.candles.timestamp)
            self._account(names[first:last], replace(part, result=result, tally=tally, failures=[]))
            first = last

    def corrected(self, built: pl.DataFrame) -> pl.DataFrame:
        """Return bars without those of instruments, and values, that failed later on."""
        if self._withdrawn:
            built = built.filter(~pl.col("instrument").is_in(sorted(self._withdrawn)))
        if not self._missing:
            return built
        return built.with_columns(
            pl.when(~pl.col("instrument").is_in(sorted(names))).then(column).alias(column)
            for column, names in self._missing.items()
        )

    def finish(self) -> list[pl.DataFrame]:
        """Return the open bars of every instrument whose end was not announced, by name."""
        names = sorted(set(self.states.index) - self._closed)
        frames = self.feed(empty_block(names))
        self.counts.check()
        return frames

    def empty_frame(self) -> pl.DataFrame:
        """Return a frame without rows, with the columns of this run."""
        types = output_types(self.plan.columns, self.plan.kinds)
        return no_bars(self.plan.columns, tuple(types), self.interest)

    def quarantine(self, read: pl.DataFrame) -> pl.DataFrame:
        """Return the rows that reading took out, and those that the run did."""
        return self._checks.quarantine(read, self.off_grid)

    def _new_states(self, count: int) -> list[Floats]:
        """Return the states of instruments, and where their candles went: nowhere yet."""
        return [*self._machine.new_states(count), np.zeros((count, TALLY_SIZE))]

    def _check_order(self, block: Block, state: Floats) -> None:
        offsets, times = block.candles.offsets, block.candles.timestamp
        some = np.flatnonzero(offsets[1:] > offsets[:-1])
        late = some[times[offsets[some]] <= state[some, bars.LAST_TIME]]
        again = len(some) and not self._closed.isdisjoint(block.names)
        if len(late) or again:
            raise NeedsWholeInputError

    def _run_part(self, block: Block, part: slice, states: Sequence[Floats]) -> Part:
        rows = int(block.candles.offsets[part.stop] - block.candles.offsets[part.start])
        with BUFFERS.lend(bars.SCRATCH_NUMBERS * (rows + part.stop - part.start)) as memory:
            return self._run_in(bars.Scratch(memory), block, part, states)

    def _run_in(
        self, scratch: bars.Scratch, block: Block, part: slice, states: Sequence[Floats]
    ) -> Part:
        names, candles = block.names[part], block.candles.part(part)
        calendar_of = self.options.calendars.indices(names)
        *own, tally = (each[part] for each in states)
        state, places = own[0], np.maximum(calendar_of, 0)
        state[calendar_of < 0, bars.FAILED] = _NO_CALENDAR
        how = {"closing": block.closing, "small": not self.as_arrays}
        made = self._machine.run(own, candles, places, scratch, **how)
        result, frame = made.result, self.empty_frame()
        given = (self.interest, self.plan, made)
        columns: BarColumns = {}
        if self.as_arrays or len(result.bars.timestamp):
            final = self._finality(result.bars, state, block.closing)
            if self.as_arrays:
                columns = bar_arrays(result.bars, final, *given)
            else:
                frame = bar_frame(names, result.bars, final, *given)
        where = (part, calendar_of, state, tally, candles)
        return Part(*where, frame, columns, result, made.failures)

    def _finality(self, built: bars.BarArrays, state: Floats, closing: bool) -> Flags:
        if self.options.final_at is not None:
            return built.end <= self.options.final_at
        final = np.ones(len(built.end), dtype=np.bool_)
        if closing:
            # Every earlier bar is followed by a later row of its instrument.
            some = np.flatnonzero(built.offsets[1:] > built.offsets[:-1])
            last = built.offsets[some + 1] - 1
            final[last] = built.end[last] <= state[some, bars.LAST_END]
        return final

    def _account(self, names: Sequence[str], part: Part) -> None:
        """Count a part's rows, and recount all earlier rows of an instrument that failed."""
        failed, offsets = np.flatnonzero(part.state[:, bars.FAILED]), part.result.bars.offsets
        went = np.empty((len(part.tally), _BARS + 1), dtype=np.int64)
        went[:, :_BARS] = part.result.counts
        went[:, _BARS] = offsets[1:] - offsets[:-1]
        if len(failed):
            self._take_back(names, part, failed, went)
        part.tally[:] += went
        total = went.sum(axis=0).tolist()
        self.counts.in_bars += total[bars.INSIDE]
        self.counts.outside_session += total[bars.OUTSIDE]
        if total[bars.OUTSIDE] > 0 and self.options.source.unit == "minute":
            self._watch_stamps(part)
        self.counts.no_trade += total[bars.NO_TRADE]
        self.counts.off_grid += total[bars.MISPLACED]
        self.counts.bars += total[_BARS]
        self._note_failures(names, part.failures)
        for failure in part.failures:
            i = failure.instrument
            self.revised |= bool(part.tally[i, _BARS] > went[i, _BARS])
        for row in part.result.off_grid.tolist():
            i = int(np.searchsorted(part.candles.offsets, row, side="right")) - 1
            if i not in failed:
                self.off_grid.append((names[i], int(part.candles.timestamp[row])))

    def _note_failures(self, names: Sequence[str], failures: Sequence[Failure]) -> None:
        """Remember for whom a kernel raised."""
        for failure in failures:
            name = names[failure.instrument]
            self.failures.setdefault(name, failure.reason)
            for column in failure.columns:
                self._missing.setdefault(column, set()).add(name)

    def _take_back(self, names: Sequence[str], part: Part, failed: Ints, went: Ints) -> None:
        """Count all candles of instruments that failed as such, and withdraw their bars."""
        rows, earlier = np.diff(part.candles.offsets), part.tally[failed].astype(np.int64)
        went[failed] = -earlier
        self.counts.failed += int(rows[failed].sum() + earlier[:, :_BARS].sum())
        for i, before in zip(failed.tolist(), earlier, strict=True):
            if names[i] not in self._withdrawn:
                self._withdraw(names[i], self._reason(part, i), bool(before[_BARS]))
            if rows[i]:
                # The kernel stopped at the row that failed; later rows must not come again, either.
                last = part.candles.timestamp[part.candles.offsets[i + 1] - 1]
                part.state[i, bars.LAST_TIME] = last

    def _watch_stamps(self, part: Part) -> None:
        """Look at the instruments that have rows outside of sessions: others cannot be such."""
        watch = StampWatch(self.options.calendars.calendars)
        for i in np.flatnonzero(part.result.counts[:, bars.OUTSIDE]).tolist():
            offsets, index = part.candles.offsets, int(part.calendar_of[i])
            times = part.candles.timestamp[offsets[i] : offsets[i + 1]]
            if index >= 0 and len(times):
                watch.see(times, index)
        self.stamps = self.stamps.plus(watch.counts)

    def _withdraw(self, name: str, reason: str, had_bars: bool) -> None:
        """Take an instrument out of the run, with what it has left there so far."""
        self.failures[name] = reason
        self._withdrawn.add(name)
        self.revised |= had_bars
        self.off_grid = [each for each in self.off_grid if each[0] != name]

    def _reason(self, part: Part, i: int) -> str:
        code, index = part.state[i, bars.FAILED], int(part.calendar_of[i])
        if code == _NO_CALENDAR:
            return NO_CALENDAR
        moment = int(part.state[i, bars.LAST_TIME])
        return calendar_problem(self.options.calendars, index, moment)
