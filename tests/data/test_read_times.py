"""Goal: however a time is written, the same instant is read, and a time without a zone is never
guessed.

Method: instants by Python's own datetime and zoneinfo, written in every accepted form; the hours in
which New York's clocks change; and texts that only look like times.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallow.core.errors import CandleInputError, NaiveTimeError
from tallow.data.reading.readers import read_candles
from tallow.data.reading.times import to_utc

INDIA = timezone(timedelta(hours=5, minutes=30))
INSTANT = datetime(2025, 6, 2, 9, 15, tzinfo=INDIA)
EPOCH = 1_748_835_900


def read(values: list[Any] | pl.Series, zone: str | None = None) -> list[datetime | None]:
    column = values if isinstance(values, pl.Series) else pl.Series("ts", values)
    return to_utc(column.alias("ts"), zone, "input").to_list()


SAME_INSTANT = [
    "2025-06-02T09:15:00+05:30",
    "2025-06-02T09:15:00+0530",
    "2025-06-02T09:15+05:30",
    "2025-06-02 09:15:00+05:30",
    "2025-06-02 09:15:00 +05:30",
    "2025-06-02T09:15:00.000+05:30",
    "2025-06-02T09:15:00,000000000+05:30",
    "2025/06/02 09:15:00+05:30",
    "20250602T091500+0530",
    "2025-06-02T03:45:00Z",
    "2025-06-02t03:45z",
    "2025-06-02 03:45:00 UTC",
    "2025-06-01T22:45:00-05",
    " 2025-06-02T03:45:00Z ",
    "1748835900",
    "1748835900.0",
    "1748835900000",
    "1748835900000000",
    "1748835900000000000",
    "1.7488359e9",
]


@pytest.mark.parametrize("text", SAME_INSTANT)
def test_text_with_an_offset_and_epochs_as_text(text):
    assert datetime.fromtimestamp(EPOCH, UTC) == INSTANT
    assert read([text]) == [INSTANT]


def test_offsets_may_be_mixed_in_one_column_and_win_over_the_stated_zone():
    assert read(SAME_INSTANT, "America/New_York") == [INSTANT] * len(SAME_INSTANT)


@pytest.mark.parametrize(
    "value",
    [
        EPOCH,
        EPOCH * 1_000,
        EPOCH * 1_000_000,
        EPOCH * 1_000_000_000,
        float(EPOCH),
        EPOCH * 1e3,
        EPOCH * 1e6,
        EPOCH * 1e9,
        Decimal(EPOCH),
    ],
)
def test_epochs_by_their_size(value):
    assert read([value, None, value]) == [INSTANT, None, INSTANT]


def test_a_column_may_change_its_unit_half_way():
    assert read([EPOCH * 1_000, EPOCH * 1_000_000]) == [INSTANT, INSTANT]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_datetimes_in_any_unit_and_zone(unit):
    column = pl.Series([INSTANT]).dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit(unit)
    assert read(column) == [INSTANT]


@pytest.mark.parametrize(
    "value",
    [
        "2025-06-02 09:15",
        "2025-06-02T09:15:00",
        "2025/06/02 09:15:00.000",
        "20250602 0915",
        datetime(2025, 6, 2, 9, 15),  # noqa: DTZ001
    ],
)
def test_times_without_a_zone_need_one(value):
    assert read([value], "Asia/Kolkata") == [INSTANT]
    shown = str(value).replace(".", r"\.")
    with pytest.raises(NaiveTimeError, match=f"'ts'='{shown}' has no zone.*timezone="):
        read([value])


@pytest.mark.parametrize(
    "value", ["2025-06-02", "2025/06/02", "20250602", 20250602, date(2025, 6, 2)]
)
def test_dates_are_midnight_of_the_stated_zone(value):
    midnight = datetime(2025, 6, 2, tzinfo=INDIA)
    assert read([value], "Asia/Kolkata") == [midnight]
    with pytest.raises(NaiveTimeError):
        read([value])


def test_one_naive_text_among_others_still_needs_a_zone():
    with pytest.raises(NaiveTimeError, match="09:16"):
        read(["2025-06-02T09:15:00Z", "junk", "2025-06-02 09:16"])


def test_hours_in_which_clocks_change():
    zone = ZoneInfo("America/New_York")
    texts = ["2025-03-09 01:59", "2025-03-09 02:30", "2025-03-09 03:00", "2025-11-02 01:30"]
    known = [datetime(2025, 3, 9, 1, 59, tzinfo=zone), datetime(2025, 3, 9, 3, 0, tzinfo=zone)]
    assert read(texts, "America/New_York") == [known[0], None, known[1], None]
    twice = ["2025-11-02 01:30-04:00", "2025-11-02 01:30-05:00"]
    assert read(twice) == [datetime(2025, 11, 2, hour, 30, tzinfo=UTC) for hour in (5, 6)]


@pytest.mark.parametrize(
    "value",
    [
        "", " ", "junk", "09:15", "02/06/2025", "01/03/17", "2025-02-30T09:15Z",
        "2025-06-02T24:00Z", "2025-06-02T09:60Z", "2025-06-02T09:15:60Z", "2025-06-02T09:15+25:00",
        "20250602091500", "202506020915", "0", "99999999", "nan", "inf", "0000-01-01T00:00Z",
    ],
)  # fmt: skip
def test_text_that_is_no_time(value):
    frame = pl.DataFrame({"ts": ["2025-06-02T09:15Z", value]}).with_columns(
        pl.lit(1).alias(name) for name in "ohlcv"
    )
    read_back = read_candles(frame, instrument_key="A", timezone="Asia/Kolkata")
    assert read_back.quarantine.select("row", "rule").rows() == [(2, "time_unreadable")]


@pytest.mark.parametrize(
    ("written", "suggested"),
    [
        ("20250618091500", '"%Y%m%d%H%M%S", which'),
        ("202506180915", '"%Y%m%d%H%M", which'),
        (202506180915, '"%Y%m%d%H%M", which'),
        ("18-Jun-2025 09:15 AM", '"%d-%b-%Y %I:%M %p", which'),
        ("Jun 18 2025 9:15AM", '"%b %d %Y %I:%M%p", which'),
        ("09:15 18-06-2025", '"%H:%M %d-%m-%Y", which'),
        ("09:15 06/07/2025", '"%H:%M %d/%m/%Y" or pass time_format="%H:%M %m/%d/%Y"'),
    ],
)
def test_the_only_format_that_reads_a_time_is_suggested(written, suggested):
    frame = pl.DataFrame({"ts": [written], **dict.fromkeys("ohlcv", 1.0)})
    with pytest.raises(CandleInputError, match=re.escape(f"time_format={suggested}")):
        read_candles(frame, instrument_key="A", timezone="Asia/Kolkata")
    if "which" in suggested:
        given = suggested.split('"')[1]
        told = {"timezone": "Asia/Kolkata", "time_format": given}
        candles = read_candles(frame, instrument_key="A", **told)
        assert candles.frame["timestamp"][0] == datetime(2025, 6, 18, 3, 45, tzinfo=UTC)


@pytest.mark.parametrize("written", ["2025-11-02 01:30:00", "2025-03-09 02:30:00"])
def test_no_format_is_suggested_for_times_that_a_clock_shows_twice_or_never(written):
    """By hand: read with the day second, the first would be the eleventh of February."""
    frame = pl.DataFrame({"ts": [written], **dict.fromkeys("ohlcv", 1.0)})
    with pytest.raises(CandleInputError, match="some times come twice and some never") as raised:
        read_candles(frame, instrument_key="A", timezone="America/New_York")
    assert "time_format" not in str(raised.value)


@pytest.mark.parametrize("value", [0, 99_999_999, -(2**63), 2**63 - 1, 0.5, float("nan")])
def test_numbers_that_are_no_epoch(value):
    assert read([value]) == [None]


@pytest.mark.parametrize("values", [[True], [time(9, 15)], [timedelta(1)], [[1]]])
def test_columns_that_cannot_hold_times(values):
    with pytest.raises(CandleInputError, match="input: column 'ts' is"):
        read(values)


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("Asia/Calcuta", "did you mean Asia/Calcutta"),
        ("+05:30", "Asia/Kolkata"),
        ("", "for example"),
    ],
)
def test_an_unknown_zone(zone, hint):
    with pytest.raises(CandleInputError, match=f"timezone=.*{hint}"):
        read_candles(pl.DataFrame(), timezone=zone)


INSTANTS = st.datetimes(datetime(1977, 1, 1), datetime(2199, 12, 31))  # noqa: DTZ001
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
SEPARATORS = st.sampled_from(["T", " "])


@given(st.lists(st.tuples(INSTANTS, OFFSETS, SEPARATORS), min_size=1))
def test_iso_text_as_python_writes_it(written):
    zoned = [(moment.replace(tzinfo=offset), mark) for moment, offset, mark in written]
    texts = [moment.isoformat(mark) for moment, mark in zoned]
    assert read(texts) == [datetime.fromisoformat(text) for text in texts]


@given(st.lists(INSTANTS.map(lambda moment: moment.replace(tzinfo=UTC)), min_size=1))
def test_epochs_in_each_unit(moments):
    micros = [
        (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        for moment in moments
    ]
    assert read(micros) == read([value * 1_000 for value in micros]) == moments
    whole = [moment.replace(microsecond=0) for moment in moments]
    assert read([value // 1_000_000 for value in micros]) == whole
    assert read([str(value // 1_000_000 * 1_000) for value in micros]) == whole


@pytest.mark.parametrize(
    ("dates", "times"),
    [
        (["2025-06-02"], ["09:15"]),
        (["20250602"], ["09:15:00"]),
        ([date(2025, 6, 2)], [time(9, 15)]),
        (["ignored"], ["2025-06-02T09:15:00+05:30"]),
        (["ignored"], ["1748835900000"]),
        (["02-06-2025"], [EPOCH]),
    ],
)
def test_a_date_and_a_time_of_day_apart(dates, times):
    bar = {name: [1.0] for name in "ohlcv"}
    frame = pl.DataFrame({"Date": dates, "Time": times, **bar})
    candles = read_candles(frame, instrument_key="A", timezone="Asia/Kolkata")
    assert candles.frame["timestamp"].to_list() == [INSTANT]
    assert candles.report.ignored_columns == ()
