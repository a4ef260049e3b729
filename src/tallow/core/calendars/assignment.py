"""Which instrument trades by which calendar."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from tallow.core.arrays import Ints
from tallow.core.calendars.calendar import Calendar
from tallow.core.calendars.load import Beyond, load_calendar
from tallow.core.errors import CalendarError

EVERY_OTHER = "*"
"""Key of the calendar of all instruments that a mapping does not name."""


class CalendarAssignment:
    """Calendars by number, and each instrument's number.

    `calendar` is one's name for all, or a mapping from instrument to ``"XNSE"``,
    ``"XNSE:derivatives"`` or ``("XNSE", "derivatives")``; the key ``"*"`` is for all others.
    """

    def __init__(
        self,
        calendar: str | Mapping[str, str | tuple[str, str]],
        dates: str | os.PathLike[str] | None = None,
        beyond: Beyond = "assume",
    ) -> None:
        named = {EVERY_OTHER: calendar} if isinstance(calendar, str) else dict(calendar)
        if not named:
            raise CalendarError('calendar: {}; must name one at least, such as {"*": "XNSE"}')
        texts = {key: v if isinstance(v, str) else ":".join(v) for key, v in named.items()}
        order = tuple(dict.fromkeys(texts.values()))
        self.calendars: tuple[Calendar, ...] = tuple(
            load_calendar(text, calendar_dates=dates, beyond_coverage=beyond) for text in order
        )
        self._index = {key: order.index(text) for key, text in texts.items()}

    def some_instrument(self) -> str:
        """Return the name of an instrument that has a calendar."""
        return next(iter(self._index))

    def indices(self, instruments: Sequence[str]) -> Ints:
        """Return each instrument's index in `calendars`, int64; -1 for one that has none."""
        other = self._index.get(EVERY_OTHER, -1)
        if len(self._index) == 1 and other == 0:
            return np.zeros(len(instruments), dtype=np.int64)
        return np.array([self._index.get(name, other) for name in instruments], dtype=np.int64)
