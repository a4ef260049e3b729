"""Venues of exchange_calendars, and those that trade by a rule: ``24/7`` and ``FX``.

exchange_calendars imports pandas and takes a second to do so: imported only inside the functions.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from datetime import date, timedelta
from importlib.metadata import version
from typing import Any

import numpy as np

from tallow.core.arrays import Times
from tallow.core.calendars.base import Venue, days_between, usual_hours
from tallow.core.calendars.facts import SATURDAY
from tallow.core.calendars.table import Hours, Segments, as_dates, date_list, planned_segments
from tallow.core.errors import CalendarError
from tallow.core.limits import CALENDAR_FIRST_DATE
from tallow.core.time import DAY_US

ALWAYS = "24/7"
FX = "FX"
_FX_FIRST = date(1971, 1, 1)
_NEW_YORK = "America/New_York"
_ALWAYS_LAST = date(2099, 12, 31)
_ALL_DAY: Hours = ((0, 24 * 60),)


def always_open() -> Venue:
    """Build ``24/7``: every UTC day from 1990 to 2099 is one session.

    Earlier times are not trades, but zeros, and units mistaken for others.
    """
    end = np.datetime64(_ALWAYS_LAST) + np.timedelta64(1, "D")
    days = np.arange(np.datetime64(CALENDAR_FIRST_DATE), end)
    opens = days.astype("datetime64[us]").astype(np.int64)
    segments = Segments(days, opens, opens + DAY_US, as_dates([]))
    table = segments.table("UTC", CALENDAR_FIRST_DATE, _ALWAYS_LAST)
    return Venue(
        ALWAYS,
        "",
        "UTC",
        CALENDAR_FIRST_DATE,
        _ALWAYS_LAST,
        table,
        lambda _: _ALL_DAY,
        by_rule=True,
    )


def currencies() -> Venue:
    """Build ``FX``: currencies between banks, from Sunday 17:00 to Friday 17:00 in New York.

    A session ends at 17:00 and has the date on which it ends. No holidays: brokers differ in them.
    """
    first, last = _FX_FIRST, _ALWAYS_LAST
    plan = {day: hours for day in days_between(first, last) if (hours := _fx_hours(day))}
    table = planned_segments(plan, _NEW_YORK).table(_NEW_YORK, first, last)
    return Venue(FX, "", _NEW_YORK, first, last, table, _fx_hours, by_rule=True)


def _fx_hours(day: date) -> Hours:
    return ((-7 * 60, 17 * 60),) if day.weekday() < SATURDAY else ()


def venue_codes() -> dict[str, str]:
    """Return every name that exchange_calendars knows, aliases too, with the code it stands for."""
    import exchange_calendars

    names: Iterable[str] = exchange_calendars.get_calendar_names(include_aliases=True)
    return {name: exchange_calendars.resolve_alias(name) for name in names}


def exchange_venue(code: str) -> Venue:
    """Build a venue of exchange_calendars, from 1990 or from where the library's facts begin.

    Beside pandas 3 the library's weeks of six trading days silently stop working: a table that
    lacks sessions loses candles, so a venue begins after the last such week there. `CalendarError`
    if the installed pandas breaks this venue.

    Covers what the library does: a year from today, or less. After its import this takes 0.05 to
    0.4 s, and 2 s for XKRX and XMOS, whatever the range.
    """
    with warnings.catch_warnings():
        # The library's own business: it calls what pandas 3 deprecates, hundreds of times.
        warnings.simplefilter("ignore")
        source, first = _longest(code)
        segments = _schedule_segments(source.schedule)
        first = _whole_from(code, first, segments)
        segments = segments.between(first, date.max)
        timezone, last = str(source.tz), source.default_end().date()
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
        weeks = _special_weeks(code)
        if not weeks:
            raise _broken_by_pandas(code) from error
    # It cannot be built where it lacks sessions.
    first = max(end for _, end, _ in weeks) + timedelta(days=1)
    return _from(code, first), first


def _from(code: str, first: date) -> Any:
    import exchange_calendars

    try:
        return exchange_calendars.get_calendar(code, start=first.isoformat())
    except ValueError as error:
        raise _broken_by_pandas(code) from error


def _special_weeks(code: str) -> list[tuple[date, date, str]]:
    """Return dates between which a venue trades on other weekdays, and on which: ``1111110``."""
    from exchange_calendars import calendar_utils

    kind = calendar_utils._default_calendar_factories[code]
    weeks = getattr(kind, "special_weekmasks", None)
    found = weeks.__get__(object.__new__(kind)) if isinstance(weeks, property) else weeks or []
    return [
        (CALENDAR_FIRST_DATE if start is None else start.date(), end.date(), mask)
        for start, end, mask in found
        if end is not None
    ]


def _whole_from(code: str, first: date, segments: Segments) -> date:
    """Return the first date from which a table lacks no weekday that a special week has."""
    last = segments.dates[-1].astype(object)
    for start, end, mask in sorted(_special_weeks(code), reverse=True):
        days = as_dates(days_between(max(start, first), min(end, last)))
        wanted = {day.weekday() for day in date_list(days) if mask[day.weekday()] == "1"}
        there = date_list(days[np.isin(days, segments.dates)])
        if not wanted <= {day.weekday() for day in there}:
            return max(first, end + timedelta(days=1))
    return first


def _broken_by_pandas(code: str) -> CalendarError:
    versions = " with ".join(f"{name} {version(name)}" for name in ("exchange_calendars", "pandas"))
    return CalendarError(
        f"calendar: name={code!r}; {versions} cannot build its sessions completely; "
        'install "pandas<3"'
    )


def _microseconds(column: Any) -> Times:
    naive = column.dt.tz_convert(None).to_numpy(dtype="datetime64[us]")
    instants: Times = naive.astype(np.int64)
    return instants
