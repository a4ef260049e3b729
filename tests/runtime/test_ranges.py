"""Goal: a range's bars are the whole history's bars, cut; a bare date means a session.

Method: every way to write a moment, on calendars in several zones, with the bars expected written
as local times; and any cut at all against the whole result.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow import AnalyticsEngine
from tallow.core import moments as moments_read
from tallow.core.errors import RangeError
from tests.frames import assert_same_frame, candles, local, market, minutes

DAYS = ("2025-05-30", "2025-06-02", "2025-06-03")
ENGINE = AnalyticsEngine({"N": "XNYS", "*": "XNSE"}, threads=1)


def three_days() -> pl.DataFrame:
    """Return candles of two sessions and a bit, on NSE and in New York."""
    opens = {"A": "09:15+05:30", "B": "09:15+05:30", "N": "09:30-04:00"}
    frames = [
        candles(name, minutes(f"{day}T{time}", 40, step=9), seed=place)
        for place, day in enumerate(DAYS)
        for name, time in opens.items()
    ]
    return pl.concat(frames).sort("instrument", "timestamp")


WHOLE = ENGINE.process_candles(three_days(), "15m", "ema(3), vwap").frame


def cut(**limits: Any) -> pl.DataFrame:
    return ENGINE.process_candles(three_days(), "15m", "ema(3), vwap", **limits).frame


def dates(frame: pl.DataFrame) -> dict[str, set[str]]:
    """Return the trading dates of each venue's bars, as its clock shows them."""
    zones = {"A": "Asia/Kolkata", "N": "America/New_York"}
    return {
        name: {text[:10] for text in local(frame.filter(instrument=name)["timestamp"], zone)}
        for name, zone in zones.items()
    }


moments = st.datetimes(datetime(2025, 5, 29), datetime(2025, 6, 5), timezones=st.just(UTC))  # noqa: DTZ001


@settings(max_examples=40)
@given(st.none() | moments, st.none() | moments, st.none() | st.sampled_from(["A", ["B", "N"], []]))
def test_a_range_is_a_cut_of_the_whole(start, end, instruments):
    """Values too: indicators have seen all that came before."""
    if start and end and end < start:
        start, end = end, start
    expected = WHOLE
    if start:
        expected = expected.filter(pl.col("timestamp") >= start)
    if end:
        expected = expected.filter(pl.col("timestamp") < end)
    if instruments is not None:
        expected = expected.filter(pl.col("instrument").is_in(list(instruments)))
    assert_same_frame(cut(start=start, end=end, instruments=instruments), expected)


def test_a_bare_date_is_a_session_of_each_venue_and_included():
    for day in ("2025-06-02", date(2025, 6, 2), " 2025-06-02 "):
        frame = cut(start=day, end=day)
        assert dates(frame) == {"A": {"2025-06-02"}, "N": {"2025-06-02"}}
    assert dates(cut(start="2025-06-03")) == {"A": {"2025-06-03"}, "N": {"2025-06-03"}}
    assert dates(cut(end="2025-05-30")) == {"A": {"2025-05-30"}, "N": {"2025-05-30"}}


def test_dates_without_a_session_are_fine():
    """2025-05-31 and 2025-06-01 are a weekend."""
    assert len(cut(start="2025-05-31", end="2025-06-01")) == 0
    assert_same_frame(cut(start="2025-05-31"), cut(start="2025-06-02"))
    assert_same_frame(cut(end="2025-06-01"), cut(end="2025-05-30"))


@pytest.mark.parametrize("far", ["0001-01-01", "1900-01-01", "2100-01-01", "9999-12-31"])
def test_dates_far_outside_the_calendar_are_no_limit(far):
    limits = {"start": far} if far < "2000" else {"end": far}
    assert_same_frame(cut(**limits), WHOLE)
    opposite = {"end": far} if far < "2000" else {"start": far}
    assert len(cut(**opposite)) == 0


