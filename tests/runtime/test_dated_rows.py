"""Goal: a candle stamped with a date is of that date at every venue; no period is counted twice.

Method: ten days, weeks and months whose prices are their own numbers, stamped at midnight in UTC,
on venues east and west of Greenwich; the same rows as a frame, a file and out of a store, whole and
by ranges; two rows of one period written at once and one after the other.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest

import tallow
from tallow import open_store, read_candles
from tallow.core.errors import CandleInputError
from tallow.runtime.ranges import Range
from tests.frames import assert_same_frame

VENUES = ("XNYS", "XNSE", "XTKS", "24/7", "XASX")
DAYS_OF_2025 = [date(2025, 1, 10) + timedelta(days=k) for k in range(160)]
DAYS = [date(2025, 7, day) for day in (14, 15, 16, 17, 18, 22, 23, 24, 25, 28)]


def candles_at(stamps: list[datetime]) -> pl.DataFrame:
    price = pl.int_range(1, len(stamps) + 1).cast(pl.Float64)
    frame = pl.DataFrame({"symbol": ["A"] * len(stamps), "ts": stamps})
    return frame.with_columns(price.alias(name) for name in "ohlc").with_columns(v=pl.lit(10.0))


def at_midnight(days: list[date]) -> list[datetime]:
    return [datetime.combine(day, time(), UTC) for day in days]


def local_dates(result: tallow.ProcessingResult, venue: str) -> list[date]:
    zone = tallow.AnalyticsEngine(venue).calendars.calendars[0].timezone
    return result.frame["timestamp"].dt.convert_time_zone(zone).dt.date().to_list()


@pytest.mark.parametrize("venue", VENUES)
def test_a_midnight_in_utc_is_its_date(venue, tmp_path):
    frame = candles_at(at_midnight(DAYS))
    engine = tallow.AnalyticsEngine(venue)
    result = engine.process_candles(read_candles(frame, source_timeframe="1d"), "1d", "vwap")
    assert local_dates(result, venue) == DAYS
    assert result.frame["open"].to_list() == [float(k) for k in range(1, 11)]
    weeks = engine.process_candles(read_candles(frame, source_timeframe="1d"), "1w", "")
    assert weeks.frame.select("open", "close").rows() == [(1.0, 5.0), (6.0, 9.0), (10.0, 10.0)]
    frame.write_parquet(tmp_path / "a.parquet")
    out = tmp_path / "out.parquet"
    engine.process_files(tmp_path / "a.parquet", out, "1d", "vwap", source_timeframe="1d")
    assert pl.read_parquet(out).equals(result.frame)


@pytest.mark.parametrize("venue", VENUES)
def test_ranges_of_a_store_find_the_same_dates(venue, tmp_path):
    with open_store(tmp_path / "store", create=True) as store:
        store.write(candles_at(at_midnight(DAYS)), source_timeframe="1d")
        engine = tallow.AnalyticsEngine(venue, store=store)
        whole = engine.query("A", "1d", indicators="ema(3)", source_timeframe="1d")
        assert local_dates(whole, venue) == DAYS
        for low in range(10):
            for high in range(low, 10):
                part = engine.query(
                    "A", "1d", DAYS[low], DAYS[high], "ema(3)", source_timeframe="1d"
                )
                assert part.frame.drop("is_final").equals(
                    whole.frame[low : high + 1].drop("is_final")
                )


@pytest.mark.parametrize(("unit", "months"), [("1w", 0), ("1mo", 1)])
@pytest.mark.parametrize("venue", VENUES)
def test_first_dates_of_weeks_and_months_are_in_them_across_the_year(venue, unit, months):
    firsts = (
        [date(2024 + k // 12, k % 12 + 1, 1) for k in range(8, 20)]
        if months
        else [date(2024, 12, 2) + timedelta(weeks=k) for k in range(12)]
    )
    frame = candles_at(at_midnight(firsts))
    read = read_candles(frame, source_timeframe=unit)
    result = tallow.AnalyticsEngine(venue).process_candles(read, unit, "")
    assert result.frame["open"].to_list() == [float(k) for k in range(1, 13)]
    got = local_dates(result, venue)
    if months:
        assert [(day.year, day.month) for day in got] == [(d.year, d.month) for d in firsts]
    else:
        assert [day - timedelta(days=day.weekday()) for day in got] == firsts


def since(frame: pl.DataFrame, start: date | None, venue: str) -> pl.DataFrame:
    calendars = tallow.AnalyticsEngine(venue).calendars
    return Range.of(start, None, None).cut(frame, calendars)


def two_of_one_day() -> list[datetime]:
    final = datetime(2025, 7, 17, 3, 45, tzinfo=UTC)
    return [final, datetime(2025, 7, 18, tzinfo=UTC), final + timedelta(days=1)]


def test_of_two_rows_of_one_day_the_last_counts_and_the_other_is_set_aside(tmp_path):
    frame = candles_at(two_of_one_day())
    engine = tallow.AnalyticsEngine("XNSE")
    result = engine.process_candles(read_candles(frame, source_timeframe="1d"), "1d", "")
    assert result.frame.select("close", "volume", "candles").rows() == [
        (1.0, 10.0, 1),
        (3.0, 10.0, 1),
    ]
    assert result.report.quarantine["rule"].to_list() == ["repeated_period"]
    week = engine.process_candles(read_candles(frame, source_timeframe="1d"), "1w", "")
    assert week.frame["volume"].to_list() == [20.0]
    # In the order of time, for two instruments: the rows of one come apart.
    both = pl.concat([frame, frame.with_columns(symbol=pl.lit("B"))]).sort("ts")
    both.write_csv(tmp_path / "a.csv")
    out = tmp_path / "out.parquet"
    engine.process_files(tmp_path / "a.csv", out, "1d", "", source_timeframe="1d")
    assert pl.read_parquet(out)["volume"].to_list() == [10.0] * 4


def test_a_second_row_of_a_day_that_comes_later_takes_its_place_in_a_query(tmp_path):
    frame = candles_at(two_of_one_day())
    with open_store(tmp_path / "store", create=True) as store:
        engine = tallow.AnalyticsEngine("XNSE", store=store)
        for end in (2, 3):
            store.write(frame[:end], source_timeframe="1d")
            got = engine.query("A", "1d", indicators="ema(2)", source_timeframe="1d").frame
            assert got.select("close", "volume").rows() == [(1.0, 10.0), (float(end), 10.0)]


def test_rows_finer_than_their_candles_are_no_candles():
    opening = datetime(2025, 7, 18, 3, 45, tzinfo=UTC)
    minutes = candles_at([opening + timedelta(minutes=k) for k in range(30)])
    stray = candles_at([opening + timedelta(minutes=k) for k in (0, 5, 7, 10)])
    engine = tallow.AnalyticsEngine("XNSE")
    with pytest.raises(CandleInputError, match="off_grid"):
        engine.process_candles(read_candles(minutes, source_timeframe="5m"), "15m", "")
    result = engine.process_candles(read_candles(stray, source_timeframe="5m"), "5m", "")
    assert result.frame["open"].to_list() == [1.0, 4.0]
    assert result.report.quarantine["rule"].to_list() == ["off_grid", "off_grid"]


@pytest.mark.parametrize("unit", ["1d", "1w", "1mo"])
@pytest.mark.parametrize("seed", range(4))
def test_rows_of_a_period_that_snapshots_and_writes_come_between_are_one_candle(
    unit, seed, tmp_path
):
    """Half a year on four venues, written in three parts; weeks go on across the months' ends."""
    draw = random.Random(seed)
    venue = ("XNSE", "XNYS", "24/7", "XASX")[seed]
    stamps = [
        datetime(2025, 1, 1, hour, tzinfo=UTC) + timedelta(days=k)
        for k in range(180)
        for hour in (0, 14)
    ]
    share = {"1d": 0.7, "1w": 0.25, "1mo": 0.06}[unit]
    frame = candles_at(sorted(draw.sample(stamps, int(share * len(stamps)))))
    order = draw.sample(range(len(frame)), len(frame))
    parts = [frame[sorted(order[k::3])] for k in range(3)]
    with open_store(tmp_path / "store", create=True) as store:
        engine = tallow.AnalyticsEngine(venue, store=store)
        known = frame.clear()
        for part in parts:
            store.write(part, source_timeframe=unit)
            known = pl.concat([known, part]).sort("ts")
            right = tallow.AnalyticsEngine(venue).process_candles(
                read_candles(known, source_timeframe=unit), unit, "ema(3)"
            )
            assert right.report.candles.off_grid > 0
            starts = [None, *draw.sample(DAYS_OF_2025, 6)]
            for start in starts:
                got = engine.query("A", unit, start, indicators="ema(3)", source_timeframe=unit)
                assert_same_frame(got.frame, since(right.frame, start, venue))
