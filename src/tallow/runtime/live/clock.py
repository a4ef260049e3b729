"""What time it is for a live engine, and which rows are ahead of it.

There are two clocks. The machine's: no right time is ahead of it, except by the little that a
venue's clock may be. And the one that a caller sets, in a replay for example: it stands still while
rows come. So rows may be ahead of it, or of the newest row that was right, by `LIVE_AHEAD_SECONDS`
of their venue's trading time. A stamp in the wrong zone lies further ahead, and sets no clock. The
night does not count: the first rows of a morning follow on the evening's clock.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from operator import index

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.calendars.table import SessionTable
from tallow.core.errors import ParameterError, excerpt
from tallow.core.time import BEGIN_OF_TIME, END_OF_TIME
from tallow.data.kernels.tick_minutes import AHEAD_US
from tallow.data.reading.known_times import latest_open
from tallow.runtime.ranges import moment_us

Span = Callable[[int], tuple[float, float]]


def clock_time(now: int | str | datetime, first: int, last: int) -> int:
    """Return an instant, or a number of microseconds since 1970 UTC, as the latter.

    Raises
    ------
    RangeError
        If it can be neither.
    ParameterError
        If it is not from `first` to `last`.
    """
    try:
        moment = index(now)  # type: ignore[arg-type]
    except TypeError:
        moment = moment_us("now", now)  # type: ignore[arg-type]
    if not first <= moment <= last:
        raise ParameterError(
            f"live: now={excerpt(now)}; must be microseconds since 1970 UTC, {first}..{last}, or "
            "an instant of these years; check the unit"
        )
    return moment


class LiveClock:
    """The clock of a live engine.

    Attributes
    ----------
    set_to
        What a caller set it to, in microseconds since 1970 UTC; None before that.
    covered
        Up to when no time is ahead, as far as was looked.
    """

    def __init__(self, calendars: CalendarAssignment) -> None:
        self.set_to: int | None = None
        self._venues = [_TradingTime(calendar.sessions()) for calendar in calendars.calendars]
        self._newest = self._limit_of = BEGIN_OF_TIME
        self._limit = END_OF_TIME
        self.covered: float = BEGIN_OF_TIME

    def set(self, now: int) -> None:
        """Set the clock; a time before the last one changes nothing."""
        if self.set_to is None:
            self.covered = BEGIN_OF_TIME
        self.set_to = now if self.set_to is None else max(now, self.set_to)
        self._newest = max(now, self._newest)

    def note_newest(self, newest: float) -> None:
        """Note the newest time of rows that were taken."""
        if self.set_to is not None and newest > self._newest:
            self._newest = int(newest)

    def latest(self) -> int:
        """Return up to when no time is ahead."""
        if self._newest > self._limit_of:
            now = np.array([self._newest])
            self._limit = min(int(venue.later(now)[0]) for venue in self._venues)
            self._limit_of = self._newest
        return min(self._limit, latest_open(self.set_to))

    def covers(self, newest: float) -> bool:
        """Say whether no time up to `newest` is ahead; costs less than to look at each."""
        if newest > self.covered:
            # Time goes on: what is not ahead now will never be.
            self.covered = self.latest()
        return newest <= self.covered

    def ahead(self, calendar: Ints, times: Floats | Times) -> Flags:
        """Say which times are ahead; `calendar` are the calendars of their instruments."""
        ahead: Flags = times > latest_open(self.set_to)
        if self.set_to is None:
            return ahead
        for place, venue in enumerate(self._venues):
            mine = (calendar == place) & ~ahead
            ordered = np.unique(times[mine]).astype(np.int64)
            ordered = np.concatenate(([self._newest], ordered[ordered > self._newest]))
            # Each row may be that far ahead of the row before it.
            steps = np.flatnonzero(ordered[1:] > venue.later(ordered[:-1]))
            if len(steps):
                ahead |= mine & (times > ordered[steps[0]])
        return ahead


class SureTimes:
    """Says which times of single rows need no look: no calendar and no clock is against them.

    `spans` return from when to before when that is so about a moment.
    """

    def __init__(self, *spans: Span, clock: LiveClock) -> None:
        self._spans, self._clock = spans, clock
        self._first, self._until = 0.0, 0.0

    def forget(self) -> None:
        """Look again: there are other instruments."""
        self._first, self._until = 0.0, 0.0

    def holds(self, moment: int) -> bool:
        """Say whether it is so at a moment."""
        if not self._first <= moment < self._until:
            found = [span(moment) for span in self._spans]
            self._first, self._until = (
                max(each[0] for each in found),
                min(each[1] for each in found),
            )
            if not self._first <= moment < self._until:
                return False
        return moment <= self._clock.covered or self._clock.covers(moment)


class _TradingTime:
    """Adds trading time of a venue to times."""

    def __init__(self, table: SessionTable) -> None:
        self._opens = table.segment_open
        lengths = table.segment_close - table.segment_open
        self._ends = np.cumsum(lengths)
        self._begins = self._ends - lengths
        self._lengths = lengths

    def later(self, moments: Times) -> Times:
        """Return when `LIVE_AHEAD_SECONDS` of trading, and of the clock, have gone by."""
        segment = np.maximum(np.searchsorted(self._opens, moments, "right") - 1, 0)
        into = np.clip(moments - self._opens[segment], 0, self._lengths[segment])
        target = self._begins[segment] + into + AHEAD_US
        place = np.searchsorted(self._ends, target)
        # After the last session that is known there may be trading or not.
        last = np.minimum(place, len(self._ends) - 1)
        then = self._opens[last] + target - self._begins[last]
        found: Times = np.where(place < len(self._ends), then, END_OF_TIME)
        return np.maximum(found, moments + AHEAD_US)
