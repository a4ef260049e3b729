"""Which times candles may carry: those that the calendars know, and that have come.

A row of any other time is quarantined by itself, with the same rule whatever way it comes in:
files, frames, a store, a live update. The other rows of its instrument stay as they are.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import lru_cache

import numpy as np
import polars as pl

from tallow.core.arrays import Codes, Flags, Floats, Ints, Times
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.limits import CALENDARS_MAX, CLOCK_AHEAD_SECONDS
from tallow.core.time import SECOND_US, now_us
from tallow.data.kernels.live_rows import span_of
from tallow.data.reading.candles import Candles, with_quarantine
from tallow.data.reading.quarantine import as_quarantine, records
from tallow.data.reading.rules import FORMING, NOT_COVERED
from tallow.data.reading.schema import time_view

RIGHT, UNCOVERED, AHEAD = 0, 1, 2
RULES_OF_TIMES = (None, NOT_COVERED, FORMING)
"""Rules by code: nothing is wrong, no calendar knows the time, it has not come yet."""


def latest_open(known_now: int | None = None) -> int:
    """Return the latest open of a candle that has begun, in microseconds since 1970 UTC.

    By the machine's clock, or by a caller's, `known_now`, where that is ahead. Venues' clocks may
    be ahead of both by a little.
    """
    now = max(now_us(), known_now or 0)
    return now + CLOCK_AHEAD_SECONDS * SECOND_US


def only_begun(candles: Candles) -> Candles:
    """Return candles without those that have not begun, which go to their quarantine."""
    frame, latest = candles.frame, latest_open()
    if not len(frame) or time_view(frame).max() <= latest:
        return candles
    begun = pl.col("timestamp").to_physical() <= latest
    ahead = frame.filter(~begun)
    lost = ahead.select("instrument", "timestamp", rule=pl.lit(FORMING)).with_columns(
        row=pl.lit(None, pl.UInt64), record=records(ahead)
    )
    quarantined = as_quarantine(lost, ", ".join(candles.report.sources))
    return with_quarantine(
        candles, pl.concat([candles.quarantine, quarantined], how="diagonal"), begun
    )


@lru_cache(maxsize=CALENDARS_MAX)
def known_times(calendars: CalendarAssignment) -> KnownTimes:
    """Return the times that some calendars know; cached, as every run needs them."""
    return KnownTimes(calendars)


class KnownTimes:
    """Says which times the calendars know."""

    def __init__(self, calendars: CalendarAssignment) -> None:
        tables = [calendar.sessions() for calendar in calendars.calendars]
        self._from = np.array([table.covered_from for table in tables])
        self._until = np.array([table.covered_until for table in tables])
        # Days whose session is announced without hours, and for which nothing is assumed.
        self._open = [table.day_open[table.day_refused] for table in tables]
        self._close = [table.day_close[table.day_refused] for table in tables]
        self._covered = float(self._from.max()), float(self._until.min())
        opens, closes = np.concatenate(self._open), np.concatenate(self._close)
        order = np.argsort(opens)
        self._opens = opens[order].tolist()
        # The latest of those that open no later.
        self._closes = np.maximum.accumulate(closes[order]).tolist()

    def covers(self, times: Floats | Times) -> bool:
        """Say whether all calendars know all of some times, without a look at each of them."""
        edges = span_of(times)
        return edges is None or self.covers_span(*edges)

    def covers_span(self, first: float, last: float) -> bool:
        """Say whether all calendars know all times from `first` to `last`."""
        unknown = bisect_right(self._opens, last)
        known = not unknown or self._closes[unknown - 1] <= first
        return self._covered[0] <= first and last < self._covered[1] and known

    def known_span(self, moment: int) -> tuple[float, float]:
        """Return from when to before when, around a moment, all calendars know all times.

        Empty where they do not know the moment.
        """
        place = bisect_right(self._opens, moment)
        first = max(self._covered[0], self._closes[place - 1] if place else -math.inf)
        until = min(self._covered[1], self._opens[place] if place < len(self._opens) else math.inf)
        return (first, until) if first <= moment < until else (0.0, 0.0)

    def uncovered(self, calendar_of: Ints, times: Floats | Times) -> Flags:
        """Say which times their calendars do not know; those without a calendar are left out."""
        calendar = np.maximum(calendar_of, 0)
        outside: Flags = (times < self._from[calendar]) | (times >= self._until[calendar])
        for index, opens in enumerate(self._open):
            if len(opens):
                day = np.searchsorted(opens, times, "right") - 1
                inside = (day >= 0) & (times < self._close[index][day])
                outside |= inside & (calendar == index)
        return outside & (calendar_of >= 0)

    def wrong(self, calendar_of: Ints, offsets: Ints, times: Times, latest: int) -> Codes | None:
        """Return what is wrong with each of some instruments' times; None where nothing is.

        `calendar_of` are their calendars, int64 ``[instruments]``; instrument ``i`` has the rows
        ``offsets[i]:offsets[i + 1]``, in ascending time; `latest` is the latest time that has come.
        Looks at each instrument's first and last row only, where these are known.
        """
        some = offsets[1:] > offsets[:-1]
        if not some.any():
            return None
        last = int(times[offsets[1:][some] - 1].max())
        if last <= latest and self.covers_span(int(times[offsets[:-1][some]].min()), last):
            return None
        which = np.repeat(calendar_of, np.diff(offsets))
        codes = np.where(times > latest, AHEAD, RIGHT).astype(np.int8)
        codes[self.uncovered(which, times)] = UNCOVERED
        return codes if codes.any() else None
