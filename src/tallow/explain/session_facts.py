"""What the calendar says of a bar's session: when it trades, whether that is a fact, and whose."""

from __future__ import annotations

from datetime import date

import numpy as np

from tallow.core.calendars import Calendar
from tallow.core.calendars.facts import rows_of
from tallow.core.calendars.nse import SEGMENTS
from tallow.core.time import from_us
from tallow.core.timeframe import Timeframe
from tallow.data.coverage.days import KINDS, days, session_dates
from tallow.explain.bar_times import BarTimes
from tallow.explain.explanation import SessionFacts

_FACTS = {"XNSE": "nse", "XBOM": "bse", "MCX": "mcx"}
"""Calendars with facts of Tallow's own, and what the names of their files begin with."""


def session_facts(calendar: Calendar, times: BarTimes, size: Timeframe) -> SessionFacts:
    """Return what the calendar says."""
    day: date = session_dates(calendar, np.array([times.opens]))[0].astype(object)
    session = calendar.session(day)
    assert session is not None
    opens, segment = from_us(times.opens), None
    if size.unit == "minute":
        found = [k for k, (a, z) in enumerate(session.segments, 1) if a <= opens < z]
        segment = found[0] if found else None
    kind = KINDS[int(days(calendar, day, day).kind[0])]
    stated = _stated_by(calendar, day, kind)
    return SessionFacts(
        str(calendar), calendar.timezone, day, session.segments, segment, kind, stated
    )


def _stated_by(calendar: Calendar, day: date, kind: str) -> str:
    """Say what states a session's hours."""
    if kind == "provisional":
        return f"no fact: assumed by the venue's rule after {calendar.last_date}"
    prefix = _FACTS.get(calendar.name)
    if prefix is None:
        return f"the calendar {calendar}"
    names = SEGMENTS.get(calendar.segment, frozenset({calendar.segment}))
    special = [
        row
        for row in rows_of(prefix, "special_sessions")
        if row["date"] == day.isoformat() and row.get("segment", calendar.segment) in names
    ]
    if special:
        return f"special session: {special[0]['kind']}{_sources(prefix, special[0])}"
    hours = [
        row
        for row in rows_of(prefix, "hours")
        if row.get("segment", calendar.segment) in names and row["valid_from"] <= day.isoformat()
    ]
    if not hours or kind == "special":
        return f"the calendar {calendar}, with a date of your own"
    return f"regular hours since {hours[-1]['valid_from']}{_sources(prefix, hours[-1])}"


def _sources(prefix: str, row: dict[str, str]) -> str:
    """Return the sources of a row of facts, and how sure they are."""
    by_code = {each["code"]: each["source"] for each in rows_of(prefix, "sources")}
    named = [by_code.get(code, code) for code in row["sources"].split()]
    return f" ({row['confidence']} confidence; {'; '.join(named)})" if named else ""
