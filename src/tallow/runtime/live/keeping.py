"""What a live engine makes durable beside its updates: rows set aside, and minutes that run."""

from __future__ import annotations

import threading
from typing import Any

import polars as pl

from tallow.runtime.live.core import LiveState
from tallow.runtime.live.intake import Intake
from tallow.runtime.live.telling import Telling
from tallow.runtime.live.ticking import TickIntake
from tallow.runtime.live.updates import LiveUpdate


class Keeping:
    """The part of a live engine that a session needs so that nothing is lost."""

    _lock: threading.RLock
    _state: LiveState
    _intake: Intake
    _ticks: TickIntake
    _telling: Telling

    def set_aside(self, rows: pl.DataFrame) -> None:
        """Put rows that a feed could not understand into the store's quarantine: durable then.

        Parameters
        ----------
        rows
            Columns of `data.reading.quarantine.QUARANTINE_SCHEMA`, with `reason` and `times` where
            there is more to say. Without a store nothing happens.

        Raises
        ------
        StoreError
            If the store cannot be written.
        """
        with self._lock:
            self._intake.set_aside(rows)

    def write_running(self) -> LiveUpdate:
        """Write the minutes that ticks are making to the store as they are, as before an end.

        They go on running, and are written once more when they close.

        Raises
        ------
        StoreError
            If the store cannot be written.
        """
        with self._lock:
            waited = self._ticks.write_running()
            return self._telling.frames(self._state.advance(self._state.now).after(waited))

    @property
    def feed_position(self) -> dict[str, Any] | None:
        """How far a feed had been taken when the state was saved; see `Feed.position`."""
        return self._state.position
