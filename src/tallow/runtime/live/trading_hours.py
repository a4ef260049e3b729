"""When there is continuous trading, by the calendars of a live engine."""

from __future__ import annotations

import numpy as np

from tallow.core.arrays import Flags, Ints, Times
from tallow.core.calendars.assignment import CalendarAssignment


class TradingHours:
    """The hours of continuous trading; before them, brokers repeat yesterday's volume."""

    def __init__(self, calendars: CalendarAssignment) -> None:
        self._tables = [calendar.sessions() for calendar in calendars.calendars]

    def inside(self, calendar: Ints, times: Times) -> Flags:
        """Say which times lie in them; `calendar` are the calendars of the instruments."""
        found = np.zeros(len(times), dtype=np.bool_)
        for place, table in enumerate(self._tables):
            mine = times[calendar == place]
            segment = np.searchsorted(table.segment_open, mine, "right") - 1
            found[calendar == place] = (segment >= 0) & (mine < table.segment_close[segment])
        return found

    def segment(self, calendar: int, moment: int) -> tuple[float, float]:
        """Return when the trading about a moment begins and ends; an empty span where none is."""
        table = self._tables[calendar]
        place = int(np.searchsorted(table.segment_open, moment, "right")) - 1
        if place < 0 or moment >= table.segment_close[place]:
            return 0.0, 0.0
        return int(table.segment_open[place]), int(table.segment_close[place])

    def session_opens(self, calendar: Ints, times: Times) -> Times:
        """Return when the session of each time opened, int64 microseconds."""
        found = np.zeros(len(times), dtype=np.int64)
        for place, table in enumerate(self._tables):
            mine = times[calendar == place]
            day = np.searchsorted(table.day_open, mine, "right") - 1
            found[calendar == place] = table.day_open[np.maximum(day, 0)]
        return found
