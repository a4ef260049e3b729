"""Batch runs: blocks of candles in, frames of bars with indicators out.

A history is only a longer stream: a block may hold whole instruments or the next stretch of many,
and the kernels' states carry over. Each block's instruments are shared among threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.timeframe import Timeframe, require_multiple
from tallow.data import aggregate as bars
from tallow.data.anchors import anchor_columns, anchor_table
from tallow.data.buckets import bucket_table
from tallow.data.schema import TIME_TYPE
from tallow.plan.plan import Plan
from tallow.runtime.blocks import Block, empty_block
from tallow.runtime.operations import (
    Floats,
    States,
    Times,
    fresh_states,
    in_parallel,
    run_operations,
    split_evenly,
    to_series,
)

PRICES = ("open", "high", "low", "close", "volume")
BAR_COLUMNS = (
    "instrument",
    "timestamp",
    *PRICES,
    "open_interest",
    "candles",
    "is_final",
)
"""Columns of bars before the indicators; `open_interest` only where the candles have it."""

NO_CALENDAR = 'calendar: the mapping does not name this instrument; add it, or "*" for all others'
_NO_CALENDAR = 6.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NeedsWholeInputError(Exception):
    """A stream meets rows that only the whole input can settle, such as a step back in time."""


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

    def check(self) -> None:
        """Assert that no candle is unaccounted for."""
        parts = (self.in_bars, self.outside_session, self.no_trade, self.off_grid, self.failed)
        assert self.rows == sum(parts), self


@dataclass(frozen=True)
class BarOptions:
    """What kind of bars to build.

    `as_of`, in microseconds since 1970 UTC, decides what is final; by default, for each instrument,
    the end of its last row.
    """

    timeframe: Timeframe
    source: Timeframe
    calendars: CalendarAssignment
    no_trade: bars.NoTrade = "drop"
    as_of: int | None = None


@dataclass
class BarRun:
    """One run over blocks: the states of its instruments, and its counts.

    `failures` holds, per instrument, why it has no values; the others are not affected.
    """

    plan: Plan
    options: BarOptions
    pool: Executor | None = None
    threads: int = 1
    counts: Counts = field(default_factory=Counts)
    failures: dict[str, str] = field(default_factory=dict)
    off_grid: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        options = self.options
        require_multiple(options.timeframe, options.source)
        calendars = options.calendars.calendars
        self._buckets = bucket_table(calendars, options.timeframe, options.source)
        self._anchors = anchor_table(calendars) if self.plan.anchors else None
        self._states = States([bars.new_state, *fresh_states(self.plan)])
        self._closed: set[str] = set()
        self._scratch = [bars.Scratch() for _ in range(self.threads)]

    def feed(self, block: Block) -> list[pl.DataFrame]:
        """Run one block; return the bars that are complete, in frames, in the block's order.

        Raises
        ------
        NeedsWholeInputError
            If the block holds rows before, or at, an instrument's last one.
        """
        if not block.names:
            return []
        states = self._states.take(block.names)
        self._check_order(block, states[0])
        parts = split_evenly(block.candles.offsets, self.threads)
        jobs = [
            lambda k=k, part=part: self._run_part(block, part, states, self._scratch[k])
            for k, part in enumerate(parts)
        ]
        frames = [self._account(block, part) for part in in_parallel(self.pool, jobs)]
        self.counts.rows += len(block)
        if block.closing:
            self._closed.update(block.names)
        else:
            self._states.keep(block.names, states)
        return frames

    def finish(self) -> list[pl.DataFrame]:
        """Return the open bars of every instrument whose end was not announced, by name."""
        names = sorted(set(self._states.index) - self._closed)
        frames = self.feed(empty_block(names))
        self.counts.check()
        return frames

    def empty_frame(self) -> pl.DataFrame:
        """Return a frame without rows, with the columns of this run."""
        nothing = bars.aggregate(
            bars.new_state(0),
            empty_block([]).candles,
            np.empty(0, dtype=np.int64),
            True,
            self._buckets,
            self.options.no_trade,
            self._scratch[0],
        )
        frame = _bar_frame([], nothing.bars, np.empty(0, dtype=np.bool_), interest=False)
        return frame.with_columns(pl.lit(None, pl.Float64).alias(n) for n in self.plan.columns)

    def quarantine(self, read: pl.DataFrame) -> pl.DataFrame:
        """Return the rows set aside in reading, and those found off their source's grid here."""
        if not self.off_grid:
            return read
        names, times = zip(*self.off_grid, strict=True)
        found = pl.DataFrame(
            {"instrument": names, "timestamp": times},
            schema={"instrument": pl.String, "timestamp": pl.Int64},
        ).with_columns(pl.col("timestamp").cast(TIME_TYPE), rule=pl.lit("off_grid"))
        return pl.concat([read, found], how="diagonal")

    def _check_order(self, block: Block, state: Floats) -> None:
        offsets, times = block.candles.offsets, block.candles.timestamp
        some = np.flatnonzero(offsets[1:] > offsets[:-1])
        late = some[times[offsets[some]] <= state[some, bars.LAST_TIME]]
        again = len(some) and not self._closed.isdisjoint(block.names)
        if len(late) or again:
            raise NeedsWholeInputError

    def _run_part(
        self, block: Block, part: slice, states: Sequence[Floats], scratch: bars.Scratch
    ) -> _Part:
        names, candles = block.names[part], block.candles.part(part)
        places = self.options.calendars.places(names)
        state = states[0][part]
        state[places < 0, bars.FAILED] = _NO_CALENDAR
        result = bars.aggregate(
            state,
            candles,
            np.maximum(places, 0),
            block.closing,
            self._buckets,
            self.options.no_trade,
            scratch,
        )
        final = self._finality(result.bars, state, block.closing)
        built = result.bars
        inputs: dict[str, Floats] = {name: getattr(built, name) for name in PRICES}
        if self._anchors is not None:
            inputs |= anchor_columns(
                self._anchors, self.plan.anchors, built.timestamp, built.offsets, places
            )
        computed = run_operations(self.plan, [s[part] for s in states[1:]], built.offsets, inputs)
        frame = _bar_frame(names, built, final, len(candles.open_interest) > 0)
        frame = frame.hstack([to_series(n, v) for n, v in computed.columns.items()])
        return _Part(part, places, state, candles, frame, result, computed.failures)

    def _finality(self, built: bars.BarArrays, state: Floats, closing: bool) -> NDArray[np.bool_]:
        if self.options.as_of is not None:
            return built.end <= self.options.as_of
        final = np.ones(len(built.end), dtype=np.bool_)
        if closing:
            # Every earlier bar is followed by a later row of its instrument.
            some = np.flatnonzero(built.offsets[1:] > built.offsets[:-1])
            last = built.offsets[some + 1] - 1
            final[last] = built.end[last] <= state[some, bars.LAST_END]
        return final

    def _account(self, block: Block, part: _Part) -> pl.DataFrame:
        names, failed = block.names[part.where], part.state[:, bars.FAILED] != 0.0
        went = part.result.counts[~failed].sum(axis=0).tolist()
        self.counts.in_bars += went[bars.INSIDE]
        self.counts.outside_session += went[bars.OUTSIDE]
        self.counts.no_trade += went[bars.NO_TRADE]
        self.counts.off_grid += went[bars.MISPLACED]
        self.counts.failed += int(np.diff(part.candles.offsets)[failed].sum())
        self.counts.bars += len(part.frame)
        for i in np.flatnonzero(failed).tolist():
            self.failures.setdefault(names[i], self._reason(part, i))
        for i, why in part.failures.items():
            self.failures.setdefault(names[i], why)
        for row in part.result.off_grid.tolist():
            i = int(np.searchsorted(part.candles.offsets, row, side="right")) - 1
            if not failed[i]:
                self.off_grid.append((names[i], int(part.candles.timestamp[row])))
        return part.frame

    def _reason(self, part: _Part, i: int) -> str:
        code, place = part.state[i, bars.FAILED], int(part.places[i])
        if code == _NO_CALENDAR:
            return NO_CALENDAR
        moment = int(part.state[i, bars.LAST_TIME])
        return _calendar_problem(self.options.calendars, place, moment, code == bars.UNKNOWN)


