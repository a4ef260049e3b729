"""Find a calendar by name, and lengthen it where that is asked for."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from threading import RLock
from typing import Literal, get_args

from tallow.core.calendars.additions import Additions, read_additions
from tallow.core.calendars.base import Venue, days_between
from tallow.core.calendars.bse import BSE
from tallow.core.calendars.calendar import Calendar
from tallow.core.calendars.dated_names import combine_calendars, split_dated_names
from tallow.core.calendars.mcx import NAME as MCX
from tallow.core.calendars.mcx import mcx
from tallow.core.calendars.nse import DEFAULT_SEGMENT, NSE, SEGMENTS
from tallow.core.calendars.table import Hours, Segments, planned_segments, segments_of
from tallow.core.calendars.venues import (
    ALWAYS,
    FX,
    always_open,
    currencies,
    exchange_venue,
    venue_codes,
)
from tallow.core.errors import CalendarError, excerpt, near_matches
from tallow.core.given import file_path
from tallow.core.limits import (
    ASSUMED_DAYS,
    CALENDAR_LAST_DATE,
    CALENDARS_MAX,
    NAME_CHARACTERS_MAX,
    WEEKDAYS_FIRST_DATE,
)

Beyond = Literal["assume", "raise", "weekdays"]
BEYOND: tuple[Beyond, ...] = get_args(Beyond)

_SEGMENTED = {facts.name: facts.venue for facts in (NSE, BSE)}
_ALIASES = {
    **dict.fromkeys((NSE.name, "NSE"), NSE.name),
    **dict.fromkeys((BSE.name, "BSE"), BSE.name),
    **dict.fromkeys((MCX, "XIMC"), MCX),
    **dict.fromkeys((FX, "FOREX", "CURRENCIES"), FX),
    ALWAYS: ALWAYS,
}
"""Names of our own calendars, and what each stands for."""

_WHOLE = {MCX: mcx, FX: currencies, ALWAYS: always_open}
# Two threads that ask for one calendar get the same object, and pay for building it once.
_loading = RLock()


def load_calendar(
    name: str,
    *,
    calendar_dates: str | os.PathLike[str] | None = None,
    beyond_coverage: Beyond = "assume",
) -> Calendar:
    """Return a calendar; equal arguments give the same object.

    Parameters
    ----------
    name
        ``XNSE`` (or ``NSE``; segment ``cash-other``), ``XNSE:derivatives``,
        ``XNSE:cash-eligible-for-closing-auction``, ``XBOM`` (or ``BSE``, with the same segments),
        ``MCX`` (its non-agricultural contracts), ``FX`` (or ``forex``: Sunday 17:00 to Friday
        17:00 in New York), ``24/7``, or any code or alias of exchange_calendars, such as ``XNYS``
        or ``NYSE``. Case does not matter. Several of one time zone, where an instrument's segment
        changes on a date: ``XNSE, XNSE:cash-eligible-for-closing-auction from 2026-09-01``.
    calendar_dates
        A TOML file of your own sessions, holidays and later years::

            covered_until = 2027-12-31      # optional; must stand before the tables

            [[session]]                     # replaces the whole date; several make a split session
            date = 2026-11-08
            open = "18:15"                  # the venue's wall clock; a close may be "24:00"
            close = "19:15"                 # one that is not later crosses midnight
            segment = "derivatives"         # optional; default: all segments

            [[holiday]]
            date = 2027-01-26
            name = "Republic Day"           # optional

        Up to `covered_until`, the weekdays on which the venue trades are sessions of its regular
        hours. A session that crosses midnight opens on the evening before its date where the
        venue's own do (``FX``, ``CMES``), and closes on the morning after elsewhere. An edited file
        is read again.
    beyond_coverage
        Dates without facts. ``assume``: for 400 days after the last fact they are
        sessions of the regular hours, on the weekdays on which the venue trades, and a session
        that is announced without hours may be at any time of its date; all these are marked
        provisional. ``raise``: they are errors. ``weekdays``: from 1800 to 2060 they are sessions
        of the nearest known regular hours; no holiday is known there.

    Raises
    ------
    CalendarError
        If the name is unknown, or the file breaks a rule.

    Examples
    --------
    >>> from datetime import date
    >>> session = load_calendar("XNSE").session(date(2024, 3, 2))
    >>> [f"{opens:%H:%M}-{closes:%H:%M}" for opens, closes in session.segments]
    ['03:45-04:30', '06:00-07:00']
    """
    if beyond_coverage not in BEYOND:
        raise CalendarError(
            f"calendar: beyond_coverage={excerpt(beyond_coverage)}; must be 'assume', 'raise' or "
            "'weekdays'"
        )
    path = None
    if calendar_dates is not None:
        path = str(file_path("dates: file", calendar_dates, CalendarError).resolve())
    if len(name) > NAME_CHARACTERS_MAX:
        raise CalendarError(
            f"calendar: name={excerpt(name)}; at most {NAME_CHARACTERS_MAX:,} characters are read"
        )
    dated_names = tuple((_canonical(part), since) for part, since in split_dated_names(name))
    with _loading:
        return _load_all(dated_names, path, _edition(path), beyond_coverage)


def calendar_names() -> list[str]:
    """Return our own calendars, segments included.

    All codes of exchange_calendars work too (`exchange_calendars.get_calendar_names()`); they are
    not listed, because the library takes a second to import.
    """
    names = [name for code in _SEGMENTED for name in (code, *(f"{code}:{s}" for s in SEGMENTS))]
    return [*names, *_WHOLE]


@lru_cache(maxsize=CALENDARS_MAX)
def _load_all(
    dated_names: tuple[tuple[str, date | None], ...],
    path: str | None,
    edition: tuple[int, int] | None,
    beyond: Beyond,
) -> Calendar:
    parts = [(_load(name, path, edition, beyond), since) for name, since in dated_names]
    if len(parts) == 1:
        return parts[0][0]
    names = (str(calendar) + (f" from {since}" if since else "") for calendar, since in parts)
    return combine_calendars(", ".join(names), parts)


@lru_cache(maxsize=CALENDARS_MAX)
def _load(name: str, path: str | None, edition: tuple[int, int] | None, beyond: Beyond) -> Calendar:
    venue = _venue(name)
    additions = read_additions(path, venue) if path else Additions()
    first, facts_until, last = _coverage(venue, additions, beyond)
    table = venue.table
    if (first, last) != (venue.first_date, venue.last_date) or additions.hours:
        _check_covered(venue, additions, first, last)
        plan = _plan(venue, additions, first, last)
        segments = segments_of(table).without(plan).union(planned_segments(plan, venue.timezone))
        _check_disjoint(venue, additions, segments)
        table = segments.table(venue.timezone, first, last)
    if beyond == "assume":
        table = table.mark_assumed(facts_until, except_for=additions.hours)
    names = venue.name, venue.segment, venue.timezone
    return Calendar(*names, first, facts_until, table, (last - facts_until).days, beyond)


@lru_cache(maxsize=CALENDARS_MAX)
def _venue(name: str) -> Venue:
    code, _, segment = name.partition(":")
    if code in _SEGMENTED:
        return _SEGMENTED[code](segment)
    return _WHOLE[code]() if code in _WHOLE else exchange_venue(code)


def _canonical(name: str) -> str:
    """Resolve aliases and defaults, so that every spelling of a name shares one calendar."""
    code, colon, segment = (part.strip() for part in name.partition(":"))
    own = _ALIASES.get(code.upper(), "")
    if own in _SEGMENTED:
        segment = segment.lower() if colon else DEFAULT_SEGMENT
        if segment not in SEGMENTS:
            hint = near_matches(segment, SEGMENTS)
            raise CalendarError(f"calendar: name={name!r}; unknown segment {segment!r}; {hint}")
        return f"{own}:{segment}"
    if colon:
        segmented = " and ".join(_SEGMENTED)
        raise CalendarError(
            f"calendar: name={name!r}; only {segmented} have segments; ask for {code!r}"
        )
    return own or _exchange_code(code)


def _exchange_code(name: str) -> str:
    codes = {known.upper(): code for known, code in venue_codes().items()}
    if name.upper() in codes:
        return codes[name.upper()]
    known = {*codes, *_ALIASES}
    near = difflib.get_close_matches(name.upper(), known, n=3, cutoff=0.5)
    hint = (
        f"did you mean {' or '.join(near)}?" if near else f"for example {NSE.name}, XNYS, {ALWAYS}"
    )
    raise CalendarError(f"calendar: name={name!r}; no such calendar; {hint}")


def _edition(path: str | None) -> tuple[int, int] | None:
    """Return what changes when the file does; a missing file is reported where it is read."""
    if path is None or not Path(path).exists():
        return None
    status = Path(path).stat()
    return status.st_mtime_ns, status.st_size


def _coverage(venue: Venue, additions: Additions, beyond: Beyond) -> tuple[date, date, date]:
    """Return the first date covered, the last one with facts, and the last one covered."""
    first, last = venue.first_date, max(venue.last_date, additions.covered_until or date.min)
    if last > max(venue.last_date, CALENDAR_LAST_DATE):
        raise CalendarError(
            f"dates: file={additions.source}; covered_until={last}; must not be after "
            f"{CALENDAR_LAST_DATE}"
        )
    if venue.by_rule:
        return first, last, last
    if beyond == "weekdays":
        until = max(last, CALENDAR_LAST_DATE)
        return min(first, WEEKDAYS_FIRST_DATE), until, until
    if beyond == "assume":
        assumed = min(last + timedelta(days=ASSUMED_DAYS), CALENDAR_LAST_DATE)
        return first, last, max(last, assumed)
    return first, last, last


def _check_covered(venue: Venue, additions: Additions, first: date, last: date) -> None:
    for day in additions.hours:
        if not first <= day <= last:
            raise CalendarError(
                f"dates: file={additions.source}; date={day}; outside the coverage of "
                f"{venue.name}, {first}..{last}; give a later covered_until"
            )


def _check_disjoint(venue: Venue, additions: Additions, segments: Segments) -> None:
    """Raise where an added session meets one of the day before or after, of a night market."""
    if days := segments.overlapping():
        raise CalendarError(
            f"dates: file={additions.source}; date={days[0]}; its session overlaps that of "
            f"{days[1]} on {venue.name}; add a holiday on one of them or change the hours"
        )


def _plan(venue: Venue, additions: Additions, first: date, last: date) -> Mapping[date, Hours]:
    """Return all days that differ from the venue's table; ``()`` drops what the table has."""
    one_day = timedelta(days=1)
    before = days_between(first, venue.first_date - one_day)
    after = days_between(venue.last_date + one_day, last)
    unknown = {day: venue.regular(day) for days in (before, after) for day in days}
    return {**unknown, **additions.hours}
