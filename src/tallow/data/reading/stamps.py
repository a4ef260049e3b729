"""Hints on stamps: rows at the close of sessions and none at the open, or not one in a session."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from tallow.core.arrays import Floats, Ints, Times
from tallow.core.calendars import Calendar
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.text import counted, first_of
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import time_view

IF_READ = 'read with stamped="close" if they are'
IF_STORED = "if they are, put the files into a new store: tallow ingest --stamped close"
IF_FED = 'if they are, a replay is told stamped="close", and a feed must send the time of the open'
"""What to do where stamps look so, by where the candles are from."""

_SESSIONS_MIN = 2


class StampCounts(NamedTuple):
    """Sessions of instruments: with a row at the open, at the close, and all that closed.

    `astray` are rows in no session and at no close, where these were counted.
    """

    at_open: int = 0
    at_close: int = 0
    sessions: int = 0
    astray: int = 0

    def plus(self, other: StampCounts) -> StampCounts:
        """Return both together."""
        return StampCounts(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def look_closed(self) -> bool:
        """Whether each session has a row at its close, and none at its open."""
        return self.sessions == self.at_close > 0 == self.at_open + self.astray

    def hint(self, what_to_do: str) -> str:
        """Return what to say; nothing where the stamps do not look so."""
        if self.sessions < _SESSIONS_MIN or not self.look_closed:
            return ""
        return (
            f"timestamp: all {self.sessions} sessions have a row at their close, and none at "
            f"the open; stamps may be those of the close; {what_to_do}"
        )


class StampWatch:
    """Counts the sessions of instruments, whose rows may come in parts."""

    def __init__(self, calendars: Sequence[Calendar]) -> None:
        self._calendars = calendars
        self.counts = StampCounts()

    def see(self, times: Times, index: int, *, all_rows: bool = False) -> None:
        """Look at ascending times of an instrument of a calendar; at all, not only at edges.

        Where all are looked at, rows outside of sessions and their closes are counted: so a
        calendar that was not meant gives no hint.
        """
        table = self._calendars[index].sessions()
        opens, closes = (
            edges[slice(*np.searchsorted(edges, [times[0], times[-1] + 1]))]
            for edges in (table.day_open, table.day_close)
        )
        astray = 0
        if all_rows:
            segment = np.searchsorted(table.segment_open, times, "right") - 1
            astray = int((times > table.segment_close[np.maximum(segment, 0)]).sum())
            astray += int((segment < 0).sum())
        found = (_found(times, opens), _found(times, closes), len(closes), astray)
        self.counts = self.counts.plus(StampCounts(*found))


class FileStamps:
    """Watches files that are stored, each with all of its rows."""

    def __init__(self, calendars: CalendarAssignment) -> None:
        self._calendars = calendars
        self._counts, self._sources = StampCounts(), list[str]()

    def see(self, source: str, candles: pl.DataFrame) -> None:
        """Look at a file's sorted candles; one that looks otherwise says nothing of others."""
        names, offsets = instrument_runs(candles)
        watch, times = StampWatch(self._calendars.calendars), time_view(candles)
        for i, index in enumerate(self._calendars.indices(names).tolist()):
            if index >= 0:
                watch.see(times[offsets[i] : offsets[i + 1]], index, all_rows=True)
        if watch.counts.look_closed:
            self._counts = self._counts.plus(watch.counts)
            self._sources.append(source)

    def hint(self) -> str:
        """Return what to say, of the first file that looks so."""
        hint = self._counts.hint(IF_STORED)
        return f"{first_of(self._sources)}: {hint}" if hint else ""


class LiveStamps:
    """Watches rows as they come, and says once what they look like."""

    def __init__(self, calendars: Sequence[Calendar]) -> None:
        tables = [calendar.sessions() for calendar in calendars]
        # Lists: to look for one instant in an array takes five times as long.
        self._edges = [(table.day_open.tolist(), table.day_close.tolist()) for table in tables]
        self._closes: set[int] = set()
        self._at_close = 0
        self._is_over = False

    def see(
        self, indices: Callable[[], Ints], times: Times | Floats, first: int, last: int
    ) -> None:
        """Look at rows between a first and a last time; costs little where that is no edge.

        `indices` returns those of the rows' calendars.
        """
        if self._is_over:
            return
        for index, (opens, closes) in enumerate(self._edges):
            if (opened := _within(opens, first, last)) and _has(times[indices() == index], opened):
                # Nothing else can show it.
                self._is_over = True
                return
            if ended := _within(closes, first, last):
                own = times[(indices() == index) & np.isin(times, ended)]
                self._closes.update(own.astype(np.int64).tolist())
                self._at_close += len(own)

    def quiet_span(self, moment: int) -> tuple[float, float]:
        """Return from when to before when, about a moment, rows need not be looked at."""
        first, until = -math.inf, math.inf
        for edges in () if self._is_over else (each for pair in self._edges for each in pair):
            place = bisect_right(edges, moment)
            first = max(first, edges[place - 1] + 1 if place else first)
            until = min(until, edges[place] if place < len(edges) else until)
        return first, until

    def hint(self) -> str:
        """Return what to say, the first time that there is something to say."""
        if self._is_over or len(self._closes) < _SESSIONS_MIN:
            return ""
        self._is_over = True
        return StampCounts(0, self._at_close, self._at_close).hint(IF_FED)


def outside_hint(rows: int, outside: int) -> str:
    """Return what to say where not one row of several is in a session; nothing elsewhere."""
    if not rows or outside < rows:
        return ""
    return (
        f"timestamp: not one of {counted(rows, 'row')} is in a session; is it how the candles are "
        "read? Look at source_timeframe=, timezone= and calendar="
    )


def _within(edges: list[int], first: int, last: int) -> list[int]:
    return edges[bisect_left(edges, first) : bisect_right(edges, last)]


def _has(times: Times | Floats, edges: list[int]) -> bool:
    return bool(np.isin(times, edges).any())


def _found(times: Times, edges: Times) -> int:
    """Return how many of some instants are among ascending times."""
    return int((times[np.searchsorted(times, edges) % len(times)] == edges).sum())