def test_an_instant_is_included_at_the_start_and_not_at_the_end():
    frame = cut(start="2025-06-02T09:30:00+05:30", end="2025-06-02T10:00:00+05:30", instruments="A")
    assert local(frame["timestamp"]) == ["2025-06-02 09:30", "2025-06-02 09:45"]
    same = datetime(2025, 6, 2, 4, 0, tzinfo=UTC)
    again = cut(start=same, end=same + timedelta(minutes=30), instruments=["A"])
    assert_same_frame(again, frame)
    assert len(cut(start=same, end=same)) == 0


@pytest.mark.parametrize("moment", ["2025-06-02T09:30", datetime(2025, 6, 2, 9, 30)])  # noqa: DTZ001
def test_a_time_without_an_offset_is_one_of_each_venues_clocks(moment):
    frame = cut(start=moment, end="2025-06-02T10:00")
    of_venues = {"A": ("Asia/Kolkata", "09:45"), "N": ("America/New_York", "09:45")}
    for name, (zone, last) in of_venues.items():
        own = local(frame.filter(instrument=name)["timestamp"], zone)
        assert own == ["2025-06-02 09:30", f"2025-06-02 {last}"]


@pytest.mark.parametrize(
    ("limits", "india", "new_york"),
    [
        ({"start": "today"}, {"2025-06-03"}, {"2025-06-02", "2025-06-03"}),
        ({"start": "yesterday", "end": "Yesterday"}, {"2025-06-02"}, set()),
        ({"end": "yesterday"}, {"2025-05-30", "2025-06-02"}, {"2025-05-30"}),
        ({"start": "-4d", "end": "-2d"}, {"2025-05-30"}, {"2025-05-30"}),
    ],
)
def test_days_are_counted_back_from_each_venues_today(limits, india, new_york, monkeypatch):
    """At 20:00 UTC on 2025-06-02 it is the next day in India already."""
    now = int(datetime(2025, 6, 2, 20, 7, tzinfo=UTC).timestamp()) * 1_000_000
    monkeypatch.setattr(moments_read, "now_us", lambda: now)
    assert dates(cut(**limits)) == {"A": india, "N": new_york}


def test_a_date_and_an_instant_go_together():
    frame = cut(start="2025-06-03", end="2025-06-03T09:31:00+05:30", instruments="A")
    assert local(frame["timestamp"]) == ["2025-06-03 09:15", "2025-06-03 09:30"]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"start": "tomorrow"}, "start: 'tomorrow'; must be a date such as 2025-06-02, today, yes"),
        ({"start": "-2d", "end": "-3d"}, "end: -3d; must not be before start=-2d"),
        (
            {"start": "2025-06-02T09:15", "end": "2025-06-02T09:00+05:30"},
            r"end: 2025-06-02T03:30:00\+00:00; must not be before start=2025-06-02T09:15:00",
        ),
        (
            {"start": "2025-03-09T02:30"},
            "start: 2025-03-09T02:30:00; clocks of America/New_York are changed then, and show it",
        ),
        ({"end": datetime(2025, 11, 2, 1, 30)}, "end: 2025-11-02T01:30:00; clocks of America/New"),  # noqa: DTZ001
        ({"start": "2025-13-01"}, "start: '2025-13-01'; must be a date"),
        ({"start": ""}, "start: ''; must be a date"),
        ({"start": 5}, "start: 5; must be a date such as .* or a date or datetime"),
        ({"end": np.datetime64("2025-06-02T10:00")}, "must be a date such as .* or a date or dat"),
        ({"start": "2025-06-03", "end": "2025-06-02"}, "end: 2025-06-02; must not be before start"),
        ({"final_at": "2025-06-02"}, "final_at: 2025-06-02; must be an instant, such as"),
        ({"final_at": "2025-06-02T10:00"}, "final_at: 2025-06-02T10:00; carries no zone"),
        ({"instruments": "a1"}, r"instrument: 'a1'; not in the input; did you mean A\?"),
        ({"instruments": ["A", "XYZ"]}, "instrument: 'XYZ'; not in the input; known: A, B, N"),
    ],
)
def test_mistakes_are_told(limits, message):
    with pytest.raises(RangeError, match=message):
        cut(**limits)


def test_an_instrument_of_an_input_without_any():
    with pytest.raises(RangeError, match="instrument: 'A'; not in the input; the input has none"):
        ENGINE.process_candles(market(["A"]).clear(), "5m", instruments="A")
