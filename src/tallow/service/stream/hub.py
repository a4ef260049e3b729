"""The hub: takes changes from the live engine, numbers them, and hands them to clients.

The engine calls `take` in whichever thread changes it, one change after the other; all else is the
loop's.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence

from tallow.alerts import Alert
from tallow.runtime.live.updates import ArrayUpdate, LiveUpdate
from tallow.service.limits import (
    STREAM_CHUNK_INSTRUMENTS,
    STREAM_RECENT_MAX,
    STREAM_SCREEN_SECONDS,
    STREAM_STEP_ROWS,
    STREAM_WAITING_MAX,
)
from tallow.service.measures import Measures
from tallow.service.stream.alerts import RecentAlerts
from tallow.service.stream.changes import RecentChanges, RowChanges, changes_of
from tallow.service.stream.client import StreamClient
from tallow.service.stream.groups import Groups, RowGroup
from tallow.service.stream.live_bars import LiveBars
from tallow.service.stream.screens import Screens

LOOK_SECONDS = 1.0
"""How often it is looked for clients that do not read."""


class Hub:
    """What changed, and who is told.

    Attributes
    ----------
    stream
        Names this run.
    seq
        The number of the last change.
    clients
        Those that are connected.
    groups, screens, alerts
        What they are told.
    """

    def __init__(
        self,
        bars: LiveBars,
        measures: Measures,
        screens: Screens,
        rules: tuple[str, ...] = (),
        recent: int = STREAM_RECENT_MAX,
    ) -> None:
        self.stream, self.seq = secrets.token_hex(8), 0
        self.clients: set[StreamClient] = set()
        self.groups = Groups()
        self.screens, self.alerts = screens, RecentAlerts(rules)
        self._bars, self._recent = bars, RecentChanges(recent)
        self._measures = measures
        self._waiting: deque[tuple[float, LiveUpdate | ArrayUpdate]] = deque()
        self._told: list[float] = []
        self._is_called = self._lost = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    # In the thread of whoever changes the engine

    def take(self, update: LiveUpdate | ArrayUpdate) -> None:
        """Take a change; it is told by the loop."""
        loop = self._loop
        if loop is None:
            return
        if len(self._waiting) >= STREAM_WAITING_MAX:
            self._lost = True
            self._waiting.clear()
        self._waiting.append((time.perf_counter(), update))
        if not self._is_called:
            self._is_called = True
            try:
                loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                # The loop has ended, and with it all clients.
                self._loop = None

    def take_alerts(self, alerts: Sequence[Alert]) -> None:
        """Take alerts; they are told by the loop."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._tell_alerts, alerts)

    # In the loop

    def join(self, client: StreamClient) -> None:
        """Take a client; with the first one the stream begins."""
        if self._loop is None:
            self._recent.forget(self.seq)
            self._loop = asyncio.get_running_loop()
            looking = (self._look_at_clients(), self._ask_screens())
            self._tasks = [self._loop.create_task(each) for each in looking]
        self.clients.add(client)

    def leave(self, client: StreamClient) -> None:
        """Let go of a client."""
        self.clients.discard(client)

    async def stop(self, seconds: float) -> None:
        """Send what waits, for so long at most, and close all clients."""
        self._drain_all()
        for each in self._tasks:
            each.cancel()
        stops = [asyncio.ensure_future(client.stop()) for client in self.clients]
        if stops:
            await asyncio.wait(stops, timeout=seconds)
        for each in stops:
            each.cancel()

    def since(self, seq: int) -> RowChanges | None:
        """Return the changes after one; None where they are no longer known."""
        return self._recent.since(seq)

    def knows(self, stream: str, seq: int) -> bool:
        """Say whether all changes of a stream after one are known."""
        return stream == self.stream and self._recent.floor <= seq <= self.seq

    async def bars(self, group: RowGroup) -> AsyncIterator[list[str]]:
        """Yield the texts of the last bars of a group, some at a time."""
        names = self._bars.names(group.instruments)
        for timeframe in group.timeframes:
            for at in range(0, len(names), STREAM_CHUNK_INSTRUMENTS):
                some = names[at : at + STREAM_CHUNK_INSTRUMENTS]
                texts = await self._bars.texts(timeframe, some, group.columns)
                if texts:
                    yield texts

    def drop(self, group: RowGroup) -> None:
        """Forget a group that has no subscriptions any more."""
        self.groups.drop(group)

    def _drain(self) -> None:
        """Number what waits and tell it; after some rows, let others have the loop."""
        self._is_called = False
        if self._step() and self._loop is not None and not self._is_called:
            self._is_called = True
            self._loop.call_soon(self._drain)

    def _drain_all(self) -> None:
        while self._step():
            pass

    def _step(self) -> bool:
        """Tell some of what waits; say whether more does."""
        if self._lost:
            self._lost = False
            self.seq += 1
            self._recent.forget(self.seq)
            self.groups.begin_anew()
        rows, told = 0, self._told
        # The engine's thread may have cleared it.
        with contextlib.suppress(IndexError):
            while rows < STREAM_STEP_ROWS:
                came, update = self._waiting.popleft()
                rows += self._tell(update)
                told.append(came)
        if self.groups.flush(self.seq):
            return True
        now, self._told = time.perf_counter(), []
        for came in told:
            self._measures.note("processing/tell", now - came)
        return len(self._waiting) > 0

    def _tell(self, update: LiveUpdate | ArrayUpdate) -> int:
        """Number a change, and give it to the groups; return how many rows it has."""
        changed = [(size, rows) for size, rows in update.rows.items() if len(rows)]
        if changed:
            self.seq += 1
            self._changed.set()
        for timeframe, rows in changed:
            changes = changes_of(timeframe, rows, self._bars.every_name, self.seq)
            self._recent.add(changes)
            self.groups.add(changes)
        return sum(len(rows) for _, rows in changed)

    def _tell_alerts(self, alerts: Sequence[Alert]) -> None:
        self.alerts.add(self.next_seq(), alerts)

    def next_seq(self) -> int:
        """Number a change."""
        self.seq += 1
        return self.seq

    async def _ask_screens(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self.screens.ask_again(self.next_seq)
            await asyncio.sleep(STREAM_SCREEN_SECONDS)

    async def _look_at_clients(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = asyncio.get_running_loop().time()
            for client in list(self.clients):
                client.look(now, self.seq)
