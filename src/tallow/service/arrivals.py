"""What came in: when the last candle did, and which minutes of the session none has."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tallow.core.arrays import Times
from tallow.core.calendars import Calendar
from tallow.core.time import MINUTE_US, now_us
from tallow.core.timeframe import parse_timeframe
from tallow.runtime.live.updates import ArrayUpdate, LiveUpdate

KEPT_US = 3 * 86_400 * 1_000_000
"""How long opens of bars are kept: longer than any session."""


class MissingMinutes(NamedTuple):
    """The longest stretch of a session without a candle, between others."""

    start: int
    end: int

    @property
    def minutes(self) -> int:
        """How many minutes it has."""
        return (self.end - self.start) // MINUTE_US


class Arrivals:
    """Takes a live engine's changes; any thread may ask.

    Parameters
    ----------
    timeframe
        The shortest one of the engine: opens of its bars are looked at.

    Attributes
    ----------
    timeframe
        The same.
    began
        Since when it looks, in microseconds since 1970 UTC.
    last
        When the last candle came; None before the first.
    """

    def __init__(self, timeframe: str, clock: Callable[[], int] = now_us) -> None:
        self.timeframe, self._clock = timeframe, clock
        # Of days and longer bars, none is missing within a session.
        self._length = parse_timeframe(timeframe).minutes * MINUTE_US
        self._lock = threading.Lock()
        self._opens: set[int] = set()
        self.began = clock()
        self.last: int | None = None

    def take(self, update: LiveUpdate | ArrayUpdate) -> None:
        """Take a change; it is short, as the engine waits."""
        if update.report.rows_in:
            self.last = self._clock()
        rows = update.rows.get(self.timeframe)
        if rows is not None and len(rows):
            there = rows["candles"] > 0
            self.add(np.unique(rows.timestamp[there]))

    def add(self, opens: Times) -> None:
        """Take opens of bars that are there."""
        with self._lock:
            self._opens.update(opens.tolist())

    def gap(self, calendar: Calendar, now: int) -> MissingMinutes | None:
        """Return the longest gap of the session that is, or was last; None where there is none."""
        table = calendar.sessions()
        day = int(np.searchsorted(table.day_open, now, side="right")) - 1
        if day < 0 or not self._length:
            return None
        with self._lock:
            self._opens = {each for each in self._opens if each > now - KEPT_US}
            seen = np.array(sorted(self._opens), dtype=np.int64)
        seen = seen[(seen >= table.day_open[day]) & (seen < table.day_close[day])]
        if len(seen) < 2:
            return None
        which = np.flatnonzero(table.segment_day == day)
        slots = np.concatenate(
            [
                np.arange(table.segment_open[each], table.segment_close[each], self._length)
                for each in which
            ]
        )
        slots = slots[(slots > seen[0]) & (slots < seen[-1])]
        return self._longest(slots[~np.isin(slots, seen)])

    def _longest(self, missing: Times) -> MissingMinutes | None:
        if not len(missing):
            return None
        runs = np.split(missing, np.flatnonzero(np.diff(missing) != self._length) + 1)
        longest = max(runs, key=len)
        return MissingMinutes(int(longest[0]), int(longest[-1]) + self._length)
