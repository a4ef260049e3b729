"""Filling gaps: a thread that asks the user's function for what was missed until it answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from threading import Condition, Thread
from typing import Any

from tallow.core.limits import FEED_BACKFILL_SECONDS, FEED_CLOSE_SECONDS
from tallow.core.time import SECOND_US, from_us
from tallow.data.feeds.feed import FeedBatch
from tallow.data.feeds.gaps import Gap
from tallow.data.feeds.health import Meter
from tallow.data.feeds.waiting import Backoff
from tallow.data.reading.interchange import from_native

Backfill = Callable[[list[str], datetime, datetime], Any]
"""Given instruments, and a `start` and an `end` in UTC, returns a frame (any that
`tallow.read_candles` takes) of their candles with ``start <= timestamp < end``; an empty one where
there are none. It runs in a thread of its own; if it raises, it is called again later."""


class Backfiller:
    """Asks for gaps when they are over, those of one interval together.

    Of one instrument, gaps that wait become one that covers them: however long the function fails,
    what is kept does not grow, and nothing is given up. `deliver` takes the batches, and returns
    False where it takes no more; `clock` gives the time in microseconds since 1970 UTC.
    """

    def __init__(
        self,
        fetch: Backfill,
        deliver: Callable[[FeedBatch], bool],
        meter: Meter,
        clock: Callable[[], int],
    ) -> None:
        self._fetch, self._deliver, self._meter, self._clock = fetch, deliver, meter, clock
        self._waiting: dict[str, Gap] = {}
        self._not_before = 0
        self._backoff = Backoff()
        self._closed = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="tallow-backfill", daemon=True)
        self._thread.start()

    def ask(self, gaps: Iterable[Gap]) -> None:
        """Note gaps that are to be filled."""
        with self._changed:
            for gap in gaps:
                self._put(gap)
            self._meter.note(gaps_open=len(self._waiting))
            self._changed.notify()

    def close(self) -> None:
        """Ask for nothing more; what is being fetched is waited for a moment."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        # The user's function may never return.
        self._thread.join(FEED_CLOSE_SECONDS)

    def _put(self, gap: Gap) -> None:
        other = self._waiting.get(gap.instrument, gap)
        start, end = min(gap.start, other.start), max(gap.end, other.end)
        self._waiting[gap.instrument] = Gap(gap.instrument, start, end)

    def _run(self) -> None:
        while due := self._next():
            together = defaultdict(list)
            for gap in due:
                together[gap.start, gap.end].append(gap)
            for gaps in together.values():
                if not self._closed:
                    self._fill(gaps)

    def _next(self) -> list[Gap]:
        """Wait for gaps that are due, and take them; none when closed."""
        with self._changed:
            while not self._closed:
                now = self._clock()
                due = [gap for gap in self._waiting.values() if self._due(gap) <= now]
                if due:
                    return due
                first = min(map(self._due, self._waiting.values()), default=None)
                self._changed.wait(None if first is None else (first - now) / SECOND_US)
            return []

    def _due(self, gap: Gap) -> int:
        return max(self._not_before, gap.end + round(FEED_BACKFILL_SECONDS * SECOND_US))

    def _fill(self, gaps: list[Gap]) -> None:
        """Ask for one interval of some instruments; after a failure they stay waiting."""
        names = [gap.instrument for gap in gaps]
        start, end = map(from_us, gaps[0][1:])
        try:
            frame = from_native(self._fetch(names, start, end))[0]
        except Exception as error:  # noqa: BLE001 - the user's function may raise anything
            self._meter.note(error=f"backfill: {type(error).__name__}: {error}")
            self._not_before = self._clock() + round(self._backoff.wait() * SECOND_US)
            return
        self._backoff.reset()
        batch = FeedBatch("candles", frame, self._clock(), backfill=True)
        if len(frame) and not self._deliver(batch):
            return
        with self._changed:
            for gap in gaps:
                # Unless it grew meanwhile.
                if self._waiting[gap.instrument] == gap:
                    del self._waiting[gap.instrument]
            self._meter.note(gaps_open=len(self._waiting))
