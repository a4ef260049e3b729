"""Goal: other venues open and close when they really did: clock changes, breaks, night sessions.

Method: dates around which a venue's hours in UTC are known to jump, written out here.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import numpy as np
import pytest

from tallow.core.calendars import Calendar, anchor_boundaries, load_calendar, venues
from tallow.core.calendars.table import Segments
from tallow.core.errors import CalendarError


def utc_hours(calendar: Calendar, day: str) -> list[str] | None:
    session = calendar.session(date.fromisoformat(day))
    if session is None:
        return None
    return [f"{opens:%H:%M}-{closes:%H:%M}" for opens, closes in session.segments]


def test_new_york_changes_its_clock():
    calendar = load_calendar("XNYS")
    assert utc_hours(calendar, "2025-03-07") == ["14:30-21:00"]
    assert utc_hours(calendar, "2025-03-10") == ["13:30-20:00"]
    assert utc_hours(calendar, "2024-11-29") == ["14:30-18:00"]  # the day after Thanksgiving
    assert utc_hours(calendar, "2025-07-04") is None
    assert calendar.timezone == "America/New_York"
    assert load_calendar("nyse") is calendar


def test_tokyo_has_lunch_and_closed_later_from_november_2024():
    calendar = load_calendar("XTKS")
    assert utc_hours(calendar, "2024-11-01") == ["00:00-02:30", "03:30-06:00"]
    assert utc_hours(calendar, "2024-11-05") == ["00:00-02:30", "03:30-06:30"]
    assert calendar.first_date == date(1997, 1, 1)


def test_hong_kong_has_no_lunch_on_a_half_day():
    calendar = load_calendar("XHKG")
    assert utc_hours(calendar, "2024-12-23") == ["01:30-04:00", "05:00-08:00"]
    assert utc_hours(calendar, "2024-12-24") == ["01:30-04:00"]


def test_a_session_may_open_on_the_evening_before_its_date():
    calendar = load_calendar("CMES")
    session = calendar.session(date(2025, 1, 15))
    assert session is not None
    # 17:00 in Chicago on the 14th to 17:00 on the 15th.
    assert [str(t) for t in session.segments[0]] == [
        "2025-01-14 23:00:00+00:00",
        "2025-01-15 23:00:00+00:00",
    ]
    table = calendar.sessions()
    assert table.covered_from <= table.segment_open[0]
    # The last evening belongs to a date that is not covered.
    assert table.covered_until == table.day_close[-1]
    day = int(np.searchsorted(table.day_date, np.datetime64("2025-01-15")))
    assert anchor_boundaries(table, calendar.timezone)[day] == table.day_open[day]


def test_weekdays_follow_the_wall_clock_and_the_venue_s_week():
    calendar = load_calendar("XTKS", beyond_coverage="weekdays")
    assert utc_hours(calendar, "2055-06-01") == ["00:00-02:30", "03:30-06:30"]
    york = load_calendar("XNYS", beyond_coverage="weekdays")
    assert utc_hours(york, "2059-01-06") == ["14:30-21:00"]
    assert utc_hours(york, "2059-07-08") == ["13:30-20:00"]
    assert utc_hours(york, "2059-07-12") is None  # a Saturday


def test_the_clock_around_never_closes():
    calendar = load_calendar("24/7")
    table = calendar.sessions()
    assert (table.day_close[:-1] == table.day_open[1:]).all()
    assert len(table.day_date) == 40_177  # 1990..2099 has 110 years and 27 leap days
    assert table.covered_from == 631_152_000_000_000  # 1990-01-01 UTC
    assert (anchor_boundaries(table, "UTC") == table.day_open).all()
    assert load_calendar("24/7", beyond_coverage="weekdays").last_date == date(2099, 12, 31)


def test_a_venue_begins_where_the_library_lacks_no_weekday(monkeypatch):
    """A week of six days that lost its Saturday, as exchange_calendars 4.13 gives with pandas 3."""
    weeks = [(date(2024, 1, 15), date(2024, 1, 21), "1111110")]
    monkeypatch.setattr(venues, "_special_weeks", lambda code: weeks)
    days = np.arange("2024-01-01", "2024-02-01", dtype="datetime64[D]")
    opens = days.astype("datetime64[us]").astype(np.int64)
    whole = Segments(days, opens, opens + 1, days[:0]).without(
        date(2024, 1, day) for day in (6, 7, 13, 14, 21, 27, 28)
    )
    first = date(2024, 1, 1)
    assert venues._whole_from("X", first, whole) == first
    assert venues._whole_from("X", first, whole.without([date(2024, 1, 20)])) == date(2024, 1, 22)


@pytest.mark.parametrize("name", ["XKRX", "XMOS"])
def test_venues_with_special_weeks_work_beside_any_pandas(name):
    calendar = load_calendar(name)
    assert date(1990, 1, 1) <= calendar.first_date <= date(2025, 1, 1)
    # 09:00 in Seoul, and 09:50 in Moscow.
    hours = utc_hours(calendar, "2025-06-02") or [""]
    assert hours[0][:5] in {"00:00", "07:00", "06:50"}


@pytest.mark.parametrize("failing_call", ["first", "second"])
def test_a_library_that_fails_is_named(monkeypatch, failing_call):
    import exchange_calendars

    def fail(code, start=None):
        raise NotImplementedError if failing_call == "first" else ValueError(code)

    monkeypatch.setattr(exchange_calendars, "get_calendar", fail)
    with pytest.raises(
        CalendarError, match=r"name='XTAE'; exchange_calendars \S+ with pandas \S+ "
    ):
        venues.exchange_venue("XTAE")


def test_our_own_calendars_import_no_pandas():
    code = (
        "import sys; from tallow.core.calendars import load_calendar; "
        "load_calendar('NSE'); load_calendar('24/7'); "
        "sys.exit('pandas' in sys.modules or 'polars' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
