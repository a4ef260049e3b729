"""A live session: a feed's batches into a live engine, with a clock, snapshots and statistics.

One thread drives it. A batch is received, taken by the engine (with a store: durable), and only
then acknowledged; the clock moves on; the state is saved when that is due.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import polars as pl

from tallow.core.errors import StateError, StoreError, TallowError
from tallow.core.limits import LIVE_CATCH_UP_SECONDS, LIVE_SAVE_SECONDS, LIVE_WAIT_SECONDS
from tallow.core.time import BEGIN_OF_TIME, MINUTE_US, SECOND_US, now_us
from tallow.data.feeds.feed import Feed, FeedBatch, FeedEnded
from tallow.data.feeds.replay import ReplayFeed
from tallow.data.kernels.tick_minutes import TIME_FIRST_US
from tallow.data.reading.readers import read_latest
from tallow.data.reading.schema import find_column
from tallow.runtime.live.live_quarantine import quarantine_batch
from tallow.runtime.live.tally import LiveStatistics, Tally
from tallow.runtime.live.updates import LiveUpdate

if TYPE_CHECKING:
    from tallow.data.store.store import Store
    from tallow.runtime.live.live_engine import LiveEngine

Clock = Callable[[], int]

_CLOCK_STEP_US = 100_000
"""The engine's clock is set in such steps at least: it would cost a fast feed time per batch."""

_TICKS_CLOSE_US = 2 * MINUTE_US
"""How long after a tick came, beside the engine's grace, its minute has closed: the minute itself,
and another one as an exchange's clock may be ahead."""


