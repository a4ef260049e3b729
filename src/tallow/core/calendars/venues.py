"""Venues other than NSE: those of exchange_calendars, and ``24/7``.

exchange_calendars imports pandas and takes a second to do so, hence only inside the functions.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from datetime import date
from importlib.metadata import version
from typing import Any

import numpy as np

from tallow.core.calendars.base import Venue, days_between, usual_hours
from tallow.core.calendars.table import DAY_US, Hours, Instants, Segments, as_dates, date_list
from tallow.core.errors import CalendarError
from tallow.core.limits import CALENDAR_FIRST_DATE

ALWAYS = "24/7"
_ALWAYS_LAST = date(2099, 12, 31)
_ALL_DAY: Hours = ((0, 24 * 60),)


def always_open() -> Venue:
    """Build ``24/7``: every UTC day from 1990 to 2099 is one session.

    Earlier times are no trades, but zeros, and units mistaken for others.
    """
    end = np.datetime64(_ALWAYS_LAST) + np.timedelta64(1, "D")
    days = np.arange(np.datetime64(CALENDAR_FIRST_DATE), end)
    opens = days.astype("datetime64[us]").astype(np.int64)
    segments = Segments(days, opens, opens + DAY_US, as_dates([]))
    table = segments.table("UTC", CALENDAR_FIRST_DATE, _ALWAYS_LAST)
    return Venue(ALWAYS, "", "UTC", CALENDAR_FIRST_DATE, _ALWAYS_LAST, table, lambda _: _ALL_DAY)


def venue_codes() -> dict[str, str]:
    """Return every name that exchange_calendars knows, aliases too, with the code it stands for."""
    import exchange_calendars

    names: Iterable[str] = exchange_calendars.get_calendar_names(include_aliases=True)
    return {name: exchange_calendars.resolve_alias(name) for name in names}


def exchange_venue(code: str) -> Venue:
    """Build a venue of exchange_calendars, from 1990 or from where the library's facts begin.

    Covers what the library does: a year from today, or less. After its import this takes 0.05 to
    0.4 s, and 2 s for XKRX and XMOS, whatever the range.

    Raises
    ------
    CalendarError
        If the installed pandas breaks this venue.
    """
    with warnings.catch_warnings():
        # The library's own business: it calls what pandas 3 deprecates, hundreds of times.
        warnings.simplefilter("ignore")
        source, first = _longest(code)
        segments = _schedule_segments(source.schedule)
        timezone, last = str(source.tz), source.default_end().date()
        _require_special_weeks(code, source, segments)
    table = segments.table(timezone, first, last)
    return Venue(code, "", timezone, first, last, table, usual_hours(table, timezone))


def _schedule_segments(schedule: Any) -> Segments:
    opens, closes = _microseconds(schedule["open"]), _microseconds(schedule["close"])
    pauses, resumes = _microseconds(schedule["break_start"]), _microseconds(schedule["break_end"])
    days = schedule.index.to_numpy().astype("datetime64[D]")
    # A missing break is NaT, the smallest int64; a break outside a shortened session is none.
    broken = (opens < pauses) & (pauses < resumes) & (resumes < closes)
    return Segments(
        np.concatenate([days, days[broken]]),
        np.concatenate([opens, resumes[broken]]),
        np.concatenate([np.where(broken, pauses, closes), closes[broken]]),
        as_dates([]),
    )


def _longest(code: str) -> tuple[Any, date]:
    """Return the library's calendar with the earliest start it accepts, and that date."""
    import exchange_calendars

    try:
        earliest = CALENDAR_FIRST_DATE
        return exchange_calendars.get_calendar(code, start=earliest.isoformat()), earliest
    except ValueError:
        pass  # its facts begin later; only an instance can say when
    except NotImplementedError as error:
        raise _broken_by_pandas(code) from error
    try:
        default = exchange_calendars.get_calendar(code)
        first: date = (default.bound_min() or default.default_start()).date()
        return exchange_calendars.get_calendar(code, start=first.isoformat()), first
    except ValueError as error:
        raise _broken_by_pandas(code) from error


def _require_special_weeks(code: str, source: Any, segments: Segments) -> None:
    # With pandas 3 the library's weeks of six trading days silently stop working: XBOM lacks two
    # sessions, XMOS 40, XKRX 442. A table that lacks sessions loses candles, so refuse it.
    first, last = date_list(segments.dates[[0, -1]])
    usual: str = source.weekmask
    extra = [
        day
        for start, end, mask in getattr(source, "special_weekmasks", [])
        for day in days_between(_later(start, first), _earlier(end, last))
        if mask[day.weekday()] == "1" and usual[day.weekday()] == "0"
    ]
    if extra and not np.isin(as_dates(extra), segments.dates).any():
        raise _broken_by_pandas(code)


def _later(start: Any, first: date) -> date:
    return first if start is None else max(start.date(), first)


def _earlier(end: Any, last: date) -> date:
    return last if end is None else min(end.date(), last)


def _broken_by_pandas(code: str) -> CalendarError:
    versions = " with ".join(f"{name} {version(name)}" for name in ("exchange_calendars", "pandas"))
    return CalendarError(
        f"calendar: name={code!r}; {versions} cannot build its sessions completely; "
        'install "pandas<3"'
    )


def _microseconds(column: Any) -> Instants:
    naive = column.dt.tz_convert(None).to_numpy(dtype="datetime64[us]")
    instants: Instants = naive.astype(np.int64)
    return instants
