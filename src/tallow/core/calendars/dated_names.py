"""Calendars of instruments whose segment, or venue, changes on a date.

``XNSE, XNSE:cash-eligible-for-closing-auction from 2026-09-01``: the first one's sessions up to the
day before, and the other's from that date on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from tallow.core.calendars.calendar import Calendar
from tallow.core.calendars.table import as_dates, date_list, segments_of
from tallow.core.errors import CalendarError, excerpt

_FROM = re.compile(r"(.+?)\s+from\s+(\d{4}-\d\d-\d\d)", re.IGNORECASE)


def split_dated_names(text: str) -> list[tuple[str, date | None]]:
    """Return the names in a text, and from when each holds; None is from the beginning.

    `CalendarError` if a name but the first lacks its date, or the dates do not ascend.
    """
    first, *others = (part.strip() for part in text.split(","))
    found: list[tuple[str, date | None]] = [(first, None)]
    last = date.min
    for part in others:
        match = _FROM.fullmatch(part)
        try:
            since = date.fromisoformat(match[2]) if match else date.min
        except ValueError:
            since = date.min
        if match is None or since <= last:
            raise CalendarError(
                f"calendar: name={excerpt(text)}; {part!r}; each name after the first needs a date "
                'later than the one before: "XNSE, XNSE:derivatives from 2026-09-01"'
            )
        found.append((match[1], since))
        last = since
    return found


def combine_calendars(text: str, parts: Sequence[tuple[Calendar, date | None]]) -> Calendar:
    """Return one calendar of several, each of which holds from its date on.

    `CalendarError` if they are of several time zones, do not cover their dates, or sessions
    overlap.
    """
    first, last = parts[0][0], parts[-1][0]
    ends = [since - timedelta(days=1) for _, since in parts[1:] if since is not None]
    spans = [
        (calendar, since or calendar.first_date, end)
        for (calendar, since), end in zip(parts, [*ends, last.assumed_until], strict=True)
    ]
    for calendar, since, end in spans:
        if calendar.timezone != first.timezone:
            raise _error(text, f"{calendar} is of {calendar.timezone}, {first} of {first.timezone}")
        if not calendar.first_date <= since <= end <= calendar.assumed_until:
            covered = f"{calendar.first_date}..{calendar.assumed_until}"
            raise _error(text, f"{calendar} covers {covered}, and is to hold {since}..{end}")
    segments = segments_of(spans[0][0].table).between(*spans[0][1:])
    for calendar, since, end in spans[1:]:
        segments = segments.union(segments_of(calendar.table).between(since, end))
    if days := segments.overlapping():
        raise _error(text, f"the session of {days[0]} overlaps the next one")
    table = segments.table(first.timezone, first.first_date, last.assumed_until)
    assumed = [
        day
        for calendar, since, end in spans
        for day in date_list(calendar.table.day_date[calendar.table.day_provisional])
        if since <= day <= end
    ]
    table = replace(table, day_provisional=np.isin(table.day_date, as_dates(assumed)))
    limits = first.first_date, last.last_date
    return Calendar(text, "", first.timezone, *limits, table, last.assumed_days, last.beyond)


def _error(text: str, rule: str) -> CalendarError:
    return CalendarError(f"calendar: name={excerpt(text)}; {rule}; name other dates or venues")
