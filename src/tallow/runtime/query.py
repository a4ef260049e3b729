"""Range queries: the bars of a range of stored candles, with the bits of the whole history.

What is asked again is answered from the cache, as far as it is still valid by the store's log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ConflictError, RangeError
from tallow.core.limits import PLANS, QUERY_SPANS, STORE_VIEW_ATTEMPTS
from tallow.core.moments import Moment
from tallow.core.registry import registry
from tallow.core.spec import parse_specs
from tallow.core.time import WEEK_US, now_us
from tallow.core.timeframe import Timeframe, require_multiple
from tallow.data.adjust import ADJUSTMENTS
from tallow.data.kernels.aggregate import NoTrade
from tallow.data.snapshots import Snapshots
from tallow.data.store.location import SNAPSHOT_FILE
from tallow.data.universe import Universe
from tallow.data.universe_files import read_if_file
from tallow.plan.plan import Indicators, Plan, make_plan
from tallow.runtime.bar_frames import BAR_COLUMNS
from tallow.runtime.batch import BarOptions
from tallow.runtime.cache import CachedValue, CacheOutcome, IndicatorCache
from tallow.runtime.cached_bars import (
    CachedBars,
    Kind,
    bars_of,
    extend_or_repair,
    report_of,
    span_of_kind,
)
from tallow.runtime.questions import (
    Asked,
    OneInstrument,
    QueryAnswer,
    Question,
    Ready,
    WholeAnswers,
    may_be_asked_again,
    read_question,
)
from tallow.runtime.results import (
    IndicatorSet,
    ProcessingResult,
    Recipe,
)
from tallow.runtime.run_snapshots import run_identity
from tallow.runtime.shared_reads import SharedReads, side_by_side
from tallow.runtime.spans import calendar_buckets
from tallow.runtime.stored import (
    Changes,
    TrackedCandles,
)
from tallow.runtime.stored_bars import StoredBars
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
        self.store, self.convention = store, convention
        self._calendars, self._no_trade = calendars, no_trade
        self._cache, self._own = cache, object()
        snapshots = Snapshots(store.state_folder / SNAPSHOT_FILE)
        self.bars = StoredBars(snapshots, calendars, no_trade, pool, threads)
        self._changes: dict[Hashable, tuple[Hashable, Changes]] = {}
        self._kinds: dict[Hashable, Kind] = {}
        self._facts = self.bars.facts
        self._known: dict[Asked, Ready] = {}

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
        specs = parse_specs(indicators, self.convention) if text is None else text
        rest = (source, adjustment, read_if_file(universe))
        asked = (names, timeframe, start, end, specs, known_at, final_at, *rest)
        try:
            (frame, report, found), plan = self.answer(asked)
        except RangeError:
            keys = self.store.find_keys(names or ())
            if not keys.notes:
                raise
            asked = (keys.names, *asked[1:])
            (frame, report, found), plan = self.answer(asked)
            report = replace(report, notes=keys.notes)
        if report.why_empty:
            warn_if_empty([report])
        outputs = IndicatorSet(frame, plan.outputs)
        recipe = Recipe(plan, timeframe, self._calendars)
        seconds, hits = time.perf_counter() - began, len(outputs) if found.is_hit else 0
        return ProcessingResult(frame, outputs, report, seconds, recipe, hits)

    def ask_together(
        self, questions: Sequence[Question], state: StoreState, reads: SharedReads
    ) -> list[QueryAnswer]:
        """Return the bars of questions to a state, made side by side from the same reads.

        Of a newer state where history was removed meanwhile.
        """
        asked = [(each, _plan_of(each)) for each in questions]

        def answers(state: StoreState) -> list[QueryAnswer]:
            return self._from_whole(asked, state, reads)

        return self._of_one_state(answers, state)

    def answer(self, asked: Asked, state: StoreState | None = None) -> tuple[QueryAnswer, Plan]:
        """Return an answer with how it came about, and its plan; names are keys.

        Of a state of the store, by default of its newest.
        """
        plan: Plan | None = None

        def answers(state: StoreState) -> list[QueryAnswer]:
            nonlocal plan
            ready = self._ready(asked, state)
            plan = ready.plan
            if ready.one is not None:
                return [self._from_cached(ready, ready.one, state)]
            return self._from_whole([(ready.question, ready.plan)], state)

        (answer,) = self._of_one_state(answers, state or self.store.state())
        assert plan is not None
        return answer, plan

    def _of_one_state(
        self, answers: Callable[[StoreState], list[QueryAnswer]], state: StoreState
    ) -> list[QueryAnswer]:
        """Return answers; again, of a newer state, where history was removed meanwhile."""
        for _ in range(STORE_VIEW_ATTEMPTS):
            found = answers(state)
            is_kept = all(each.outcome is CacheOutcome.HIT for each in found)
            if is_kept or state.view().is_of_one_epoch():
                return found
            state = self.store.state()
        raise ConflictError(
            "query: others keep taking history away from the store; try again later"
        )

    def _ready(self, asked: Asked, state: StoreState) -> Ready:
        """Return a question as it was read in the store's state: the same one is asked again."""
        token, indicators = state.token(), registry()
        known = self._known.get(asked)
        if known is not None and known.token == token and known.indicators is indicators:
            return known
        question = read_question(*asked, self.convention, state.universes)
        plan = _plan_of(question)
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
            make = partial(self.bars.run, kind.plan, kind.options, candles, interest, True)
            if kept is not None:
                longer = extend_or_repair(kept, kind, name, span, candles, make)
                if longer is not None:
                    return longer
            run = make()
            run.add([name], kind.target(span))
            self.bars.check(run, [name], ready.question, state)
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
        kind = (question.source.text, question.adjustment)
        home, changes = self._changes.get(kind, (None, None))
        if changes is None or home != state.home:
            changes = Changes(state.last_received())
            self._changes[kind] = (state.home, changes)
        candles = TrackedCandles(*self.bars.series(state, kind), changes)
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

    def _from_whole(
        self,
        asked: Sequence[tuple[Question, Plan]],
        state: StoreState,
        reads: SharedReads | None = None,
    ) -> list[QueryAnswer]:
        """Return the bars of any questions, all at once."""
        now = now_us()
        revision = (state.token(), *(self._in_effect(each, state, now) for each, _ in asked))

        def calculate(kept: WholeAnswers | None) -> CachedValue[WholeAnswers]:
            if kept is not None and kept.revision == revision:
                return CachedValue(kept, CacheOutcome.HIT)
            making = [self.bars.making(*each, state, now, reads) for each in asked]
            return CachedValue(WholeAnswers(revision, side_by_side(making)), CacheOutcome.MISS)

        # Of this engine alone: its calendars, and which candles count, are part of the answer.
        key = (self._own, *(question for question, _ in asked))
        whole, found, _ = self._cache.get_or_calculate(key, calculate)
        return [QueryAnswer(frame.clone(), report, found) for frame, report in whole.answers]

    def _in_effect(self, question: Question, state: StoreState, now: int) -> int:
        return self._facts.in_effect(question.adjustment, state, question.now(now))


def _plan_of(question: Question) -> Plan:
    return make_plan(question.indicators, question.convention, BAR_COLUMNS)
