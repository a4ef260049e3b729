"""The answers of a live engine: the changed rows of an update with its counts; the last bars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tallow.core.arrays import Flags
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ParameterError
from tallow.core.timeframe import parse_timeframe
from tallow.data.coverage.provisional import provisional_bars
from tallow.data.kernels import aggregate as bars
from tallow.data.output_zone import require_output_zone
from tallow.data.reading.quarantine import empty_quarantine
from tallow.runtime.live.bar_rows import BarRows, empty_rows, join_rows
from tallow.runtime.live.comparing import Comparing
from tallow.runtime.live.intake import Intake
from tallow.runtime.live.live_members import LiveMembers
from tallow.runtime.live.live_quarantine import quarantine_too_old
from tallow.runtime.live.live_state import LiveState
from tallow.runtime.live.outcome import Outcome
from tallow.runtime.live.timeframe_state import TimeframeState
from tallow.runtime.live.updates import (
    ArrayUpdate,
    LiveReport,
    LiveUpdate,
    Shown,
    UpdateSource,
)

Listener = Callable[[LiveUpdate | ArrayUpdate], object]


class LiveAnswers:
    """Turns outcomes into what an engine's caller gets.

    Attributes
    ----------
    listeners
        Who is given each change, too.
    """

    def __init__(
        self,
        timeframes: Sequence[str],
        state: LiveState,
        intake: Intake,
        calendars: CalendarAssignment,
        output_zone: str | None,
        members: LiveMembers | None = None,
        comparing: Comparing | None = None,
    ) -> None:
        self._timeframes, self._comparing = timeframes, comparing
        self._assumed = {
            size: provisional_bars(calendars, each.size)
            for size, each in zip(timeframes, state.timeframes, strict=True)
        }
        self._state, self._intake, self.members = state, intake, members
        self.output_zone = require_output_zone(output_zone)
        self._shown = self._show()
        self.listeners: list[Listener] = []

    def frames(self, outcome: Outcome) -> LiveUpdate:
        """Return an update as frames, with the changed rows that were deferred before it."""
        return self._frames(self._intake.with_deferred(outcome), counted=True)

    def frames_of(self, outcome: Outcome) -> LiveUpdate:
        """Return as frames what an update would change."""
        return self._frames(outcome, counted=False)

    def _frames(self, outcome: Outcome, *, counted: bool) -> LiveUpdate:
        rows = self._changed_rows(outcome, commit=counted)
        return self._update(_WholeUpdate(rows, self._report(outcome)), counted=counted)

    def one(self, outcome: Outcome | UpdateSource) -> LiveUpdate:
        """Return what one row has changed; that is looked at when it is asked for."""
        if isinstance(outcome, Outcome):
            return self.frames(outcome)
        if self._comparing is not None:
            rows = self._comparing.take(outcome.by_timeframe())
            outcome = _WholeUpdate(rows, outcome.report())
        return self._update(outcome, counted=True)

    def _update(self, source: UpdateSource, *, counted: bool) -> LiveUpdate:
        intake, shown = self._intake, self._shown
        if shown.names is not intake.name_column or shown.interest != intake.has_interest:
            self._shown = shown = self._show()
        if self.members is not None:
            source = self.members.source(source, counted=counted)
        update = LiveUpdate(self._state.revision, source, shown)
        if counted:
            for listener in self.listeners:
                listener(update)
        return update

    def _show(self) -> Shown:
        intake = self._intake
        # The plan is that of all timeframes.
        kinds = self._state.timeframes[0].plan.kinds
        how = (intake.name_column, intake.rank, intake.has_interest, kinds)
        return Shown(*how, self._assumed, self.output_zone)

    def arrays(self, outcome: Outcome) -> ArrayUpdate:
        """Return an update as arrays, with the changed rows that were deferred before it."""
        rows = self._changed_rows(self._intake.with_deferred(outcome))
        found = dict(zip(self._timeframes, rows, strict=True))
        if self.members is not None:
            found = {size: self.members.rows(rows) for size, rows in found.items()}
        provisional = {size: self._marks(size, rows) for size, rows in found.items()}
        report = self._report(outcome)
        update = ArrayUpdate(self._state.revision, found, report, provisional)
        for listener in self.listeners:
            listener(update)
        return update

    def _marks(self, timeframe: str, rows: BarRows) -> Flags:
        assumed = self._assumed[timeframe]
        if not assumed.may_have(rows.timestamp):
            return np.zeros(len(rows.timestamp), dtype=np.bool_)
        return assumed.flags(self._state.calendar_of[rows.instrument], rows.timestamp)

    def latest(self, timeframe: str | None, instruments: Iterable[str] | None) -> pl.DataFrame:
        """Return the last bars of some instruments, or of all."""
        self._intake.check_history()
        state = self._find(timeframe)
        which = np.arange(len(self._intake.names))
        if instruments is not None:
            which = self._intake.known_numbers(instruments)
        rows = state.last_bars(which)
        if self._comparing is not None:
            rows = self._comparing.bars[self._state.timeframes.index(state)].shown(rows)
        if self.members is not None:
            rows = self.members.rows(rows, counted=False)
        return self._show().frame(rows)

    def provisional(self, timeframe: str | None, shown: pl.DataFrame) -> pl.DataFrame:
        """Return which of some bars lie in assumed sessions."""
        return self._assumed[self._find(timeframe).size.text].among(shown)

    def failures(self) -> dict[str, str]:
        """Return why instruments lack values, by their names.

        A kernel raised, the calendar knows no stored row, or what was written cannot be read.
        """
        timeframes, follower = self._state.timeframes, self._intake.follower
        reasons = {n: reason for each in timeframes for n, reason in each.failures.items()}
        if follower is not None:
            for number in self._intake.known_numbers(follower.source.unknown).tolist():
                if not timeframes[0].now[0][number, bars.LAST_TIME] > -np.inf:
                    reasons[number] = (
                        "all stored candles lie on days that the calendar does not know"
                    )
            for number, error in follower.reasons.items():
                reasons[number] = f"behind the store: {error}"
        found = {self._intake.names[number]: reason for number, reason in sorted(reasons.items())}
        compared = [] if self._comparing is None else self._comparing.bars
        return {name: why for each in compared for name, why in each.failures.items()} | found

    def _find(self, timeframe: str | None) -> TimeframeState:
        if timeframe is None and len(self._timeframes) == 1:
            return self._state.timeframes[0]
        text = "" if timeframe is None else parse_timeframe(timeframe).text
        if text not in self._timeframes:
            raise ParameterError(
                f"live: timeframe={timeframe}; must be one of {', '.join(self._timeframes)}"
            )
        return self._state.timeframes[self._timeframes.index(text)]

    def _changed_rows(self, outcome: Outcome, *, commit: bool = True) -> list[BarRows]:
        """Return the rows of each timeframe that an outcome changes, or would change."""
        rows = [
            join_rows(kept) if kept else empty_rows(each.fields)
            for each, kept in zip(self._state.timeframes, outcome.rows, strict=True)
        ]
        if self._comparing is None:
            return rows
        return self._comparing.take(rows) if commit else self._comparing.peek(rows)

    def _report(self, outcome: Outcome) -> LiveReport:
        quarantine = empty_quarantine() if outcome.quarantine is None else outcome.quarantine
        if outcome.too_old:
            late = quarantine_too_old(self._intake.names, outcome.too_old)
            quarantine = pl.concat([quarantine, late], how="diagonal")
        went = (
            outcome.appended,
            outcome.late,
            outcome.revised,
            outcome.deleted,
            outcome.repeated,
            len(quarantine),
        )
        return LiveReport(sum(went), *went, quarantine, self._intake.stamps.hint())


@dataclass(frozen=True, slots=True)
class _WholeUpdate:
    """An update whose rows and counts are there."""

    rows: list[BarRows]
    counts: LiveReport

    def by_timeframe(self) -> list[BarRows]:
        """Return the rows of each timeframe."""
        return self.rows

    def report(self) -> LiveReport:
        """Return the counts."""
        return self.counts
