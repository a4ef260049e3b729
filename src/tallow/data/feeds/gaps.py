"""What a live feed may have missed, instrument by instrument.

A gap is asked for from the last row's minute on, which may not have been over when it came:

- in one connection, when an instrument's next candle is more than a minute later and the calendar,
  if one is given, has trading between them; or, where rows are numbered, when numbers are skipped;
- in a new connection, always: whatever came in between was not seen.

Where ticks are concerned the minute of the first tick after the gap belongs to it: its earlier
ticks are missing. A late row opens no gap, and closes none: what was asked for comes anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import numpy as np

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.limits import FEED_AHEAD_SECONDS
from tallow.core.time import MINUTE_US, SECOND_US, to_us
from tallow.data.feeds.messages import CANDLE, MessageRow

Calendars = CalendarAssignment | str | Mapping[str, str | tuple[str, str]]


class Gap(NamedTuple):
    """An instrument's minutes from `start` to before `end`, in microseconds since 1970 UTC."""

    instrument: str
    start: int
    end: int


class _NewestRow(NamedTuple):
    """An instrument's newest row."""

    timestamp: int
    sequence: int | None
    connection: int


class GapFinder:
    """Remembers each instrument's newest row.

    `calendar` is the engine's, or an assignment with dates of one's own; None takes every missing
    minute for a gap, nights too. `known` are the newest candles that the reader has already, by
    instrument, as if of an earlier connection.
    """

    def __init__(self, calendar: Calendars | None, known: Mapping[str, datetime]) -> None:
        if isinstance(calendar, str | Mapping):
            calendar = CalendarAssignment(calendar)
        self._calendars = calendar
        self._newest = {name: _NewestRow(to_us(moment), None, -1) for name, moment in known.items()}

    def see(self, row: MessageRow) -> Gap | None:
        """Take in a row, and return the gap before it, if there is one."""
        last = self._newest.get(row.instrument)
        # A time that is still ahead would make every later row a late one.
        ahead = row.timestamp > row.message.received_at + FEED_AHEAD_SECONDS * SECOND_US
        if ahead or (last is not None and row.timestamp < last.timestamp):
            return None
        connection = row.message.connection
        self._newest[row.instrument] = _NewestRow(row.timestamp, row.sequence, connection)
        if last is None or (last.connection == connection and not self._skips(last, row)):
            return None
        start, end = _minute(last.timestamp), _minute(row.timestamp)
        end += 0 if row.fields is CANDLE else MINUTE_US
        return Gap(row.instrument, start, end) if start < end else None

    def _skips(self, last: _NewestRow, row: MessageRow) -> bool:
        """Say whether rows of one connection are missing between two."""
        # A number that falls: the server began to count again, or repeats itself.
        if row.sequence is not None and last.sequence is not None and row.sequence >= last.sequence:
            return row.sequence > last.sequence + 1
        start, end = _minute(last.timestamp) + MINUTE_US, _minute(row.timestamp)
        return row.fields is CANDLE and start < end and self._trades(row.instrument, start, end)

    def _trades(self, instrument: str, start: int, end: int) -> bool:
        """Say whether there is trading in a gap, as far as is known."""
        if self._calendars is None:
            return True
        place = int(self._calendars.indices([instrument])[0])
        if place < 0:
            return True
        table = self._calendars.calendars[place].sessions()
        next_segment = int(np.searchsorted(table.segment_close, start, side="right"))
        if next_segment == len(table.segment_close):
            return True
        return bool(table.segment_open[next_segment] < end)


def _minute(instant: int) -> int:
    return instant // MINUTE_US * MINUTE_US
