"""The bars of questions, made of a store's candles as one of its states has them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.timeframe import require_multiple
from tallow.data.adjust import ADJUSTMENTS
from tallow.data.joins import JoinedHistories
from tallow.data.kernels.aggregate import NoTrade
from tallow.data.reading.schema import OPEN_INTEREST
from tallow.data.snapshots import Snapshots
from tallow.data.store.known import KnownState
from tallow.plan.plan import Plan
from tallow.runtime.adjusted import AdjustedCandles
from tallow.runtime.batch import BarOptions, BarRun
from tallow.runtime.cached_bars import report_of
from tallow.runtime.compared_ranges import bars_by_calendar, compared_bars
from tallow.runtime.questions import Answer, Question
from tallow.runtime.ranged import RangeRun
from tallow.runtime.results import raise_if_all_failed
from tallow.runtime.shared_reads import SharedReads
from tallow.runtime.store_facts import StoreFacts
from tallow.runtime.stored import JoinedCandles, Series, StoredCandles
from tallow.runtime.universes import StoredMembers
from tallow.runtime.why_empty import describe_answer

if TYPE_CHECKING:
    from tallow.data.store.reader import StoreState


@dataclass(frozen=True)
class StoredBars:
    """Makes bars of a store's candles; may be used by several threads."""

    snapshots: Snapshots
    calendars: CalendarAssignment
    no_trade: NoTrade
    pool: Executor | None
    threads: int
    facts: StoreFacts = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", StoreFacts(self.calendars))

    def making(
        self, question: Question, plan: Plan, state: StoreState, now: int, reads: SharedReads | None
    ) -> Generator[None, None, Answer]:
        """Make the bars of a question, with pauses between batches of instruments."""
        require_multiple(question.timeframe, question.source)
        candles = self.candles(question, state, question.now(now))
        if reads is not None:
            known = (question.source, question.adjustment, question.known_at, question.in_effect_at)
            candles = reads.of(candles, (state.token(), *known))
        options = BarOptions(
            question.timeframe, question.source, self.calendars, self.no_trade, question.final_at
        )
        run = self.run(plan, options, candles, self.facts.interest(candles, state))
        members = self._members(question, candles, state)
        given = question.wanted.instruments if members is None else members.names
        is_all = bool(plan.phases) or given is None
        names = sorted(self.facts.names(candles, state) if is_all else given or ())
        if plan.phases:
            frame = yield from compared_bars(run, names, question, self.snapshots)
            if given is not None:
                frame = frame.filter(pl.col("instrument").is_in(sorted(given)))
        else:
            frame = yield from bars_by_calendar(run, names, question)
        run.failures.update(candles.refused)
        self.check(run, names, question, state)
        frame = frame if members is None else members.cut(frame)
        report = report_of(run.read, len(run.seen), run.failures, run.quarantine, len(frame))
        report = replace(report, universe=None if members is None else members.report())
        return frame, describe_answer(report, frame, question, state, self.calendars)

    def _members(
        self, question: Question, candles: JoinedCandles, state: StoreState
    ) -> StoredMembers | None:
        """Return the members of a question's universe; None where it has none."""
        wanted = question.wanted
        if wanted.universe is None:
            return None
        listed, known = state.universes.by_keys(wanted.universe), self.facts.names(candles, state)
        return StoredMembers(wanted, listed, known, candles.joined, self.calendars)

    def candles(self, question: Question, state: StoreState, now: int) -> JoinedCandles:
        """Return the candles that a question is about, as one state of the store has them."""
        known_until = state.last_received()
        if question.known_at is not None:
            known_until = min(known_until, question.known_at)
        series = self.series(state, (question.source.text, question.adjustment), known_until)
        joined = self.facts.joined(state)
        if question.known_at is not None and joined.pieces:
            joined = JoinedHistories.of(state.actions.joins(known_until), self.calendars)
        return _candles_of(series, joined, now)

    def names(self, kind: tuple[str, str], state: StoreState) -> list[str]:
        """Return the instruments that have candles of a source timeframe and an adjustment, sorted.

        Known until the next write.
        """
        # Which actions are in effect does not matter.
        candles = _candles_of(self.series(state, kind), self.facts.joined(state), 0)
        return sorted(self.facts.names(candles, state))

    def candles_known(
        self,
        state: StoreState,
        names: Sequence[str],
        kind: tuple[str, str],
        known_at: int,
        end: int,
    ) -> pl.DataFrame:
        """Return candles before a time as `KnownState` has them, adjusted where that is asked.

        Of actions that had happened before `known_at`.
        """
        series = self.series(state, kind)._replace(store=KnownState(state, known_at))
        candles = _candles_of(series, self.facts.joined(state), known_at - 1)
        return candles.read(names, None, end).drop(OPEN_INTEREST)

    def series(
        self, state: StoreState, kind: tuple[str, str], known_until: int | None = None
    ) -> Series:
        """Return what candles of a source timeframe and an adjustment are read by."""
        known = state.last_received() if known_until is None else known_until
        return Series(state, *kind, known, state.epoch, self.calendars)

    def run(
        self,
        plan: Plan,
        options: BarOptions,
        candles: StoredCandles,
        interest: bool,
        noted: bool = False,
    ) -> RangeRun:
        """Return a run over ranges of candles, which may note states; see `RangeRun.snapshots`."""
        make_run = partial(BarRun, plan, options, self.pool, self.threads, interest)
        run = RangeRun(plan, options, candles, self.snapshots, make_run)
        run.snapshots = {} if noted else None
        return run

    def check(
        self, run: RangeRun, names: Sequence[str], question: Question, state: StoreState
    ) -> None:
        """Raise an error where a name is unknown, or nothing has bars."""
        if not run.seen.issuperset(names):
            known, kind = self.facts.names(run.candles, state), run.candles
            kinds = "" if known else state.other_kinds(kind.timeframe, kind.adjustment)
            asked = replace(question.wanted, universe=None)
            asked.check_found(known, "the store", kinds)
        raise_if_all_failed(run.failures, len(names))


def _candles_of(series: Series, joined: JoinedHistories, now: int) -> JoinedCandles:
    """Return candles, those of an adjustment made by the actions that have happened by `now`."""
    if series.adjustment in ADJUSTMENTS:
        return AdjustedCandles(*series, joined, now)
    return JoinedCandles(*series, joined)
