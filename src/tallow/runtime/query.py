"""Range queries: the bars of a range of stored candles, with the bits of the whole history.

What is asked again is answered from memory, as long as the store says that nothing has changed.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.limits import QUERY_PLANS, QUERY_RESULT_BYTES
from tallow.core.spec import Spec
from tallow.core.timeframe import Timeframe, require_multiple
from tallow.data.adjust import ADJUSTMENTS
from tallow.data.aggregate import NoTrade
from tallow.data.candles import ReadReport
from tallow.data.snapshots import Snapshots
from tallow.plan.plan import Plan, make_plan
from tallow.runtime.adjusted import AdjustedCandles
from tallow.runtime.batch import BAR_COLUMNS, NO_CALENDAR, BarOptions, BarRun
from tallow.runtime.checkpoints import Validity
from tallow.runtime.ranged import RangeRun, Target
from tallow.runtime.ranges import Range
from tallow.runtime.results import (
    IndicatorSet,
    ProcessingResult,
    RunReport,
    raise_if_all_failed,
)
from tallow.runtime.spans import calendar_buckets, span_of
from tallow.runtime.stored import StoredCandles

if TYPE_CHECKING:
    from tallow.data.store.store import Store

T = TypeVar("T")
Indicators = str | tuple[str | Spec, ...]

_SNAPSHOT_FILE = "snapshots.sqlite"
_RESULT_BYTES = 4_096
"""Roughly what a result takes besides its columns."""
HOUR_US = 3_600 * 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Question:
    """What is asked of a store; `as_of` in microseconds since 1970 UTC, None for now."""

    wanted: Range
    timeframe: Timeframe
    source: Timeframe
    adjustment: str
    indicators: Indicators
    convention: str
    as_of: int | None


class StoreQueries:
    """Answers questions about a store; may be used by several threads."""

    def __init__(
        self,
        store: Store,
        calendars: CalendarAssignment,
        no_trade: NoTrade,
        pool: Executor | None,
        threads: int,
    ) -> None:
        self.store = store
        self._calendars, self._no_trade = calendars, no_trade
        self._pool, self._threads = pool, threads
        self._snapshots = Snapshots(store.state_folder / _SNAPSHOT_FILE)
        self._validity = Validity()
        self._results = ResultMemory()
        self._facts: dict[Hashable, tuple[Hashable, object]] = {}

    def answer(self, question: Question) -> ProcessingResult:
        """Return the bars of a range.

        Raises
        ------
        TallowError
            As `tallow.engine.AnalyticsEngine.query`.
        """
        began, token = time.perf_counter(), self.store.token()
        now = time.time_ns() // 1_000 if question.as_of is None else question.as_of
        # An action that was announced happens some day, without anything being written.
        hour = now // HOUR_US if question.adjustment in ADJUSTMENTS else 0
        key = (question, token, hour)
        kept = self._results.get(key)
        if kept is not None:
            hits, took = len(kept.indicators), time.perf_counter() - began
            return replace(_copied(kept), cache_hits=hits, process_time=took)
        plan = _plan(question.indicators, question.convention)
        frame, report = self._compute(question, plan, token, now)
        took = time.perf_counter() - began
        result = ProcessingResult.of(frame, plan.columns, report, took, "polars")
        self._results.put(key, result, _RESULT_BYTES + int(frame.estimated_size()))
        return _copied(result)

    def _compute(
        self, question: Question, plan: Plan, token: Hashable, now: int
    ) -> tuple[pl.DataFrame, RunReport]:
        require_multiple(question.timeframe, question.source)
        wanted, kind = question.wanted, (question.source.text, question.adjustment)
        candles = self._candles(question, now)
        interest = self._fact(("interest", *kind), token, candles.has_interest)
        options = BarOptions(
            question.timeframe, question.source, self._calendars, self._no_trade, question.as_of
        )
        make_run = partial(BarRun, plan, options, self._pool, self._threads, interest)
        run = RangeRun(plan, options, candles, self._snapshots, self._validity, make_run)
        list_names = partial(self._fact, ("names", *kind), token, candles.names)
        names = sorted(list_names() if wanted.instruments is None else wanted.instruments)
        self._run_by_calendar(run, names, question)
        if not run.seen.issuperset(names):
            wanted.check_found(list_names(), "the store")
        raise_if_all_failed(run.failures, len(names))
        frame = _in_order(run.frames or [make_run().empty_frame()])
        return frame, _report(run, len(frame))

    def _candles(self, question: Question, now: int) -> StoredCandles:
        """Return the candles that a question is about, as one state of the store has them."""
        known_until = self.store.last_received()
        if question.as_of is not None:
            known_until = min(known_until, question.as_of)
        source, adjustment = question.source.text, question.adjustment
        series = (self.store, source, adjustment, known_until, self.store.epoch)
        if adjustment in ADJUSTMENTS:
            return AdjustedCandles(*series, self._calendars, now)
        return StoredCandles(*series)

    def _run_by_calendar(self, run: RangeRun, names: Sequence[str], question: Question) -> None:
        """Compute the bars of all instruments, those of one calendar together."""
        together: dict[int, list[str]] = {}
        for name, place in zip(names, self._calendars.places(names).tolist(), strict=True):
            together.setdefault(place, []).append(name)
        run.failures.update(dict.fromkeys(together.pop(-1, ()), NO_CALENDAR))
        wanted = question.wanted
        for place, group in together.items():
            calendar = self._calendars.calendars[place]
            buckets = calendar_buckets(calendar, question.timeframe, question.source)
            span = span_of(
                buckets, wanted.limits(calendar), wanted.start is None, wanted.end is None
            )
            if span is not None:
                source = calendar_buckets(calendar, question.source, question.source)
                run.add(group, Target(calendar, buckets, source, span))

    def _fact(self, what: Hashable, token: Hashable, ask: Callable[[], T]) -> T:
        """Return what a store's state says, asked once for each state."""
        kept = self._facts.get(what)
        if kept is None or kept[0] != token:
            self._facts[what] = kept = (token, ask())
        return kept[1]  # type: ignore[return-value]


