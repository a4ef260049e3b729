"""What the thread that drives the feed sees of it: its state, and how soon bars were visible."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from tallow.core.time import SECOND_US, now_us
from tallow.runtime.live.session import LiveSession
from tallow.runtime.live.tally import LiveStatistics
from tallow.runtime.live.updates import LiveUpdate
from tallow.service.logs import log_event
from tallow.service.measures import Measures

LOOK_SECONDS = 1.0
"""How often the session's statistics are taken: they cost more than a step."""

VISIBLE_SECONDS_MAX = 60.0
"""A row that turns final later than so after its bar's close is a correction, or of the past."""


class FeedWatch:
    """Takes a session's statistics now and then, and times bars from their close.

    Attributes
    ----------
    statistics
        The newest; any thread may look at them.
    is_over
        Whether the feed was read to its end: the statistics are the last ones.
    """

    def __init__(self, session: LiveSession, measures: Measures) -> None:
        self._session, self._measures = session, measures
        self._looked_at = time.monotonic()
        self.statistics: LiveStatistics = session.statistics
        self.is_over = False
        self._said: tuple[bool, str | None, str | None] = (False, None, None)

    def on_step(self, updates: Sequence[LiveUpdate]) -> None:
        """Look at what changed in a step of the session."""
        for update in updates:
            self.note(update)
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self.look()

    def on_step_after_end(self, updates: Sequence[LiveUpdate]) -> None:
        """Look at what changed after the feed was read to its end."""
        if not self.is_over:
            self.look()
            self.is_over = True
            log_event("feed", kind="ended")
        self.on_step(updates)

    def look(self) -> None:
        """Take the session's statistics; for the thread that drives it, or once that has ended."""
        if self.is_over:
            return
        self._looked_at = time.monotonic()
        self.statistics = self._session.statistics
        self._say_changes(self.statistics)

    def _say_changes(self, now: LiveStatistics) -> None:
        """Log that the feed, or what can be written, is otherwise than before."""
        connected, feed_error, store_error = self._said
        health = now.health
        self._said = (health.connected, health.error, now.error)
        if health.connected != connected:
            log_event("feed", kind="connected" if health.connected else "disconnected")
        if health.error != feed_error and health.error is not None:
            self._measures.count("errors/feed")
            log_event("error", kind="feed", text=health.error)
        if now.error != store_error:
            if now.error is None:
                log_event("store", kind="writable")
            else:
                self._measures.count("errors/store")
                log_event("error", kind="store", text=now.error)

    def note(self, update: LiveUpdate) -> LiveUpdate:
        """Count the bars of a change, and time those that have just closed; for any thread."""
        now = now_us()
        for size, rows in update.rows.items():
            self._measures.count(f"bars/{size}", len(rows))
            if not rows.is_final.any():
                continue
            ends = rows.end[rows.is_final]
            recent = ends[ends > now - VISIBLE_SECONDS_MAX * SECOND_US]
            for end, times in zip(*np.unique(recent, return_counts=True), strict=True):
                seconds = max(0.0, (now - int(end)) / SECOND_US)
                self._measures.note(f"visible/{size}", seconds, int(times))
        return update
