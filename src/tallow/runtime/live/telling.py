"""What a live engine tells: the rows of an update with its counts, and the last bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Ints
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ParameterError
from tallow.core.timeframe import parse_timeframe
from tallow.data.coverage.provisional import provisional_bars
from tallow.data.kernels import aggregate as bars
from tallow.data.reading.quarantine import empty_quarantine
from tallow.runtime.live.aside import late_rows
from tallow.runtime.live.core import LiveState, Outcome
from tallow.runtime.live.intake import Intake
from tallow.runtime.live.lane import Lane
from tallow.runtime.live.rows import Rows, joined, no_rows
from tallow.runtime.live.updates import ArrayUpdate, LiveReport, LiveUpdate


class Telling:
    """Turns what has changed into what an engine's caller is given."""

    def __init__(
        self,
        timeframes: Sequence[str],
        state: LiveState,
        intake: Intake,
        calendars: CalendarAssignment,
    ) -> None:
        self._timeframes = timeframes
        self._assumed = {
            size: provisional_bars(calendars, lane.timeframe)
            for size, lane in zip(timeframes, state.lanes, strict=True)
        }
        self._state, self._intake = state, intake

    def frames(self, outcome: Outcome) -> LiveUpdate:
        """Return an update as frames, with all that changed before it and was not told."""
        return self.peeked(self._intake.told(outcome))

    def peeked(self, outcome: Outcome) -> LiveUpdate:
        """Return as frames what an update would change."""
        naming = self._naming
        frames = {size: rows.frame(*naming) for size, rows in self._changed_rows(outcome).items()}
        provisional = {size: self._assumed[size].among(frame) for size, frame in frames.items()}
        return LiveUpdate(self._state.revision, frames, self._report(outcome), provisional)

    def arrays(self, outcome: Outcome) -> ArrayUpdate:
        """Return an update as arrays, with all that changed before it and was not told."""
        found = self._changed_rows(self._intake.told(outcome))
        provisional = {size: self._marks(size, rows) for size, rows in found.items()}
        return ArrayUpdate(self._state.revision, found, self._report(outcome), provisional)

    def _marks(self, timeframe: str, rows: Rows) -> Flags:
        assumed = self._assumed[timeframe]
        if not assumed.may_have(rows.timestamp):
            return np.zeros(len(rows.timestamp), dtype=np.bool_)
        return assumed.marks(self._state.places[rows.instrument], rows.timestamp)

    def latest(self, timeframe: str | None, instruments: Iterable[str] | None) -> pl.DataFrame:
        """Return the last bars of some instruments, or of all."""
        self._intake.look()
        lane = self._lane(timeframe)
        which = np.arange(len(self._intake.names))
        if instruments is not None:
            which = self._intake.known(instruments)
        return lane.last(which).frame(*self._naming)

    def provisional(self, timeframe: str | None, shown: pl.DataFrame) -> pl.DataFrame:
        """Return which of some bars lie in assumed sessions."""
        return self._assumed[self._lane(timeframe).timeframe.text].among(shown)

    def failures(self) -> dict[str, str]:
        """Return why instruments lack values, by name.

        A kernel raised, no stored row is covered, or what was written cannot be read.
        """
        lanes, names, follower = self._state.lanes, self._intake.names, self._intake.follower
        reasons = {number: reason for lane in lanes for number, reason in lane.failures.items()}
        if follower is not None:
            for number in self._intake.known(follower.source.unknown).tolist():
                if not lanes[0].now[0][number, bars.LAST_TIME] > -np.inf:
                    reasons[number] = (
                        "all stored candles lie on days that the calendar does not know"
                    )
            for number, error in follower.reasons.items():
                reasons[number] = f"behind the store: {error}"
        return {names[number]: reason for number, reason in sorted(reasons.items())}

    @property
    def _naming(self) -> tuple[pl.Series, Ints, bool]:
        return self._intake.name_column, self._intake.rank, self._intake.has_interest

    def _lane(self, timeframe: str | None) -> Lane:
        if timeframe is None and len(self._timeframes) == 1:
            return self._state.lanes[0]
        text = "" if timeframe is None else parse_timeframe(timeframe).text
        if text not in self._timeframes:
            raise ParameterError(
                f"live: timeframe={timeframe}; must be one of {', '.join(self._timeframes)}"
            )
        return self._state.lanes[self._timeframes.index(text)]

    def _changed_rows(self, outcome: Outcome) -> dict[str, Rows]:
        lanes = self._state.lanes
        return {
            size: joined(kept) if kept else no_rows(lane.fields)
            for size, lane, kept in zip(self._timeframes, lanes, outcome.rows, strict=True)
        }

    def _report(self, outcome: Outcome) -> LiveReport:
        held = empty_quarantine() if outcome.aside is None else outcome.aside
        if outcome.refused:
            late = late_rows(self._intake.names, outcome.refused)
            held = pl.concat([held, late], how="diagonal")
        went = (
            outcome.appended,
            outcome.late,
            outcome.revised,
            outcome.deleted,
            outcome.repeated,
            len(held),
        )
        return LiveReport(sum(went), *went, held, self._intake.stamps.hint())
