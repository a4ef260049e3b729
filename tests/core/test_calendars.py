"""Goal: NSE's sessions are the historical ones, and a calendar never guesses.

Method: dates and hours that the exchange announced, written out here; every date of the reference
facts, worked out a second time by a plain reading of their CSV files; and BSE's calendar of
exchange_calendars, day by day, from which NSE's may differ on a list of known dates only.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tallow.core.calendars import (
    anchor_boundaries,
    calendar_names,
    coverage_warning,
    load_calendar,
)
from tallow.core.errors import CalendarError, CoverageError, SessionTimesUnknownError

INDIA = ZoneInfo("Asia/Kolkata")
REGULAR = ["09:15-15:30"]
SEGMENTS = ["cash-other", "cash-eligible-for-closing-auction", "derivatives"]

MUHURAT = {
    "2015-11-11": "17:45-18:45",
    "2016-10-30": "18:30-19:30",
    "2017-10-19": "18:30-19:30",
    "2018-11-07": "17:30-18:30",
    "2019-10-27": "18:15-19:15",
    "2020-11-14": "18:15-19:15",
    "2021-11-04": "18:15-19:15",
    "2022-10-24": "18:15-19:15",
    "2023-11-12": "18:15-19:15",
    "2024-11-01": "18:00-19:00",
    "2025-10-21": "13:45-14:45",
}
FULL_WEEKENDS = ["2015-02-28", "2020-02-01", "2024-01-20", "2025-02-01", "2026-02-01"]
DRILLS = ["2024-03-02", "2024-05-18"]


def local_hours(day: str, name: str = "XNSE") -> list[str] | None:
    """Return the session as ``HH:MM-HH:MM`` in Indian time."""
    session = load_calendar(name).session(date.fromisoformat(day))
    if session is None:
        return None
    times = [(a.astimezone(INDIA), b.astimezone(INDIA)) for a, b in session.segments]
    return [f"{a:%H:%M}-{b:%H:%M}" for a, b in times]


@pytest.mark.parametrize(("day", "hours"), MUHURAT.items())
def test_muhurat_sessions(day, hours):
    assert local_hours(day) == [hours]


@pytest.mark.parametrize("day", FULL_WEEKENDS)
def test_full_sessions_on_weekends(day):
    assert date.fromisoformat(day).weekday() >= 5
    assert local_hours(day) == REGULAR


@pytest.mark.parametrize("day", DRILLS)
def test_a_drill_splits_its_session(day):
    for segment in SEGMENTS:
        assert local_hours(day, f"XNSE:{segment}") == ["09:15-10:00", "11:30-12:30"]


def test_the_outage_of_2021_ends_at_five():
    assert local_hours("2021-02-24") == ["09:15-11:40", "15:45-17:00"]


def test_halts_cut_no_session():
    for day in ("2017-07-10", "2020-03-13", "2020-03-23"):
        assert local_hours(day) == REGULAR


@pytest.mark.parametrize("day", ["2015-01-26", "2024-01-22", "2024-05-20", "2025-01-25"])
def test_holidays_and_weekends_have_no_session(day):
    assert local_hours(day) is None


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        ("2026-07-31", ["15:30", "15:30", "15:30"]),
        ("2026-08-03", ["15:30", "15:15", "15:40"]),
        ("2026-12-07", ["15:30", "15:30", "15:45"]),
    ],
)
def test_the_closing_auction_of_2026_moves_the_close(day, hours):
    for segment, close in zip(SEGMENTS, hours, strict=True):
        assert local_hours(day, f"XNSE:{segment}") == [f"09:15-{close}"]


def expected_hours(folder, segment):
    """Read the reference facts plainly: {date: hours or None where they are not known}."""

    def rows(name):
        with (folder / "nse" / name).open(encoding="utf-8") as file:
            return list(csv.DictReader(file))

    holidays = {row["date"] for row in rows("holidays.csv")}
    regular = [row for row in rows("hours.csv") if row["segment"] == segment]
    special: dict[str, list[dict[str, str]]] = {}
    for row in rows("special_sessions.csv"):
        if row["segment"] in ("all", segment, segment.split("-", maxsplit=1)[0]):
            special.setdefault(row["date"], []).append(row)
    expected = {}
    for offset in range((date(2026, 12, 31) - date(2015, 1, 1)).days + 1):
        day = date(2015, 1, 1) + timedelta(days=offset)
        text = day.isoformat()
        in_force = [
            f"{row['continuous_open']}-{row['continuous_close']}"
            for row in regular
            if row["valid_from"] <= text <= (row["valid_to"] or "9999")
        ]
        if text in special and special[text][0]["full_day"] == "False":
            hours = [f"{row['open']}-{row['close']}" for row in special[text]]
            expected[text] = None if hours == ["-"] else hours
        elif text in special or (day.weekday() < 5 and text not in holidays):
            expected[text] = in_force
    return expected


@pytest.mark.parametrize("segment", SEGMENTS)
def test_every_date_equals_the_reference_facts(segment, reference):
    name = f"XNSE:{segment}"
    table = load_calendar(name, beyond_coverage="raise").sessions()
    found = {
        str(day): local_hours(str(day), name) if known else None
        for day, known in zip(table.day_date, table.day_known, strict=True)
    }
    assert found == expected_hours(reference, segment)


@pytest.mark.filterwarnings("ignore")
def test_bse_differs_on_the_known_dates_only():
    exchange_calendars = pytest.importorskip("exchange_calendars")
    bombay = exchange_calendars.get_calendar("XBOM", start="2015-01-01", end="2025-12-31").schedule
    theirs = {
        str(day.date()): (opens.value // 1000, closes.value // 1000)
        for day, opens, closes in zip(bombay.index, bombay["open"], bombay["close"], strict=True)
    }
    table = load_calendar("XNSE").sessions()
    ours = {
        str(day): (opens, closes)
        for day, opens, closes in zip(
            table.day_date, table.day_open.tolist(), table.day_close.tolist(), strict=True
        )
        if day < np.datetime64("2026-01-01")
    }
    missing_there = {*MUHURAT, *DRILLS, "2015-02-28", "2020-02-01"}
    # These two depend on the version of pandas that exchange_calendars runs with.
    assert ours.keys() - theirs.keys() - {"2024-01-20", "2025-02-01"} == missing_there
    assert theirs.keys() - ours.keys() == set()
    assert {day for day in theirs if ours[day] != theirs[day]} == {"2021-02-24"}


def test_unknown_hours_are_said_not_guessed():
    calendar = load_calendar("XNSE", beyond_coverage="raise")
    with pytest.raises(
        SessionTimesUnknownError, match=r"date=2026-11-08; .*calendar_dates=.*\[\[session"
    ):
        calendar.session(date(2026, 11, 8))
    table = calendar.sessions()
    (row,) = np.flatnonzero(~table.day_known)
    assert str(table.day_date[row]) == "2026-11-08"
    # 18:30 UTC is midnight in India.
    assert table.day_open[row] == microseconds("2026-11-07T18:30")
    assert table.day_close[row] == microseconds("2026-11-08T18:30")
    assert row not in table.segment_day


@pytest.mark.parametrize("day", [date(2014, 12, 31), date(2027, 1, 1)])
def test_a_date_beyond_the_coverage_raises(day):
    expected = f"calendar XNSE:cash-other: date={day}; covers 2015-01-01..2026-12-31; .*weekdays"
    with pytest.raises(CoverageError, match=expected):
        load_calendar("XNSE", beyond_coverage="raise").session(day)


def test_the_table_spans_local_midnights():
    table = load_calendar("XNSE", beyond_coverage="raise").sessions()
    assert table.covered_from == microseconds("2014-12-31T18:30")
    assert table.covered_until == microseconds("2026-12-31T18:30")
    assert not table.segment_open.flags.writeable


def test_weekdays_lengthen_the_coverage_by_the_nearest_hours():
    name = "XNSE:derivatives"
    calendar = load_calendar(name, beyond_coverage="weekdays")
    assert (calendar.first_date, calendar.last_date) == (date(1800, 1, 1), date(2060, 12, 31))
    assert calendar.session(date(2014, 12, 27)) is None
    early = calendar.session(date(2014, 12, 31))
    late = calendar.session(date(2027, 1, 4))
    assert early is not None
    assert late is not None
    # 09:15-15:30 before the closing auction, 09:15-15:45 after it; India is 5:30 ahead of UTC.
    assert [f"{t:%H:%M}" for t in early.segments[0]] == ["03:45", "10:00"]
    assert [f"{t:%H:%M}" for t in late.segments[0]] == ["03:45", "10:15"]
    # What is known stays as it is.
    assert calendar.session(date(2024, 1, 22)) is None


def test_a_row_before_the_open_belongs_to_its_date_and_one_after_the_close_to_the_day_before():
    calendar = load_calendar("XNSE")
    table = calendar.sessions()
    boundaries = anchor_boundaries(table, calendar.timezone)
    day = int(np.searchsorted(table.day_date, np.datetime64("2024-03-04")))
    # The Saturday's drill lies before that Monday; its Sunday rows still count to Saturday.
    assert boundaries[day] == microseconds("2024-03-03T18:30")
    assert boundaries[0] == table.covered_from
    assert (np.diff(boundaries) > 0).all()
    assert (boundaries <= table.day_open).all()


def test_every_spelling_shares_one_object():
    one = load_calendar("XNSE")
    for name in ("NSE", "nse", " xnse:cash-other ", "XNSE:Cash-Other"):
        assert load_calendar(name) is one
    assert str(one) == "XNSE:cash-other"
    assert load_calendar("XNSE:derivatives") is not one
    for name in calendar_names():
        assert load_calendar(name).sessions() is load_calendar(name).sessions()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("XNSR", "name='XNSR'; no such calendar; did you mean .*XNSE"),
        ("", "no such calendar; for example XNSE, XNYS, 24/7"),
        ("XNSE:derivative", "unknown segment 'derivative'; did you mean derivatives"),
        ("24/7:spot", "only XNSE and XBOM have segments; ask for '24/7'"),
    ],
)
def test_an_unknown_name_is_answered_with_near_ones(name, message):
    with pytest.raises(CalendarError, match=message):
        load_calendar(name)


def test_beyond_must_be_one_of_three():
    with pytest.raises(
        CalendarError, match="beyond_coverage='guess'; must be 'assume', 'raise' or"
    ):
        load_calendar("XNSE", beyond_coverage="guess")  # type: ignore[arg-type]


def test_a_warning_comes_before_the_coverage_ends():
    calendar = load_calendar("XNSE")
    assert coverage_warning(calendar, date(2026, 10, 1)) is None
    assert "end in 39 days" in str(coverage_warning(calendar, date(2026, 11, 22)))
    assert "ended 5 days ago" in str(coverage_warning(calendar, date(2027, 1, 5)))


def microseconds(text: str) -> int:
    return int(np.datetime64(text, "us").astype(np.int64))