class ResultMemory:
    """Results by question and state of the store, within `QUERY_RESULT_BYTES`; the oldest go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[ProcessingResult, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable) -> ProcessingResult | None:
        """Return a result, or None where it is not known."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: Hashable, result: ProcessingResult, size: int) -> None:
        """Keep a result of `size` bytes, unless it is too large to be kept at all."""
        if size > QUERY_RESULT_BYTES:
            return
        with self._lock:
            self._bytes += size - self._kept.pop(key, (result, 0))[1]
            self._kept[key] = (result, size)
            while self._bytes > QUERY_RESULT_BYTES:
                self._bytes -= self._kept.popitem(last=False)[1][1]


@lru_cache(maxsize=QUERY_PLANS)
def _plan(indicators: Indicators, convention: str) -> Plan:
    return make_plan(indicators, convention, BAR_COLUMNS)


def _copied(result: ProcessingResult) -> ProcessingResult:
    """Return a result whose frame may be changed in place, without a copy of its columns."""
    frame = result.frame.clone()
    return replace(result, frame=frame, indicators=IndicatorSet(frame, tuple(result.indicators)))


def _in_order(frames: Collection[pl.DataFrame]) -> pl.DataFrame:
    """Return bars sorted by instrument and time; of each instrument they come in order."""
    frame = pl.concat(frames, rechunk=False)
    if frame["instrument"].is_sorted():
        return frame
    return frame.sort("instrument", maintain_order=True)


def _report(run: RangeRun, bars: int) -> RunReport:
    rows = run.counts.rows
    read = ReadReport(
        rows_in=rows,
        accepted=rows,
        repeated=0,
        quarantined=0,
        by_rule={},
        sources=("store",),
        ignored_columns=(),
        instruments=len(run.seen),
        first=_instant(run.first),
        last=_instant(run.last),
    )
    return RunReport(read, run.counts, bars, run.failures, run.quarantine)


def _instant(moment: int | None) -> datetime | None:
    return None if moment is None else _EPOCH + timedelta(microseconds=moment)
