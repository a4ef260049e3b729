"""Which bars are provisional: their sessions are assumed by a rule, and stated by no fact."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Ints, Times
from tallow.core.calendars import Calendar
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.limits import CALENDARS_MAX
from tallow.core.time import END_OF_TIME
from tallow.core.timeframe import Timeframe, Unit
from tallow.data.kernels.buckets import period_bounds
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import TIME_TYPE, time_view

Spans = tuple[Times, Times]
"""Ascending opens, and the closes that belong to them, in microseconds since 1970 UTC."""


NONE_PROVISIONAL = pl.DataFrame(schema={"instrument": pl.String(), "timestamp": TIME_TYPE})
"""What `ProvisionalBars.among` returns where facts state all sessions."""


class ProvisionalBars:
    """Finds bars that may change once the facts of their sessions are there.

    A bar of a week or a month is provisional with any of its sessions.
    """

    def __init__(self, calendars: CalendarAssignment, timeframe: Timeframe) -> None:
        self._calendars = calendars
        self._spans = [provisional_spans(c, timeframe.unit) for c in calendars.calendars]
        self._first = min(
            (int(opens[0]) for opens, _ in self._spans if len(opens)), default=END_OF_TIME
        )

    def among(self, bars: pl.DataFrame) -> pl.DataFrame:
        """Return `instrument` and `timestamp` of the provisional ones among sorted bars."""
        if not self.may_have(time_view(bars)):
            return NONE_PROVISIONAL
        names, offsets = instrument_runs(bars)
        calendar_of = np.repeat(self._calendars.indices(names), np.diff(offsets))
        found = self.flags(calendar_of, time_view(bars))
        return bars.select("instrument", "timestamp").filter(pl.Series(found))

    def may_have(self, times: Times) -> bool:
        """Say whether bars with these opens are late enough for one to be provisional."""
        return bool(len(times)) and int(np.maximum.reduce(times)) >= self._first

    def flags(self, calendar_of: Ints, times: Times) -> Flags:
        """Say which bars are provisional, by the indices of their calendars and their opens."""
        found = np.zeros(len(times), dtype=np.bool_)
        for index, spans in enumerate(self._spans):
            found |= (calendar_of == index) & _inside(spans, times)
        return found

    def sentence(self, bars: pl.DataFrame) -> str:
        """Say what is assumed of provisional bars, as `among` returned them; empty without any."""
        return assumed_sentence(self._calendars, bars.row(0), len(bars)) if len(bars) else ""


def assumed_sentence(calendars: CalendarAssignment, first: tuple[str, datetime], bars: int) -> str:
    """Say what is assumed of so many bars, of which the first is an instrument's at a moment."""
    name, moment = first
    calendar = calendars.calendars[int(calendars.indices([name])[0])]
    return (
        f"calendar {calendar}: last_date={calendar.last_date}; bars={bars} of assumed "
        f"sessions, the first at {moment.isoformat()} of {name}; "
        "they are made anew once the facts are there: update the package, or give a TOML file "
        "as calendar_dates="
    )


@lru_cache(maxsize=CALENDARS_MAX)
def provisional_bars(calendars: CalendarAssignment, timeframe: Timeframe) -> ProvisionalBars:
    """Return what finds provisional bars; remembered, as a query asks for it every time."""
    return ProvisionalBars(calendars, timeframe)


@lru_cache(maxsize=CALENDARS_MAX)
def provisional_spans(calendar: Calendar, unit: Unit) -> Spans:
    """Return from when to when bars are provisional, for bars of minutes, days, weeks or months."""
    table = calendar.sessions()
    days = np.flatnonzero(table.day_provisional)
    first, last = (
        (days, days) if unit == "minute" else (e[days] for e in period_bounds(table, unit))
    )
    return table.day_open[first], table.day_close[last]


def _inside(spans: Spans, times: Times) -> Flags:
    opens, closes = spans
    if not len(opens):
        return np.zeros(len(times), dtype=np.bool_)
    at = np.searchsorted(opens, times, side="right") - 1
    inside: Flags = (at >= 0) & (times < closes[np.maximum(at, 0)])
    return inside