@dataclass(frozen=True)
class _Part:
    """What one thread made of its share of a block."""

    where: slice
    places: Times
    state: Floats
    candles: bars.CandleArrays
    frame: pl.DataFrame
    result: bars.Aggregated
    failures: dict[int, str]


def _bar_frame(
    names: Sequence[str], built: bars.BarArrays, final: NDArray[np.bool_], interest: bool
) -> pl.DataFrame:
    """Return bars as a frame that owns its memory: the arrays are scratch."""
    which = np.repeat(np.arange(len(names), dtype=np.uint32), np.diff(built.offsets))
    columns = [
        pl.Series("instrument", names, dtype=pl.String).gather(which),
        pl.Series("timestamp", built.timestamp.copy()).cast(TIME_TYPE),
    ]
    columns += [pl.Series(name, getattr(built, name).copy()) for name in PRICES]
    if interest:
        columns.append(to_series("open_interest", built.open_interest.copy()))
    columns.append(pl.Series("candles", built.candles.astype(np.uint32)))
    columns.append(pl.Series("is_final", final))
    return pl.DataFrame(columns)


def _calendar_problem(
    calendars: CalendarAssignment, place: int, moment: int, hours_unknown: bool = False
) -> str:
    calendar = calendars.calendars[place]
    time = _EPOCH + timedelta(microseconds=moment)
    day = time.astimezone(ZoneInfo(calendar.timezone)).date()
    error = calendar.unknown_times_error if hours_unknown else calendar.coverage_error
    return str(error(day))


