"""Range queries: the bars of a range of stored candles, with the bits of the whole history.

What is asked again is answered from the cache, as far as it is still valid by the store's log.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ConflictError, RangeError
from tallow.core.limits import PLANS, QUERY_SPANS, STORE_VIEW_ATTEMPTS
from tallow.core.moments import Moment
from tallow.core.registry import registry
from tallow.core.spec import parse_specs
from tallow.core.time import WEEK_US, now_us
from tallow.core.timeframe import Timeframe, require_multiple
from tallow.data.adjust import ADJUSTMENTS
from tallow.data.joins import JoinedHistories
from tallow.data.kernels.aggregate import NoTrade
from tallow.data.snapshots import Snapshots
from tallow.data.store.location import SNAPSHOT_FILE
from tallow.data.universe import Universe
from tallow.data.universe_files import read_if_file
from tallow.plan.plan import Indicators, Plan, make_plan
from tallow.runtime.adjusted import AdjustedCandles
from tallow.runtime.bar_frames import BAR_COLUMNS
from tallow.runtime.batch import BarOptions, BarRun
from tallow.runtime.cache import CachedValue, CacheOutcome, IndicatorCache
from tallow.runtime.cached_bars import (
    CachedBars,
    Kind,
    bars_of,
    extend_or_repair,
    report_of,
    span_of_kind,
)
from tallow.runtime.compared_ranges import bars_by_calendar, compared_bars
from tallow.runtime.questions import (
    Asked,
    OneInstrument,
    QueryAnswer,
    Question,
    Ready,
    WholeAnswer,
    may_be_asked_again,
    read_question,
)
from tallow.runtime.ranged import RangeRun
from tallow.runtime.results import (
    IndicatorSet,
    ProcessingResult,
    RunReport,
    raise_if_all_failed,
)
from tallow.runtime.run_snapshots import run_identity
from tallow.runtime.shared_reads import SharedReads
from tallow.runtime.spans import calendar_buckets
from tallow.runtime.store_facts import StoreFacts
from tallow.runtime.stored import Changes, JoinedCandles, StoredCandles, TrackedCandles
from tallow.runtime.universes import StoredMembers
from tallow.runtime.why_empty import describe_answer, warn_if_empty

if TYPE_CHECKING:
    from tallow.data.store.reader import StoreState
    from tallow.data.store.store import Store

RECENT_US = WEEK_US
"""What ends earlier is about the past: it has an entry of its own beside that of the present."""


class StoreQueries:
    """Answers questions about a store; may be used by several threads.

    What is asked of one instrument is cut from its bars in the cache, which go on where
    candles were appended. Other answers are kept whole, for the same question and state of
    the store: those about several instruments, a moment in the past, or adjusted prices.
    """

    def __init__(
        self,
        store: Store,
        calendars: CalendarAssignment,
        convention: str,
        no_trade: NoTrade,
        pool: Executor | None,
        threads: int,
        cache: IndicatorCache,
    ) -> None:
        self.store = store
        self._calendars, self._convention, self._no_trade = calendars, convention, no_trade
        self._pool, self._threads = pool, threads
        self._cache, self._own = cache, object()
        self._snapshots = Snapshots(store.state_folder / SNAPSHOT_FILE)
        self._changes: dict[Hashable, tuple[Hashable, Changes]] = {}
        self._kinds: dict[Hashable, Kind] = {}
        self._facts = StoreFacts(calendars)
        self._known: dict[Asked, Ready] = {}
        self._reads: SharedReads | None = None

    @contextmanager
    def sharing_reads(self) -> Iterator[None]:
        """Let questions that are asked meanwhile read the rows that they have in common once."""
        self._reads = SharedReads()
        try:
            yield
        finally:
            self._reads = None

    def ask(
        self,
        instruments: str | list[str] | None,
        timeframe: str | Timeframe,
        start: Moment | None,
        end: Moment | None,
        indicators: Indicators,
        known_at: str | datetime | None,
        final_at: str | datetime | None,
        source: str | Timeframe,
        adjustment: str,
        universe: str | Path | Universe | None,
    ) -> ProcessingResult:
        """Return the bars of a range; errors are those of `tallow.engine.AnalyticsEngine.query`."""
        began = time.perf_counter()
        names = tuple(instruments) if isinstance(instruments, list) else instruments
        text = indicators if isinstance(indicators, str) else None
        specs = parse_specs(indicators, self._convention) if text is None else text
        rest = (source, adjustment, read_if_file(universe))
        asked = (names, timeframe, start, end, specs, known_at, final_at, *rest)
        try:
            (frame, report, found), columns = self._of_one_state(asked)
        except RangeError:
            keys = self.store.find_keys(names or ())
            if not keys.notes:
                raise
            asked = (keys.names, *asked[1:])
            (frame, report, found), columns = self._of_one_state(asked)
            report = replace(report, notes=keys.notes)
        if report.why_empty:
            warn_if_empty([report])
        outputs, hits = IndicatorSet(frame, columns), len(columns) if found.is_hit else 0
        return ProcessingResult(frame, outputs, report, time.perf_counter() - began, hits)

    def joined(self) -> JoinedHistories:
        """Return which instruments go on where others ended."""
        return self._facts.joined(self.store.state())

    def names(self, source: str, adjustment: str) -> list[str]:
        """Return the instruments that have such candles, sorted; known until the next write."""
        state = self.store.state()
        series = (state, source, adjustment, state.last_received(), state.epoch, self._calendars)
        candles = JoinedCandles(*series, self._facts.joined(state))
        return sorted(self._facts.names(candles, state))

    def _of_one_state(self, asked: Asked) -> tuple[QueryAnswer, tuple[str, ...]]:
        """Return an answer and its outputs; again where history was removed while it was made."""
        for _ in range(STORE_VIEW_ATTEMPTS):
            state = self.store.state()
            ready = self._ready(asked, state)
            if ready.one is not None:
                answer = self._from_cached(ready, ready.one, state)
            else:
                answer = self._from_whole(ready.question, ready.plan, state)
            if answer.outcome is CacheOutcome.HIT or state.view().is_of_one_epoch():
                return answer, ready.plan.outputs
        raise ConflictError(
            "query: others keep taking history away from the store; try again later"
        )

    def _ready(self, asked: Asked, state: StoreState) -> Ready:
        """Return a question as it was read in the store's state: the same one is asked again."""
        token, indicators = state.token(), registry()
        known = self._known.get(asked)
        if known is not None and known.token == token and known.indicators is indicators:
            return known
        question = read_question(*asked, self._convention, state.universes)
        plan = make_plan(question.indicators, question.convention, BAR_COLUMNS)
        ready = Ready(token, indicators, question, plan, self._one(question, plan, state))
        if may_be_asked_again(asked):
            if len(self._known) >= QUERY_SPANS:
                self._known.clear()
            self._known[asked] = ready
        return ready

    # Bars of one instrument

    def _one(self, question: Question, plan: Plan, state: StoreState) -> OneInstrument | None:
        """Return where an answer is kept; None where it is not about the bars of one instrument."""
        names = question.wanted.instruments
        whole = question.final_at is not None or question.wanted.universe is not None
        if names is None or len(names) != 1 or whole or plan.phases:
            return None
        (name,) = names
        calendar = int(self._calendars.indices([name])[0])
        if calendar < 0 or question.adjustment in ADJUSTMENTS:
            return None
        if self._facts.joined(state).among(names):
            return None
        kind = self._kind(question, plan, calendar)
        span = span_of_kind(kind, question.wanted)
        if span is None:
            return None
        interest = self._facts.interest(self._tracked(question, state), state)
        recent = span.end is None or span.end > state.last_received() - RECENT_US
        key = (state.home, question.adjustment, name, kind.identity, interest, recent)
        return OneInstrument(name, kind, span, interest, key)

    def _from_cached(self, ready: Ready, one: OneInstrument, state: StoreState) -> QueryAnswer:
        """Return the bars of one instrument."""
        name, kind, span, interest, key = one
        moment = state.last_received()

        def calculate(kept: CachedBars | None) -> CachedValue[CachedBars]:
            if kept is not None and kept.holds(span, moment):
                return CachedValue(kept, CacheOutcome.HIT)
            candles = self._tracked(ready.question, state)
            make = partial(self._run, kind.plan, kind.options, candles, interest, True)
            if kept is not None:
                longer = extend_or_repair(kept, kind, name, span, candles, make)
                if longer is not None:
                    return longer
            run = make()
            run.add([name], kind.target(span))
            self._check(run, [name], ready.question, state)
            return CachedValue(
                bars_of(run, name, span), CacheOutcome.MISS, keep=not len(run.quarantine)
            )

        kept, found, _ = self._cache.get_or_calculate(key, calculate)
        answer = kept.answers.get(span)
        if answer is None:
            frame = kept.cut(span)
            instruments = int(kept.read.first is not None)
            report = report_of(kept.read, instruments, {}, kept.quarantine, len(frame))
            about = (frame, ready.question, state, self._calendars)
            answer = frame, describe_answer(report, *about)
            kept.keep_answer(span, answer)
        frame, report = answer
        # What the caller does to a frame must not be done to the next caller's.
        return QueryAnswer(frame.clone(), report, found)

    def _tracked(self, question: Question, state: StoreState) -> TrackedCandles:
        """Return a question's candles, once the log was asked what has changed among all."""
        series = (question.source.text, question.adjustment)
        home, changes = self._changes.get(series, (None, None))
        if changes is None or home != state.home:
            changes = Changes(state.last_received())
            self._changes[series] = (state.home, changes)
        candles = TrackedCandles(
            state, *series, state.last_received(), state.epoch, self._calendars, changes
        )
        changes.look(candles)
        return candles

    def _kind(self, question: Question, plan: Plan, place: int) -> Kind:
        sizes = (question.timeframe, question.source)
        key = (*sizes, question.indicators, question.convention, place)
        kind = self._kinds.get(key)
        if kind is None:
            require_multiple(*sizes)
            calendar = self._calendars.calendars[place]
            options = BarOptions(*sizes, self._calendars, self._no_trade)
            identity = (run_identity(plan, options, calendar), plan.columns)
            buckets = calendar_buckets(calendar, *sizes)
            source_buckets = calendar_buckets(calendar, question.source, question.source)
            kind = Kind(plan, options, calendar, buckets, source_buckets, identity)
            if len(self._kinds) >= PLANS:
                self._kinds.clear()
            self._kinds[key] = kind
        return kind

    # Whole answers

    def _from_whole(self, question: Question, plan: Plan, state: StoreState) -> QueryAnswer:
        """Return the bars of any question, all at once."""
        now = now_us() if question.known_at is None else question.known_at
        revision = (state.token(), self._facts.in_effect(question.adjustment, state, now))

        def calculate(kept: WholeAnswer | None) -> CachedValue[WholeAnswer]:
            if kept is not None and kept.revision == revision:
                return CachedValue(kept, CacheOutcome.HIT)
            frame, report = self._compute(question, plan, state, now)
            report = describe_answer(report, frame, question, state, self._calendars)
            return CachedValue(WholeAnswer(revision, frame, report), CacheOutcome.MISS)

        # Of this engine alone: its calendars, and which candles count, are part of the answer.
        whole, found, _ = self._cache.get_or_calculate((self._own, question), calculate)
        return QueryAnswer(whole.frame.clone(), whole.report, found)

    def _compute(
        self, question: Question, plan: Plan, state: StoreState, now: int
    ) -> tuple[pl.DataFrame, RunReport]:
        require_multiple(question.timeframe, question.source)
        candles = self._candles(question, state, now)
        options = BarOptions(
            question.timeframe, question.source, self._calendars, self._no_trade, question.final_at
        )
        run = self._run(plan, options, candles, self._facts.interest(candles, state))
        members = self._members(question, candles, state)
        given = question.wanted.instruments if members is None else members.names
        is_all = bool(plan.phases) or given is None
        names = sorted(self._facts.names(candles, state) if is_all else given or ())
        if plan.phases:
            frame = compared_bars(run, names, question, self._snapshots)
            if given is not None:
                frame = frame.filter(pl.col("instrument").is_in(sorted(given)))
        else:
            frame = bars_by_calendar(run, names, question)
        if isinstance(candles, AdjustedCandles):
            run.failures.update(candles.refused)
        self._check(run, names, question, state)
        frame = frame if members is None else members.cut(frame)
        report = report_of(run.read, len(run.seen), run.failures, run.quarantine, len(frame))
        return frame, replace(report, universe=None if members is None else members.report())

    def _members(
        self, question: Question, candles: JoinedCandles, state: StoreState
    ) -> StoredMembers | None:
        """Return the members of a question's universe; None where it has none."""
        wanted, known = question.wanted, self._facts.names(candles, state)
        if wanted.universe is None:
            return None
        listed = state.universes.by_keys(wanted.universe)
        return StoredMembers(wanted, listed, known, candles.joined, self._calendars)

    def _candles(self, question: Question, state: StoreState, now: int) -> JoinedCandles:
        """Return the candles that a question is about, as one state of the store has them."""
        known_until = state.last_received()
        if question.known_at is not None:
            known_until = min(known_until, question.known_at)
        source, adjustment = question.source.text, question.adjustment
        reads = self._reads
        shared = state if reads is None else reads.of(state, state.epoch)
        series = (shared, source, adjustment, known_until, state.epoch, self._calendars)
        joined = self._facts.joined(state)
        if question.known_at is not None and joined.pieces:
            joined = JoinedHistories.of(state.actions.joins(known_until), self._calendars)
        if adjustment in ADJUSTMENTS:
            return AdjustedCandles(*series, joined, now)
        return JoinedCandles(*series, joined)

    # Both

    def _run(
        self,
        plan: Plan,
        options: BarOptions,
        candles: StoredCandles,
        interest: bool,
        noted: bool = False,
    ) -> RangeRun:
        make_run = partial(BarRun, plan, options, self._pool, self._threads, interest)
        run = RangeRun(plan, options, candles, self._snapshots, make_run)
        run.snapshots = {} if noted else None
        return run

    def _check(
        self, run: RangeRun, names: Sequence[str], question: Question, state: StoreState
    ) -> None:
        """Raise an error where a name is unknown, or nothing has bars."""
        if not run.seen.issuperset(names):
            known, kind = self._facts.names(run.candles, state), run.candles
            kinds = "" if known else state.other_kinds(kind.timeframe, kind.adjustment)
            asked = replace(question.wanted, universe=None)
            asked.check_found(known, "the store", kinds)
        raise_if_all_failed(run.failures, len(names))
