"""A hint on stamps that may lie at the close: rows at the close of sessions, none at the open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tallow.core.calendars import Calendar
from tallow.data.aggregate import OUTSIDE, CandleArrays
from tallow.runtime.operations import Times

_SESSIONS_MIN = 2


class StampWatch:
    """Counts the sessions that have a row at their open, and those that have one at their close."""

    def __init__(self, calendars: Sequence[Calendar]) -> None:
        self._calendars = calendars
        self._at_open = self._at_close = self._sessions = 0

    def see(self, candles: CandleArrays, places: Times, counts: Times) -> None:
        """Look at the instruments that have rows outside of sessions: others cannot be such."""
        for i in np.flatnonzero(counts[:, OUTSIDE]).tolist():
            times = candles.timestamp[candles.offsets[i] : candles.offsets[i + 1]]
            if places[i] < 0 or not len(times):
                continue
            table = self._calendars[int(places[i])].sessions()
            first, last = np.searchsorted(table.day_close, [times[0], times[-1] + 1])
            self._at_open += _found(times, table.day_open[first:last])
            self._at_close += _found(times, table.day_close[first:last])
            self._sessions += int(last - first)

    def hint(self) -> str:
        """Return what to say; nothing where the stamps do not look so."""
        if self._sessions < _SESSIONS_MIN or self._at_open or self._at_close < self._sessions:
            return ""
        return (
            f"timestamp: all {self._sessions} sessions have a row at their close, and none at "
            'the open; stamps may be those of the close; read with stamped="close" if they are'
        )


def _found(times: Times, edges: Times) -> int:
    """Return how many of some instants are among ascending times."""
    return int((times[np.searchsorted(times, edges) % len(times)] == edges).sum())