@dataclass
class RowRun:
    """One run over candles as they are: every row keeps its place, none is dropped."""

    plan: Plan
    calendars: CalendarAssignment
    pool: Executor | None = None
    threads: int = 1
    failures: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._anchors = anchor_table(self.calendars.calendars) if self.plan.anchors else None
        self._states = States(fresh_states(self.plan))

    def feed(self, block: Block) -> list[pl.DataFrame]:
        """Return the outputs of the block's rows, in frames, in the block's order."""
        states = self._states.take(block.names)
        parts = split_evenly(block.candles.offsets, self.threads)
        jobs = [lambda part=part: self._run_part(block, part, states) for part in parts]
        frames = in_parallel(self.pool, jobs)
        if not block.closing:
            self._states.keep(block.names, states)
        return frames

    def _run_part(self, block: Block, part: slice, states: Sequence[Floats]) -> pl.DataFrame:
        names, candles = block.names[part], block.candles.part(part)
        times, offsets = candles.timestamp, candles.offsets
        inputs: dict[str, Floats] = {name: getattr(candles, name) for name in PRICES}
        if self._anchors is not None:
            places = self.calendars.places(names)
            inputs |= anchor_columns(self._anchors, self.plan.anchors, times, offsets, places)
            self._check_covered(names, times, offsets, places)
        computed = run_operations(self.plan, [s[part] for s in states], offsets, inputs)
        self.failures.update({names[i]: why for i, why in computed.failures.items()})
        return pl.DataFrame([to_series(n, v) for n, v in computed.columns.items()])

    def _check_covered(
        self, names: Sequence[str], times: Times, offsets: Times, places: Times
    ) -> None:
        """Record instruments with rows whose session no calendar knows."""
        for i, name in enumerate(names):
            if places[i] < 0:
                self.failures.setdefault(name, NO_CALENDAR)
                continue
            table = self.calendars.calendars[places[i]].sessions()
            ends = times[offsets[i] : offsets[i + 1]][[0, -1]]
            outside = [t for t in ends if not table.covered_from <= t < table.covered_until]
            if outside:
                why = _calendar_problem(self.calendars, int(places[i]), int(outside[0]))
                self.failures.setdefault(name, why)
