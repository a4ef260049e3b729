"""The bars of a range, from as few stored candles as give the bits of the whole history.

Two ways. Where every indicator is a function of its last rows, the range and the rows before it
suffice; how many these are is seen once they are read, and whether anything earlier could show.
Else, and where it could, the run goes on from a snapshot, or begins with the first candle, and
leaves snapshots behind.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from itertools import zip_longest

import numpy as np
import polars as pl

from tallow.core.arrays import Times
from tallow.core.calendars import Calendar
from tallow.core.limits import QUERY_ROWS
from tallow.data.kernels.aggregate import CandleArrays
from tallow.data.reading.known_times import latest_open
from tallow.data.reading.quarantine import empty_quarantine
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import time_view
from tallow.data.reading.stamps import StampCounts
from tallow.data.snapshots import Snapshots
from tallow.plan.plan import Plan
from tallow.runtime.batch import BarOptions, BarRun, Counts
from tallow.runtime.blocks import Block, cut_in_time, empty_block
from tallow.runtime.run_snapshots import RunSnapshots, Snapshot, put_back, take
from tallow.runtime.spans import Buckets, Span
from tallow.runtime.stored import StoredCandles

_ATTEMPTS = 3
"""How often a window's history is looked for further back before the run begins at a snapshot."""
_FURTHER = 4
"""How many times as far back each of these attempts reaches."""
_SNAPSHOTS_BACK = (256, 64)
"""How many bars before the last one states are noted, ascending in time."""


class Need(Enum):
    """What the bars of a range need besides the rows that were read."""

    NOTHING = auto()
    EARLIER_ROWS = auto()
    STATE = auto()


@dataclass(frozen=True)
class Target:
    """What is wanted of the instruments of one calendar."""

    calendar: Calendar
    buckets: Buckets
    source_buckets: Buckets
    span: Span


@dataclass(frozen=True)
class Read:
    """What bars were made from.

    The candles counted; the opens of the first and the last one, in microseconds; the sessions
    whose stamps look like those of the close, or not.
    """

    counts: Counts = field(default_factory=Counts)
    first: int | None = None
    last: int | None = None
    stamps: StampCounts = field(default_factory=StampCounts)

    @classmethod
    def of(cls, run: BarRun, times: Times) -> Read:
        """Return what a run was made from."""
        first, last = (int(times.min()), int(times.max())) if len(times) else (None, None)
        return cls(run.counts, first, last, run.stamps)

    def plus(self, other: Read) -> Read:
        """Return both together."""
        firsts = [each for each in (self.first, other.first) if each is not None]
        lasts = [each for each in (self.last, other.last) if each is not None]
        counts, stamps = self.counts.plus(other.counts), self.stamps.plus(other.stamps)
        return Read(counts, min(firsts, default=None), max(lasts, default=None), stamps)