class LiveSession:
    """Drives a feed into a live engine.

    Parameters
    ----------
    engine
        Takes the batches. With a store, an update is durable before its batch is acknowledged.
    feed
        Where they come from. The session closes it.
    store
        The engine's, where others write to it, too: what they wrote is applied now and then.
    state
        File in which the engine's state is saved, every `LIVE_SAVE_SECONDS` and at the end.
    instruments
        Names; rows of all others are left out, and counted, as are those of instruments that are
        never members of the engine's universe. By default none is.
    clock
        Gives the time in microseconds since 1970 UTC. By default that of the machine; for a replay
        the time of its candles, so that bars turn final as they did on the day.

    Attributes
    ----------
    resumption
        How the feed resumes after a saved state, in words; None where there is nothing to say. A
        replay resumes after the last candle that was taken.

    Notes
    -----
    Ticks are acknowledged when their minutes have closed. A feed that gives again what was not
    acknowledged repeats ticks of the last minutes after a restart: resume from `state` there, which
    knows them, or a minute may be built again from a part of its ticks.

    Examples
    --------
    >>> import polars as pl
    >>> from tallow import LiveEngine
    >>> from tallow.data.feeds.replay import ReplayFeed
    >>> rows = {"symbol": ["RAYMOND"], "ts": ["2025-07-18T09:15+05:30"], "v": [900]}
    >>> prices = {"o": [700.0], "h": [702.0], "l": [699.0], "c": [701.0]}
    >>> session = LiveSession(LiveEngine("1m", "ema(1)"), ReplayFeed(pl.DataFrame(rows | prices)))
    >>> statistics = session.run()
    >>> statistics.rows_in, statistics.appended, statistics.bars
    (1, 1, {'1m': 2})
    """

    def __init__(
        self,
        engine: LiveEngine,
        feed: Feed,
        *,
        store: Store | None = None,
        state: str | Path | None = None,
        instruments: Collection[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._engine, self._feed, self._store = engine, feed, store
        self._state, self._instruments = state, _both(instruments, engine.members)
        is_replay = isinstance(feed, ReplayFeed)
        self._clock = now_us if clock is None and not is_replay else clock
        self._tally = Tally()
        self._now: int | None = None
        self._engine_now = BEGIN_OF_TIME
        self._pending: FeedBatch | None = None
        self._unwritten: FeedBatch | None = None
        feed.hold_quarantined()
        position = engine.feed_position if state is not None else None
        self.resumption = feed.go_on(position) if position is not None else None
        if isinstance(feed, ReplayFeed):
            self._tally.counts.update(repeated=feed.repeated)
        self._running: deque[FeedBatch] = deque()
        self._grace_us = round(engine.grace * SECOND_US)
        self._looked_at = self._saved_at = time.monotonic()

    @property
    def statistics(self) -> LiveStatistics:
        """The counts so far. For the thread that drives the session."""
        return self._tally.statistics(self._now, len(self._engine.names), self._feed.health)

    def step(self, timeout: float) -> list[LiveUpdate]:
        """Take the next batch, or let `timeout` seconds pass; return what changed.

        Raises
        ------
        FeedEnded
            If nothing will come any more.

        Notes
        -----
        A batch that the engine cannot read at all goes to the quarantine with the reason, and the
        session goes on. While the store cannot be written, a batch waits, and each step tries it.
        """
        batch, updates = self._receive(timeout), []
        if batch is not None:
            updates += self._take(batch)
        if self._pending is not None or self._unwritten is not None:
            time.sleep(timeout)
        elif batch is None and self._clock is not None:
            self._now = self._clock()
        updates += self._advance()
        updates += self._catch_up()
        if self._state is not None and self._is_due(self._saved_at, LIVE_SAVE_SECONDS):
            self._save()
        return self._count(updates)

    def run(
        self,
        stop: Event | None = None,
        on_step: Callable[[list[LiveUpdate]], object] = lambda _updates: None,
    ) -> LiveStatistics:
        """Drive the feed until it ends, or `stop` is set; then take what had come, and save.

        Parameters
        ----------
        on_step
            Called after each step, several times a second at least, with what changed.

        Raises
        ------
        StoreError, StateError
            If what had come cannot be written in the end, or the state cannot be saved.
        """
        with self._feed:
            try:
                while stop is None or not stop.is_set():
                    on_step(self.step(LIVE_WAIT_SECONDS))
            except FeedEnded:
                on_step(self._count(self._end_of_replay()))
            self._feed.close()
            on_step(self._count([*self._take_rest(), self._engine.write_running()]))
        if self._state is not None:
            self._engine.save(self._state, self._feed.position())
            self._tally.saved_at = now_us()
        return self.statistics

    # A step's parts

    def _receive(self, timeout: float) -> FeedBatch | None:
        """Return the next batch, once what the feed did not understand before it is durable."""
        if not self._write_quarantine():
            return None
        try:
            batch = self._pending or self._feed.receive(timeout)
        finally:
            # Also where the feed has ended.
            is_durable = self._write_quarantine()
        if not is_durable:
            self._pending, batch = batch, None
        return batch

    def _write_quarantine(self) -> bool:
        """Write what the feed did not understand to the quarantine; say if it is durable."""
        batch = self._unwritten or self._feed.quarantined()
        if batch is None:
            return True
        try:
            self._engine.quarantine(batch.frame)
        except StoreError as error:
            self._unwritten, self._tally.errors["store"] = batch, str(error)
            return False
        self._unwritten = None
        self._tally.errors.pop("store", None)
        self._tally.count_quarantined(batch.frame)
        self._feed.acknowledge(batch)
        return True

    def _take(self, batch: FeedBatch) -> list[LiveUpdate]:
        """Update the engine with a batch, and acknowledge it; keep it if the store fails."""
        began = time.perf_counter()
        try:
            wanted = self._wanted(batch.frame)
            self._engine.note_time(batch.received_at)
            if batch.kind == "candles":
                candles = read_latest(wanted)
                rows, update = candles.frame, self._engine.update(candles)
            else:
                rows, update = wanted, self._engine.update_ticks(wanted)
        except StoreError as error:
            # A batch that is not durable must be neither acknowledged nor lost.
            self._pending, self._tally.errors["store"] = batch, str(error)
            return []
        except TallowError as error:
            # The batch cannot be read at all: its rows are quarantined, and the session goes on.
            rows = quarantine_batch(batch.frame, str(error))
            self._unwritten = replace(batch, kind="quarantine", frame=rows)
            self._pending = None
            self._tally.refuse(str(error))
            self._write_quarantine()
            return []
        length = MINUTE_US if batch.kind == "candles" else 0
        self._tally.take(rows, length, update, time.perf_counter() - began)
        self._tally.counts["left_out"] += len(batch.frame) - len(wanted)
        self._pending = None
        self._tally.errors.pop("store", None)
        self._now = max(self._now or batch.received_at, batch.received_at)
        self._acknowledge(batch)
        return [update]

    def _wanted(self, frame: pl.DataFrame) -> pl.DataFrame:
        name = find_column("instrument", frame.columns)
        if self._instruments is None or name is None:
            return frame
        return frame.filter(pl.col(name).is_in(list(self._instruments)))

    def _acknowledge(self, batch: FeedBatch) -> None:
        """Acknowledge candles; ticks only when their minutes have closed, and are durable."""
        if batch.kind == "candles":
            self._feed.acknowledge(batch)
        else:
            self._running.append(batch)

    def _advance(self) -> list[LiveUpdate]:
        """Set the engine's clock."""
        if (
            self._now is None
            or self._now - self._engine_now < _CLOCK_STEP_US
            or self._is_before_days()
        ):
            return []
        try:
            update = self._engine.advance(self._now)
        except StoreError as error:
            self._tally.errors["store"] = str(error)
            return []
        if self._pending is None:
            self._tally.errors.pop("store", None)
        self._engine_now = self._now
        closed = self._now - _TICKS_CLOSE_US - self._grace_us
        while self._running and self._running[0].received_at <= closed:
            self._feed.acknowledge(self._running.popleft())
        return [update]

    def _catch_up(self) -> list[LiveUpdate]:
        """Apply what others did to the store; costs little where that is nothing."""
        if self._store is None or not self._is_due(self._looked_at, LIVE_CATCH_UP_SECONDS):
            return []
        self._looked_at = time.monotonic()
        try:
            update = self._engine.catch_up(self._instruments)
        except StoreError as error:
            self._tally.errors["store"] = str(error)
            return []
        report = update.report
        self._tally.counts["from_store"] += report.rows_in - report.repeated
        return [update]

    def _save(self) -> None:
        assert self._state is not None
        self._saved_at = time.monotonic()
        try:
            self._engine.save(self._state, self._feed.position())
        except StateError as error:
            self._tally.errors["state"] = str(error)
        else:
            self._tally.errors.pop("state", None)
            self._tally.saved_at = now_us()

    def _end_of_replay(self) -> list[LiveUpdate]:
        """Move the clock past the last candle of a replay, so that the bars it ends are final."""
        if self._clock is not None or self._now is None or self._is_before_days():
            return []
        return [self._engine.advance(self._now + self._grace_us)]

    def _is_before_days(self) -> bool:
        """Say whether a replay is of years that the clock of ticks does not take."""
        return self._now is not None and self._now < TIME_FIRST_US

    def _take_rest(self) -> list[LiveUpdate]:
        """Take what the feed still has after it was closed."""
        updates = []
        with contextlib.suppress(FeedEnded):
            while (batch := self._receive(0.0)) is not None:
                updates += self._take(batch)
                if self._pending is not None:
                    break
        if self._pending is not None or self._unwritten is not None:
            raise StoreError(self._tally.errors["store"])
        return updates + self._advance()

    def _count(self, updates: list[LiveUpdate]) -> list[LiveUpdate]:
        """Count the updates that changed something, and return them."""
        changed = [each for each in updates if any(map(len, each.rows.values()))]
        for update in changed:
            self._tally.give(update)
        return changed

    @staticmethod
    def _is_due(last: float, seconds: float) -> bool:
        return time.monotonic() - last >= seconds


def _both(
    instruments: Collection[str] | None, members: Collection[str] | None
) -> Collection[str] | None:
    """Return the instruments that are in both; None where neither says any."""
    if instruments is None or members is None:
        return members if instruments is None else instruments
    return sorted(set(instruments).intersection(members))
