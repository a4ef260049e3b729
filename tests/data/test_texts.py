"""Goal: times, zones, keys and prices are read as people and tools write them, and never guessed.

Method: texts of one known instant in many spellings; columns in which day and month are certain,
uncertain and mixed; the same rows in every container; arithmetic by hand for what is near a rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import tallow
from tallow import read_candles
from tallow.core.errors import CandleInputError
from tallow.data.feeds.replay import ReplayFeed
from tallow.data.reading.times import to_utc
from tests.serve.calling import SAID
from tests.serve.calling import tallow as call

OPENING = datetime(2025, 7, 18, 3, 45, tzinfo=UTC)
IST = timezone(timedelta(hours=5, minutes=30))
PRICES = {"open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 9.0}


def frame_of(times: Sequence[object], **others: object) -> pl.DataFrame:
    columns = {"symbol": "A", **PRICES, **others}
    return pl.DataFrame({"time": times}).with_columns(
        pl.lit(value).alias(name) for name, value in columns.items()
    )


@pytest.mark.parametrize(
    "text",
    [
        "2025-7-18 9:15", "2025/7/18 09:15", "2025.07.18 09:15:00", "20250718 0915", "20250718 915",
        "18-07-2025 09:15", "18/07/2025 9:15:00", "18.07.2025 09:15:00.000", "18-7-2025, 09:15",
        "07/18/2025 09:15", "18-JUL-2025 09:15", "18 July 2025 9:15", "18.07.2025 03:45Z",
        "18/07/2025 09:15:00 +05:30",
    ],
)  # fmt: skip
def test_one_instant_in_many_spellings(text, tmp_path):
    path = tmp_path / "a.csv"
    frame_of([text]).write_csv(path, quote_style="always")
    for source in (frame_of([text]), path):
        read = read_candles(source, timezone="Asia/Kolkata")
        assert read.frame["timestamp"].to_list() == [OPENING]


@pytest.mark.parametrize(
    ("dates", "months"),
    [
        (["05-07-2025", "18-07-2025"], (7, 7)),
        (["07-05-2025", "07-18-2025"], (7, 7)),
        (["05/05/2025"], (5,)),
    ],
)
def test_a_day_after_the_twelfth_makes_a_whole_column_certain(dates, months):
    read = read_candles(frame_of(dates), timezone="UTC", source_timeframe="1d")
    assert tuple(time.month for time in read.frame["timestamp"]) == months


def test_what_nobody_can_tell_is_an_error_that_names_both_formats():
    frame = frame_of(["05-07-2025 09:15", "06-07-2025 09:15"])
    with pytest.raises(CandleInputError) as caught:
        read_candles(frame, timezone="UTC")
    formats = ("%d-%m-%Y %H:%M", "%m-%d-%Y %H:%M")
    assert all(f'time_format="{name}"' in str(caught.value) for name in formats)
    months = [
        read_candles(frame, timezone="UTC", time_format=name)
        .frame["timestamp"]
        .dt.month()
        .to_list()
        for name in formats
    ]
    assert months == [[7, 7], [5, 6]]


def test_two_orders_in_one_column_are_an_error():
    with pytest.raises(CandleInputError, match="one order"):
        read_candles(frame_of(["18-07-2025", "07-19-2025"]), timezone="UTC", source_timeframe="1d")


def test_a_stray_date_among_others_spoils_its_row_only():
    read = read_candles(frame_of(["2025-07-18T09:15Z", "05/07/2025 09:15"]))
    assert (len(read), read.report.by_rule) == (1, {"time_unreadable": 1})


@pytest.mark.parametrize(
    ("text", "time_format"),
    [("18-07-25 09:15", "%d-%m-%y %H:%M"), ("2025-07-18 09:15 AM", "%Y-%m-%d %I:%M %p")],
)
def test_the_only_format_that_fits_is_suggested_and_works(text, time_format):
    with pytest.raises(CandleInputError, match=f'pass time_format="{time_format}"'):
        read_candles(frame_of([text]), timezone="Asia/Kolkata")
    read = read_candles(frame_of([text]), timezone="Asia/Kolkata", time_format=time_format)
    assert read.frame["timestamp"].to_list() == [OPENING]
    zoned = read_candles(frame_of(["18-07-25 0915 +0530"]), time_format="%d-%m-%y %H%M %z")
    assert zoned.frame["timestamp"].to_list() == [OPENING]


@pytest.mark.parametrize("wrong", ["", "%H:%M", "%d-%m", 7])
def test_a_format_without_a_date_is_none(wrong):
    with pytest.raises(CandleInputError, match="time_format"):
        read_candles(frame_of(["18-07-25"]), time_format=wrong)


def test_a_format_that_reads_nothing_is_not_asked_for_again():
    with pytest.raises(CandleInputError, match=r"; correct time_format='%d-%m-%Y %H:%M': "):
        read_candles(frame_of(["18|07|2025 09h15"]), timezone="UTC", time_format="%d-%m-%Y %H:%M")


@pytest.mark.parametrize(
    ("word", "zone"),
    [("IST", "Asia/Jerusalem"), ("EST", "America/New_York"), ("JST", "Asia/Tokyo")],
)
def test_an_abbreviation_is_refused_with_the_zones_that_it_may_mean(word, zone):
    for frame, name in (
        (frame_of(["2025-07-18 09:15"]), word),
        (frame_of([f"2025-07-18 9:15 {word}"]), None),
    ):
        with pytest.raises(CandleInputError, match=f"abbreviation.*{zone}"):
            read_candles(frame, timezone=name)
    assert len(read_candles(frame_of(["2025-07-18 03:45 GMT"]))) == 1


def test_fixed_offsets_are_read_out_of_every_container(tmp_path):
    times = pd.to_datetime(["2025-07-18T09:15:00+05:30", "2025-07-18T09:16:00+05:30"])
    frame = pd.DataFrame({"symbol": "A", "date": times, **PRICES})
    paths = {name: tmp_path / f"a.{name}" for name in ("parquet", "feather")}
    frame.to_parquet(paths["parquet"])
    frame.to_feather(paths["feather"])
    arrow = frame.convert_dtypes(dtype_backend="pyarrow")
    sources = (frame, *paths.values(), pa.Table.from_pandas(frame), arrow)
    right = [OPENING, OPENING + timedelta(minutes=1)]
    for source in sources:
        assert read_candles(source).frame["timestamp"].to_list() == right
    engine = tallow.AnalyticsEngine("XNSE")
    report = engine.process_files(paths["parquet"], tmp_path / "out.parquet", "1m", "")
    assert report.bars == 2


@pytest.mark.parametrize(
    ("keys", "right"),
    [
        ([500325.0, 500325.5, float("nan")], ["500325"]),
        ([500325, 500325, None], ["500325"]),
        (["0500", "0500", None], ["0500"]),
    ],
)
def test_codes_are_the_text_of_their_integer(keys, right):
    times = [OPENING, OPENING + timedelta(minutes=1), OPENING + timedelta(minutes=2)]
    frame = frame_of(times).with_columns(symbol=pl.Series(keys))
    read = read_candles(frame)
    assert read.frame["instrument"].unique().to_list() == right
    assert read.report.by_rule["instrument_missing"] == 3 - len(read)


def test_truth_values_are_no_instruments():
    with pytest.raises(CandleInputError, match="Boolean"):
        read_candles(frame_of([OPENING]).with_columns(symbol=pl.lit(value=True)))


@pytest.mark.parametrize(
    ("values", "high"),
    [
        ({"high": 0.3, "close": 0.1 + 0.2, "open": 0.3, "low": 0.3}, 0.1 + 0.2),
        ({"high": 100.0, "close": 100.0 + 5e-8, "open": 99.0, "low": 98.0}, 100.0 + 5e-8),
        ({"high": 100.0, "close": 100.0001, "open": 99.0, "low": 98.0}, None),
    ],
)
def test_prices_a_rounding_apart_are_the_same_price(values, high):
    read = read_candles(frame_of([OPENING], **values))
    assert read.frame["high"].to_list() == ([] if high is None else [high])


def test_prices_of_single_precision_are_a_larger_rounding_apart():
    frame = frame_of([OPENING], open=100.1, high=100.1, low=100.0, close=100.1)
    single = frame.with_columns(pl.col("high").cast(pl.Float32))
    assert read_candles(single).frame["high"].to_list() == [100.1]
    assert not len(read_candles(frame.with_columns(pl.col("high") - 7.7e-6)))


@pytest.mark.parametrize("seconds", [5, 10, 15, 30])
def test_bars_of_seconds_are_no_minutes(seconds, tmp_path):
    times = [OPENING + timedelta(seconds=seconds * k) for k in range(300 // seconds)]
    path = tmp_path / "a.csv"
    frame_of(times).write_csv(path)
    for source in (frame_of(times), path):
        with pytest.raises(CandleInputError, match="open within a minute"):
            tallow.AnalyticsEngine("XNSE").process_candles(source, "5m", "")


def test_a_minute_that_has_a_finer_row_is_set_aside_with_it():
    times = [OPENING + timedelta(minutes=k) for k in range(20)]
    strays = [*times, times[7] + timedelta(seconds=20)]
    read = read_candles(frame_of(strays))
    assert read.report.by_rule == {"off_grid": 2}
    assert read.frame["timestamp"].to_list() == times[:7] + times[8:]


def test_stamps_at_the_close_are_those_of_the_bar_before_them(tmp_path):
    stamps = [OPENING + timedelta(minutes=k + 1) for k in range(375)]
    frame = frame_of(stamps).with_columns(open=pl.int_range(375).cast(float), high=999.0, low=-1.0)
    days = pl.concat([frame, frame.with_columns(pl.col("time") - timedelta(days=1))])
    engine = tallow.AnalyticsEngine("XNSE")
    assert 'stamped="close"' in engine.process_candles(days, "5m", "").report.hint
    opens = days.with_columns(pl.col("time") - timedelta(minutes=1))
    assert not engine.process_candles(opens, "5m", "").report.hint
    read = read_candles(frame, stamped="close")
    result = tallow.AnalyticsEngine("XNSE").process_candles(read, "5m", "")
    assert result.report.candles.outside_session == 0
    assert result.frame.select("open", "candles").row(0) == (0.0, 5)
    path, out = tmp_path / "a.parquet", tmp_path / "o.parquet"
    frame.write_parquet(path)
    tallow.AnalyticsEngine("XNSE").process_files(path, out, "5m", "", stamped="close")
    assert pl.read_parquet(out).equals(result.frame)


def test_rows_of_which_none_is_in_a_session_are_told():
    dates = [OPENING.replace(hour=0, minute=0) + timedelta(days=k) for k in range(3)]
    engine = tallow.AnalyticsEngine("XNSE")
    hint = engine.process_candles(frame_of(dates), "5m", "").report.hint
    assert "not one of 3 rows is in a session" in hint
    assert "source_timeframe=, timezone= and calendar=" in hint
    assert not engine.process_candles(frame_of([*dates, OPENING]), "5m", "").report.hint
    days = read_candles(frame_of(dates), source_timeframe="1d")
    assert not engine.process_candles(days, "1d", "").report.hint


def two_files(folder: Path, shift: int) -> list[Path]:
    paths = []
    for name, price, first in (("ONE", 100.0, 0), ("TWO", 1500.0, shift)):
        times = [OPENING + timedelta(minutes=first + k) for k in (0, 2)]
        prices = dict.fromkeys(("open", "high", "low", "close"), price)
        frame = frame_of(times, **prices).drop("symbol")
        paths.append(folder / f"{name}_minute.parquet")
        frame.write_parquet(paths[-1])
    return paths


def test_a_file_per_instrument_is_read_by_a_pattern_and_never_mixed(tmp_path):
    paths, out = two_files(tmp_path, shift=1), tmp_path / "out.parquet"
    pattern = r"(?P<instrument>.+)_minute\.parquet"
    tallow.AnalyticsEngine("XNSE").process_files(paths, out, "5m", "", pattern=pattern)
    bars = pl.read_parquet(out).select("instrument", "open", "close", "candles").rows()
    assert bars == [("ONE", 100.0, 100.0, 2), ("TWO", 1500.0, 1500.0, 2)]
    assert read_candles(paths, pattern=pattern).report.instruments == 2
    for read in (
        lambda: read_candles(paths, instrument_key="X"),
        lambda: tallow.AnalyticsEngine().process_files(paths, out, "5m", "", instrument_key="X"),
    ):
        with pytest.raises(CandleInputError, match=r"are they one instrument.*pattern="):
            read()


def test_files_of_one_instrument_one_after_the_other_take_one_key(tmp_path):
    read = read_candles(two_files(tmp_path, shift=3), instrument_key="X")
    assert (len(read), read.report.instruments) == (4, 1)


def test_rows_that_are_all_refused_are_a_failure(tmp_path):
    path, out = tmp_path / "a.csv", tmp_path / "out.parquet"
    frame_of([OPENING, OPENING + timedelta(minutes=1)], high=0.1).write_csv(path)
    for source in (path, pl.read_csv(path)):
        with pytest.raises(CandleInputError, match="rows=2; all were quarantined: high_below"):
            tallow.AnalyticsEngine("XNSE").process_candles(source, "5m", "")
    result = call("ingest", path, "--store", tmp_path / "store", *SAID, "--quiet")
    assert result.exit_code == 1
    assert "every row was quarantined: high_below_low" in result.stderr
    with pytest.raises(CandleInputError):
        tallow.AnalyticsEngine("XNSE").process_files(path, out, "5m", "")
    assert not out.exists()


def test_a_replay_reads_what_it_is_told_of_its_files(tmp_path):
    paths, pattern = two_files(tmp_path, shift=1), r"(?P<instrument>.+)_minute\.parquet"
    feed = ReplayFeed([str(path) for path in paths], pattern=pattern, stamped="close")
    batches = [feed.receive(1.0) for _ in range(4)]
    rows = (
        pl.concat([batch.frame for batch in batches if batch is not None])
        .select("instrument", "timestamp")
        .rows()
    )
    minute = timedelta(minutes=1)
    right = {("ONE", OPENING - minute), ("TWO", OPENING), ("ONE", OPENING + minute)}
    assert set(rows) == right | {("TWO", OPENING + 2 * minute)}


def test_the_date_of_a_live_message_is_never_told_by_another_message():
    column = pl.Series("time", ["18-07-2025 09:15", "05-07-2025 09:15", "2025-07-18 9:15"])
    read = to_utc(column, "Asia/Kolkata", "feed")
    assert read.to_list() == [None, None, OPENING]


def test_numbers_of_a_date_and_a_time_of_day_are_one_time():
    frame = frame_of([915, 916]).with_columns(date=pl.lit(20250718))
    read = read_candles(frame, timezone="Asia/Kolkata")
    assert read.frame["timestamp"].to_list() == [OPENING, OPENING + timedelta(minutes=1)]
    epochs = frame_of([1752810300, 1752810360]).with_columns(date=pl.lit(20250718))
    assert read_candles(epochs).frame["timestamp"].to_list() == read.frame["timestamp"].to_list()