@dataclass
class RangeRun:
    """Runs over ranges, and what they found.

    Attributes
    ----------
    frames
        Bars of the ranges, in no order of instruments.
    seen
        Instruments that have candles, as far as was looked.
    snapshots
        Where it is a dictionary: states of each instrument to go on from, see `go_on`, ascending;
        the last one has seen all of its candles.
    """

    plan: Plan
    options: BarOptions
    candles: StoredCandles
    file: Snapshots
    make_run: Callable[[], BarRun]
    frames: list[pl.DataFrame] = field(default_factory=list)
    read: Read = field(default_factory=Read)
    failures: dict[str, str] = field(default_factory=dict)
    quarantine: pl.DataFrame = field(default_factory=empty_quarantine)
    seen: set[str] = field(default_factory=set)
    snapshots: dict[str, list[Snapshot]] | None = None

    def add(self, names: Sequence[str], target: Target) -> None:
        """Compute the bars of some instruments."""
        for _ in self.steps(names, target):
            pass

    def steps(self, names: Sequence[str], target: Target) -> Iterator[None]:
        """Do as `add`, and pause after each batch of instruments."""
        rest = list(names)
        if self.plan.history_rows is not None and target.span.start is not None:
            rest = yield from self._by_windows(rest, target)
        if rest:
            yield from self._from_states(rest, target)

    def bars(self) -> pl.DataFrame:
        """Return all bars, sorted by instrument and time; each instrument's come in order."""
        frame = pl.concat(self.frames or [self.make_run().empty_frame()], rechunk=False)
        if frame["instrument"].is_sorted():
            return frame
        return frame.sort("instrument", maintain_order=True)

    # From the rows that windows need

    def _by_windows(self, names: list[str], target: Target) -> Generator[None, None, list[str]]:
        """Return the instruments for which this way does not do."""
        span, back = target.span, self.plan.history_rows or 0
        need_states: list[str] = []
        for _ in range(_ATTEMPTS):
            if not names or back > span.number:
                break
            start = target.buckets.start(span.number - back) if back else span.start
            needs: dict[str, Need] = {}
            for batch in self._batches(names, start, target):
                needs |= self._try_windows(batch, start, target)
                yield
            need_states += [name for name, need in needs.items() if need is Need.STATE]
            names = [name for name, need in needs.items() if need is Need.EARLIER_ROWS]
            back = max(_FURTHER * back, 1)
        return names + need_states

    def _try_windows(
        self, names: Sequence[str], start: int | None, target: Target
    ) -> dict[str, Need]:
        """Keep the bars of the instruments that need nothing else; return what each needs."""
        block, run = self.candles.block(names, start, target.span.end), self.make_run()
        if not len(block):
            return {}
        built = self._feed(run, cut_in_time(block, self._snapshot_cuts(block, target)))
        opens = _times_by_instrument(pl.concat(built))
        needs = {
            name: Need.NOTHING
            if name in run.failures
            else self._need(block.candles.part(slice(i, i + 1)), opens.get(name), target)
            for i, name in enumerate(block.names)
        }
        done = [name for name, need in needs.items() if need is Need.NOTHING]
        if self.snapshots and (not done or block.candles.timestamp[-1] < (target.span.start or 0)):
            # Whether candles of zero volume count may be open still.
            self.snapshots.clear()
        if done and len(done) < len(needs):
            # Seldom, and simpler than taking the others out of the counts.
            block = self.candles.block(done, start, target.span.end)
            run = self.make_run()
            built = run.feed(block)
        if done:
            self._add_run(run, block, built, target)
        return needs

    def _need(self, candles: CandleArrays, opens: Times | None, target: Target) -> Need:
        """Say what is missing for the bars of the range to be those of the whole history.

        What rows before these may still decide is whether a candle of zero volume counts; once one
        has traded, that is settled.
        """
        span, buckets = target.span, target.buckets
        assert span.start is not None
        if candles.timestamp[-1] < span.start:
            return Need.NOTHING
        exact_from = candles.timestamp[0] if opens is None else opens[0]
        if self.options.no_trade == "drop":
            traded = int(np.argmax(candles.volume > 0.0))
            time = int(candles.timestamp[traded])
            if not candles.volume[traded] > 0.0:
                return Need.STATE
            if not buckets.takes(time) or (traded > 0 and span.start <= time):
                return Need.EARLIER_ROWS
            if traded > 0:
                exact_from = buckets.end(buckets.at(time))
        exact = (
            0 if opens is None else np.subtract(*np.searchsorted(opens, [span.first, exact_from]))
        )
        return Need.NOTHING if exact >= (self.plan.history_rows or 0) else Need.EARLIER_ROWS

    # From states

    def _from_states(self, names: Sequence[str], target: Target) -> Iterator[None]:
        months = RunSnapshots(self.file, self.candles, self.plan, self.options, target.calendar)
        begin = target.span.start
        starts = {} if begin is None else months.before(names, begin)
        self.seen.update(starts)
        together: dict[int | None, list[str]] = {}
        for name in names:
            boundary = starts[name].boundary if name in starts else None
            together.setdefault(boundary, []).append(name)
        for boundary, group in together.items():
            batches = list(self._batches(group, boundary, target))
            for batch, following in zip_longest(batches, batches[1:]):
                self.go_on(batch, starts, target, months)
                if following is not None:
                    self.candles.expect(following, boundary, target.span.end)
                yield

    def go_on(
        self,
        names: Sequence[str],
        starts: Mapping[str, Snapshot],
        target: Target,
        months: RunSnapshots | None = None,
    ) -> None:
        """Compute bars from states before one moment on, or from the first candles on.

        Bars that were open at that moment are included; without rows, they are all.
        """
        run, boundary = self.make_run(), None
        if names[0] in starts:
            boundary = starts[names[0]].boundary
            put_back(run.states, names, [starts[name] for name in names])
        block = self.candles.block(names, boundary, target.span.end)
        if len(block):
            self._add_run(run, block, self._run_pieces(run, block, target, months), target)
        elif boundary is not None:
            block = empty_block(names)
            self._add_run(run, block, self._feed(run, [block]), target)

    def _run_pieces(
        self, run: BarRun, block: Block, target: Target, months: RunSnapshots | None
    ) -> list[pl.DataFrame]:
        """Run a block in pieces; keep states between them; return the bars that are wanted."""
        if months is None:
            return self._feed(run, [block])
        times, start = block.candles.timestamp, target.span.start
        cuts = months.between(int(times.min()), int(times.max()) if start is None else start)
        pieces = cut_in_time(block, [*cuts, *self._snapshot_cuts(block, target, cuts)])
        built: list[pl.DataFrame] = []
        left: list[tuple[str, Snapshot]] = []
        for piece, cut in zip(pieces, cuts, strict=False):
            frames = run.feed(piece)
            made = take(run.states, piece.names, cut)
            left += [each for each in made if each[0] not in run.failures]
            if start is None:
                built += frames
        months.put(left)
        return built + self._feed(run, pieces[len(cuts) :])

    # Both

    def _snapshot_cuts(self, block: Block, target: Target, cuts: Sequence[int] = ()) -> list[int]:
        """Return where to note states, after the span's begin and after other cuts."""
        if self.snapshots is None:
            return []
        begin = max(int(block.candles.timestamp[0]), target.span.start or 0, *cuts[-1:])
        buckets = target.buckets
        newest = buckets.before(int(block.candles.timestamp[-1]) + 1)
        numbers = [number for back in _SNAPSHOTS_BACK if (number := newest - back) >= 0]
        return [cut for cut in map(buckets.start, numbers) if cut > begin]

    def _feed(self, run: BarRun, pieces: Sequence[Block]) -> list[pl.DataFrame]:
        """Run pieces to their end; note the states between them, and before the last bar closes."""
        if self.snapshots is None:
            return [frame for piece in pieces for frame in run.feed(piece)]
        built: list[pl.DataFrame] = []
        for piece in pieces:
            built += run.feed(replace(piece, closing=False))
            for name, snapshot in take(run.states, piece.names):
                self.snapshots.setdefault(name, []).append(snapshot)
        return built + run.feed(empty_block(pieces[-1].names))

    def _batches(
        self, names: Sequence[str], start: int | None, target: Target
    ) -> Iterator[list[str]]:
        """Cut a list of instruments so that the candles of each part fit in memory.

        The calendar says how many these are between the ends of the store; where these are not
        known, the log says where instruments begin.
        """
        source, (first, final) = target.source_buckets, self.candles.ends
        last = source.before(target.span.end or max(final + 1, start or 0))
        most = last - source.before(start or first or 0)
        begins: dict[str, int] = {}
        if start is None and first is None and len(names) * most > QUERY_ROWS:
            begins = self.candles.changed_between(names, 0)
        batch: list[str] = []
        held = 0
        for name in names:
            rows = last - source.before(begins[name]) if name in begins else most
            if batch and held + rows > QUERY_ROWS:
                yield batch
                batch, held = [], 0
            batch.append(name)
            held += rows
        yield batch

    def _add_run(
        self, run: BarRun, block: Block, built: Sequence[pl.DataFrame], target: Target
    ) -> None:
        """Keep what a run over all of a block gave."""
        span = target.span
        some = [frame for frame in built if len(frame)] or built[:1]
        wanted = run.corrected(some[0] if len(some) == 1 else pl.concat(some))
        opens = time_view(wanted)
        inside = (opens >= span.first) & (opens < span.last)
        if not inside.all():
            wanted = wanted.filter(inside)
        self.frames.append(self._with_finality(wanted, target))
        run.counts.check()
        self.read = self.read.plus(Read.of(run, block.candles.timestamp))
        self.failures |= run.failures
        self.quarantine = run.quarantine(self.quarantine)
        self.seen.update(block.names)

    def _with_finality(self, built: pl.DataFrame, target: Target) -> pl.DataFrame:
        """Mark bars as final where a later candle, not read for them, shows that they are."""
        span = target.span
        if self.options.final_at is not None or span.end is None or built["is_final"].all():
            return built
        forming = built.filter(~pl.col("is_final"))["instrument"].to_list()
        # A candle that counts: neither ahead of the clock nor beyond what the calendar covers.
        until = min(latest_open() + 1, int(target.buckets.table.covered_until[0]))
        ended = self.candles.traded_after(forming, span.end, until) if span.end < until else []
        return built.with_columns(pl.col("is_final") | pl.col("instrument").is_in(ended))


def _times_by_instrument(built: pl.DataFrame) -> dict[str, Times]:
    """Return the opens of each instrument's bars."""
    names, offsets = instrument_runs(built)
    parts = np.split(time_view(built), offsets[1:-1])
    return dict(zip(names, parts, strict=False))
