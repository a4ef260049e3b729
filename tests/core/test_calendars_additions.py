"""Goal: a user can add and override dates, and a wrong file says what is wrong with which entry.

Method: small TOML files, written out beside what must follow from them.
"""

from __future__ import annotations

import os
from datetime import date

import pytest

from tallow.core.calendars import load_calendar
from tallow.core.errors import CalendarError, CoverageError, SessionTimesUnknownError


@pytest.fixture
def load(tmp_path):
    """Return a function that loads a calendar with a file of the given text."""

    def load(text: str, name: str = "XNSE", beyond="raise"):
        path = tmp_path / "dates.toml"
        path.write_text(text, encoding="utf-8")
        return load_calendar(name, calendar_dates=path, beyond_coverage=beyond)

    return load


def utc_hours(calendar, day: str):
    session = calendar.session(date.fromisoformat(day))
    return session and [f"{a:%H:%M}-{b:%H:%M}" for a, b in session.segments]


def test_unknown_hours_can_be_added(load):
    calendar = load('[[session]]\ndate = 2026-11-08\nopen = "18:15"\nclose = "19:15"\n')
    assert utc_hours(calendar, "2026-11-08") == ["12:45-13:45"]
    assert calendar.sessions().day_known.all()
    # Only that date has changed.
    before = load_calendar("XNSE", beyond_coverage="raise").sessions()
    assert set(before.segment_open) < set(calendar.sessions().segment_open)
    assert len(calendar.sessions().segment_open) == len(before.segment_open) + 1


def test_several_tables_of_a_date_split_its_session(load):
    calendar = load("""
        session = [
            {date = 2025-06-02, open = 13:00:00, close = "24:00"},
            {date = 2025-06-02, open = "09:15", close = "10:00"},
        ]""")
    assert utc_hours(calendar, "2025-06-02") == ["03:45-04:30", "07:30-18:30"]


def test_a_session_may_concern_one_segment(load):
    text = """
        [[session]]
        date = 2026-11-08
        open = "18:15"
        close = "19:15"
        segment = "cash"
    """
    for segment in ("cash-other", "cash-eligible-for-closing-auction"):
        assert utc_hours(load(text, f"XNSE:{segment}"), "2026-11-08") == ["12:45-13:45"]
    with pytest.raises(SessionTimesUnknownError):
        load(text, "XNSE:derivatives").session(date(2026, 11, 8))


def test_the_coverage_is_lengthened_by_weekdays_without_the_holidays(load):
    calendar = load("""
        covered_until = 2027-12-31
        [[holiday]]
        date = 2027-01-26
        name = "Republic Day"
        [[session]]
        date = 2027-02-06
        open = "09:15"
        close = "15:30"
    """)
    assert calendar.last_date == date(2027, 12, 31)
    assert utc_hours(calendar, "2027-01-25") == ["03:45-10:00"]
    assert utc_hours(calendar, "2027-01-26") is None
    assert utc_hours(calendar, "2027-01-30") is None
    assert utc_hours(calendar, "2027-02-06") == ["03:45-10:00"]
    with pytest.raises(CoverageError):
        calendar.session(date(2028, 1, 1))


def test_a_holiday_overrides_a_session(load):
    assert utc_hours(load("[[holiday]]\ndate = 2026-12-24\n"), "2026-12-24") is None


def test_a_file_outlives_an_update_of_the_calendar(load):
    assert load("covered_until = 2020-12-31").last_date == date(2026, 12, 31)


def test_other_venues_take_dates_too(load):
    calendar = load('[[session]]\ndate = 2025-07-04\nopen = "09:30"\nclose = "13:00"', "XNYS")
    assert utc_hours(calendar, "2025-07-04") == ["13:30-17:00"]
    assert utc_hours(load("[[holiday]]\ndate = 2025-07-05", "24/7"), "2025-07-05") is None


def test_an_edited_file_is_read_again(load, tmp_path):
    first = load("[[holiday]]\ndate = 2026-12-24\n", beyond="assume")
    assert load_calendar("XNSE", calendar_dates=os.fspath(tmp_path / "dates.toml")) is first
    assert utc_hours(load("[[holiday]]\ndate = 2026-12-23\nname=''\n"), "2026-12-23") is None


SESSION = '[[session]]\ndate = 2025-06-02\nopen = "09:15"\nclose = "15:30"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("date = ", r"file; is no TOML"),
        ("[[holidays]]", r"top level: holidays; unknown key; did you mean holiday\?"),
        ("session = 3", r"session; is no list of tables; write \[\[session\]\]"),
        ("holiday = [3]", r"holiday 1; is no table; write \[\[holiday\]\]"),
        ("[[holiday]]", r"holiday 1: date=missing; must be a date without quotes"),
        ("[[holiday]]\ndate = '2025-06-02'", r"date='2025-06-02'; must be a date without quotes"),
        ("[[holiday]]\ndate = 2025-06-02T00:00:00", r"must be a date without quotes"),
        ("covered_until = 2027", r"covered_until=2027; must be a date"),
        ("covered_until = 2061-01-01", r"covered_until=2061-01-01; must not be after 2060-12-31"),
        (
            "[[holiday]]\ndate = 2027-01-26",
            r"date=2027-01-26; outside the coverage .*covered_until",
        ),
        (SESSION.replace('"09:15"', '"9:15"'), r"session 1: open='9:15'; must be \"HH:MM\""),
        (SESSION.replace('"15:30"', '"24:01"'), r"session 1: close='24:01'; must be \"HH:MM\""),
        (SESSION.replace('close = "15:30"', ""), r"session 1: close=missing"),
        (SESSION + SESSION, r"session 2: date=2025-06-02; overlaps another session"),
        (SESSION + "[[holiday]]\ndate = 2025-06-02", r"holiday 1: .* has a session too"),
        (SESSION + "segment = 'futures'", r"segment='futures'; unknown segment; .*derivatives"),
        (SESSION + "lunch = '12:00'", r"session 1: lunch; unknown key"),
    ],
)
def test_a_wrong_file_is_answered_with_file_entry_and_rule(load, text, message):
    with pytest.raises(CalendarError, match=rf"^dates: file=\S*dates\.toml; .*{message}"):
        load(text)


def test_segments_are_for_venues_that_have_them(load):
    with pytest.raises(CalendarError, match="segment='cash'; XNYS has no segments; leave it out"):
        load(SESSION + "segment = 'cash'", "XNYS")


def test_a_session_may_not_meet_the_night_session_of_the_next_date(load):
    # New Year's Day has no session, and that of the 2nd opens on its evening.
    text = '[[session]]\ndate = 2025-01-01\nopen = "09:00"\nclose = "20:00"\n'
    with pytest.raises(
        CalendarError, match="date=2025-01-01; its session overlaps that of 2025-01"
    ):
        load(text, "CMES")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CalendarError, match=r"nowhere\.toml; file; cannot be read"):
        load_calendar("XNSE", calendar_dates=tmp_path / "nowhere.toml")
