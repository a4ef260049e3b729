"""What a session needs of a live engine besides updates: so that nothing of a feed is lost."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import polars as pl

from tallow.data.kernels.rows import TIME_MAX_US, TIME_MIN_US
from tallow.runtime.live.answers import Listener, LiveAnswers
from tallow.runtime.live.clock import clock_time
from tallow.runtime.live.intake import Intake
from tallow.runtime.live.live_state import LiveState
from tallow.runtime.live.tick_intake import TickIntake
from tallow.runtime.live.updates import LiveUpdate
from tallow.runtime.universes import UniverseReport


class SessionSupport:
    """The part of a live engine that a session uses besides updates."""

    _lock: AbstractContextManager[object]
    _state: LiveState
    _intake: Intake
    _ticks: TickIntake
    _answers: LiveAnswers

    def listen(self, listener: Listener) -> None:
        """Call a function with each change from now on, in their order, whoever makes it.

        Parameters
        ----------
        listener
            It is called while the engine is locked, after the change is durable, with what the
            caller gets; of `catch_up`, `advance` and all updates, but not of `peek`. It must be
            short, must not raise, and not ask the engine anything.
        """
        with self._lock:
            self._answers.listeners.append(listener)

    def quarantine(self, rows: pl.DataFrame) -> None:
        """Write rows that a feed could not understand to the store's quarantine.

        Parameters
        ----------
        rows
            Columns of `data.reading.quarantine.QUARANTINE_SCHEMA`, perhaps `reason` and `times`.
            Without a store nothing happens.

        Raises
        ------
        StoreError
            If the store cannot be written.
        """
        with self._lock:
            self._intake.write_quarantine(rows)

    def note_time(self, now: int) -> None:
        """Set the time, in microseconds since 1970 UTC, before an update.

        No bar turns final: `advance` does that, after it. Rows ahead of it are quarantined.
        """
        moment = clock_time(now, TIME_MIN_US, TIME_MAX_US)
        with self._lock:
            self._intake.clock.set(moment)

    def write_running(self) -> LiveUpdate:
        """Write the minutes that ticks still build to the store as they are, before a stop.

        They are written again when they close.

        Raises
        ------
        StoreError
            If the store cannot be written.
        """
        with self._lock:
            waited = self._ticks.write_running()
            return self._answers.frames(self._state.advance(self._state.now).after(waited))

    @property
    def members(self) -> frozenset[str] | None:
        """The instruments that are members of the universe on any date; None without one."""
        found = self._answers.members
        return None if found is None else found.universe.instruments

    @property
    def universe_report(self) -> UniverseReport | None:
        """What the universe left out so far, and whom it names that has no bar; None without."""
        found = self._answers.members
        return None if found is None else found.report()

    @property
    def feed_position(self) -> dict[str, Any] | None:
        """How far a feed had been taken when the state was saved; see `Feed.position`."""
        return self._state.position
