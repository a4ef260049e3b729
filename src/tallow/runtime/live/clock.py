"""What time it is for a live engine, and which rows are ahead of it.

Two clocks say it. The machine's: nothing that is right is ahead of it, but for a venue's clock that
is by a little. And the one that a caller sets, for a replay say: it stands still while rows come.
So they may run ahead of it, or of the newest row that was right, by `LIVE_AHEAD_SECONDS` in which
their venue trades. A stamp by the wrong zone lies further off, and sets no clock. The night is no
time: the first rows of a morning follow on the evening's clock.
"""

from __future__ import annotations

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
    told
        What a caller said, in microseconds since 1970 UTC; None before.
    """

    def __init__(self, calendars: CalendarAssignment) -> None:
        self.told: int | None = None
        self._venues = [_TradingTime(calendar.sessions()) for calendar in calendars.calendars]
        self._newest = BEGIN_OF_TIME
        self._limit = END_OF_TIME

    def tell(self, now: int) -> None:
        """Set the clock; going back changes nothing."""
        self.told = now if self.told is None else max(now, self.told)
        self._follow(now)

    def follow(self, newest: float) -> None:
        """Note the newest of some rows that were taken."""
        if self.told is not None:
            self._follow(int(newest))

    def _follow(self, moment: int) -> None:
        if moment > self._newest:
            self._newest = moment
            self._limit = min(venue.later(moment) for venue in self._venues)

    def is_behind(self, newest: float) -> bool:
        """Say whether no row up to `newest` is ahead of the clock, without a look at each."""
        return newest <= self._limit and newest <= latest_open(self.told)

    def ahead(self, places: Ints, times: Floats | Times) -> Flags:
        """Say which of some times, of instruments whose calendars are at `places`, are ahead."""
        ahead: Flags = times > latest_open(self.told)
        if self.told is None:
            return ahead
        for place, venue in enumerate(self._venues):
            mine = (places == place) & ~ahead
            ordered = np.unique(times[mine]).astype(np.int64)
            ordered = np.concatenate(([self._newest], ordered[ordered > self._newest]))
            # One row after the other, each as far ahead of the one before as may be.
            steps = np.flatnonzero(ordered[1:] > venue.all_later(ordered[:-1]))
            if len(steps):
                ahead |= mine & (times > ordered[steps[0]])
        return ahead


class _TradingTime:
    """Says how far time goes on in which a venue trades."""

    def __init__(self, table: SessionTable) -> None:
        self._opens = table.segment_open
        lengths = table.segment_close - table.segment_open
        self._ends = np.cumsum(lengths)
        self._begins = self._ends - lengths
        self._lengths = lengths

    def later(self, moment: int) -> int:
        """Return when `LIVE_AHEAD_SECONDS` of trading, and of the clock, have gone by."""
        return int(self.all_later(np.array([moment]))[0])

    def all_later(self, moments: Times) -> Times:
        """Do as `later` for several moments."""
        segment = np.maximum(np.searchsorted(self._opens, moments, "right") - 1, 0)
        into = np.clip(moments - self._opens[segment], 0, self._lengths[segment])
        target = self._begins[segment] + into + AHEAD_US
        place = np.searchsorted(self._ends, target)
        # Beyond the last session nobody knows when there is trading.
        last = np.minimum(place, len(self._ends) - 1)
        then = self._opens[last] + target - self._begins[last]
        found: Times = np.where(place < len(self._ends), then, END_OF_TIME)
        return np.maximum(found, moments + AHEAD_US)
