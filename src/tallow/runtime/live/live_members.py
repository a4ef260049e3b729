"""A universe in a live engine: all candles count, and rows of members are reported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tallow.core.arrays import Ints
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.data.joins import JoinedHistories
from tallow.data.kernels import aggregate as bars
from tallow.data.store.store import Store
from tallow.data.universe import Universe
from tallow.data.universe_files import find_universe
from tallow.data.universe_joins import with_joins
from tallow.runtime.live.bar_rows import BarRows
from tallow.runtime.live.intake import Intake
from tallow.runtime.live.live_state import LiveState
from tallow.runtime.live.updates import LiveReport, UpdateSource
from tallow.runtime.universes import MemberCut, UniverseReport


class LiveMembers:
    """Which rows of a live engine are of members, on the dates of their sessions."""

    def __init__(
        self,
        listed: Universe,
        universe: Universe,
        calendars: CalendarAssignment,
        intake: Intake,
        state: LiveState,
    ) -> None:
        self._listed, self.universe = listed, universe
        self._intake, self._state = intake, state
        self._cut = MemberCut(universe, calendars)
        self._numbers: Ints = np.empty(0, dtype=np.int64)

    def rows(self, rows: BarRows, *, counted: bool = True) -> BarRows:
        """Return the rows of members; the others are `counted`, where they would be reported."""
        numbers = self._numbers_of(rows.instrument)
        calendar_of = self._state.calendar_of[rows.instrument]
        is_member = self._cut.flags(numbers, calendar_of, rows.timestamp, counted=counted)
        return rows if is_member.all() else rows.take(is_member)

    def source(self, given: UpdateSource, *, counted: bool) -> UpdateSource:
        """Return what an update says, with the rows of members."""
        return _MemberRows(given, self, counted)

    def report(self) -> UniverseReport:
        """Return what was left out so far, and which members have no bar yet.

        Rows count where an update has been looked at: those of one row are made only then.
        """
        latest = self._state.timeframes[0].now[0][:, bars.LAST_TIME]
        known = {
            name for name, time in zip(self._intake.names, latest, strict=False) if time > -np.inf
        }
        return self._cut.report(self._listed.instruments, known)

    def _numbers_of(self, instruments: Ints) -> Ints:
        """Return by which numbers the universe knows the engine's instruments."""
        names = self._intake.names
        if len(self._numbers) < len(names):
            new = self.universe.numbers(names[len(self._numbers) :])
            self._numbers = np.concatenate([self._numbers, new])
        found: Ints = self._numbers[instruments]
        return found


def live_members(
    given: str | Path | Universe | None,
    store: Store | None,
    calendars: CalendarAssignment,
    intake: Intake,
    state: LiveState,
) -> LiveMembers | None:
    """Return the members of the universe that a caller means, by the keys of the store.

    None where none is meant. Errors are those of `find_universe`.
    """
    listed = find_universe(given, None if store is None else store.universes)
    if listed is None:
        return None
    universe = listed
    if store is not None:
        listed = store.universes.by_keys(listed)
        joined = JoinedHistories.of(store.actions.joins(), calendars)
        universe = with_joins(listed, joined, calendars)
    return LiveMembers(listed, universe, calendars, intake, state)


@dataclass(frozen=True, slots=True)
class _MemberRows:
    """An update whose rows are those of members."""

    given: UpdateSource
    members: LiveMembers
    counted: bool

    def by_timeframe(self) -> list[BarRows]:
        """Return the rows of each timeframe."""
        return [self.members.rows(each, counted=self.counted) for each in self.given.by_timeframe()]

    def report(self) -> LiveReport:
        """Return the counts."""
        return self.given.report()
