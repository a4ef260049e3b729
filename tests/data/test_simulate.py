"""Goal: the simulated market is valid, repeatable whatever the block size, and has every difficulty
that it promises: rushes, lulls, gaps, missing minutes, fillers, a frozen day.

Method: one small market on a hand-made calendar whose third day has a break; its minutes are listed
by hand, and each promised trait is measured on the candles alone.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tallow.core.calendars import Calendar, SessionTable
from tallow.core.errors import CoverageError, ParameterError
from tallow.data.simulate import INSTRUMENTS_MAX, simulate_blocks, simulated_key
from tests.frames import simulate_candles

SESSIONS = 8
INSTRUMENTS = 6
FROZEN, ILLIQUID = simulated_key(1), simulated_key(3)
PRICES = ["open", "high", "low", "close"]


def at(day: int, hour: int, minute: int) -> datetime:
    return datetime(2025, 6, day, hour, minute, tzinfo=UTC)


# Monday the 2nd to Thursday the 12th without the weekend, 03:45 to 10:00; the 4th has a break.
DAYS = [2, 3, 4, 5, 6, 9, 10, 11, 12]
SEGMENTS = [
    segment
    for day in DAYS
    for segment in (
        [(day, at(day, 3, 45), at(day, 4, 30)), (day, at(day, 5, 0), at(day, 10, 0))]
        if day == 4
        else [(day, at(day, 3, 45), at(day, 10, 0))]
    )
]


def microseconds(instants: list[datetime]) -> np.ndarray:
    return np.array([round(instant.timestamp() * 1e6) for instant in instants], dtype=np.int64)


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    table = SessionTable(
        segment_open=microseconds([opens for _, opens, _ in SEGMENTS]),
        segment_close=microseconds([closes for _, _, closes in SEGMENTS]),
        segment_day=np.array([DAYS.index(day) for day, _, _ in SEGMENTS], dtype=np.int64),
        day_date=np.array([date(2025, 6, day) for day in DAYS], dtype="datetime64[D]"),
        day_open=microseconds([at(day, 3, 45) for day in DAYS]),
        day_close=microseconds([at(day, 10, 0) for day in DAYS]),
        day_known=np.ones(len(DAYS), dtype=np.bool_),
        covered_from=int(microseconds([at(1, 0, 0)])[0]),
        covered_until=int(microseconds([at(30, 0, 0)])[0]),
    )
    return Calendar("TEST", "", "UTC", date(2025, 6, 1), date(2025, 6, 29), table)


@pytest.fixture(scope="module")
def market(calendar: Calendar) -> pl.DataFrame:
    return simulate_candles(
        INSTRUMENTS, SESSIONS, calendar=calendar, start=date(2025, 6, 3), seed=5
    )


def of_ordinary(market: pl.DataFrame) -> pl.DataFrame:
    """Return the candles of the instruments that are neither frozen nor illiquid."""
    return market.filter(~pl.col("instrument").is_in([FROZEN, ILLIQUID]))


def test_the_frame_is_a_canonical_candle_frame(market: pl.DataFrame) -> None:
    assert dict(market.schema) == {
        "instrument": pl.String(),
        "timestamp": pl.Datetime("us", "UTC"),
        **dict.fromkeys([*PRICES, "volume"], pl.Float64()),
    }
    assert sum(market.null_count().row(0)) == 0
    keys = ["instrument", "timestamp"]
    assert_frame_equal(market, market.sort(keys).unique(keys, maintain_order=True))
    assert market["instrument"].n_unique() == INSTRUMENTS


def test_every_candle_obeys_the_rules(market: pl.DataFrame) -> None:
    prices = market.select(PRICES).to_numpy()
    assert np.isfinite(prices).all()
    assert (prices > 0).all()
    assert (prices.max(axis=1) == market["high"].to_numpy()).all()
    assert (prices.min(axis=1) == market["low"].to_numpy()).all()
    volume = market["volume"].to_numpy()
    assert (volume >= 0).all()
    assert (volume == np.rint(volume)).all()


def test_prices_are_decimals_with_ticks_of_five_paise(market: pl.DataFrame) -> None:
    texts = [f"{price:.2f}" for price in np.unique(market.select(PRICES).to_numpy())]
    assert {text[-1] for text in texts} == {"0", "5"}
    # The double nearest to the printed decimal, without the noise of a product.
    assert [float(text) for text in texts] == sorted(np.unique(market.select(PRICES).to_numpy()))


def test_candles_lie_in_the_sessions_from_the_start_on(market: pl.DataFrame) -> None:
    allowed = {
        opens + timedelta(minutes=minute)
        for day, opens, closes in SEGMENTS
        for minute in range(int((closes - opens).total_seconds()) // 60)
        if day != 2
    }
    assert set(market["timestamp"]) == allowed


def test_bits_do_not_depend_on_blocks_or_on_the_other_instruments(
    calendar: Calendar, market: pl.DataFrame
) -> None:
    start = date(2025, 6, 3)
    for size in (1, 4, 100):
        blocks = simulate_blocks(
            INSTRUMENTS,
            SESSIONS,
            calendar=calendar,
            start=start,
            seed=5,
            instruments_per_block=size,
        )
        assert_frame_equal(pl.concat(blocks), market, check_exact=True)
    first_four = simulate_candles(4, SESSIONS, calendar=calendar, start=start, seed=5)
    assert_frame_equal(first_four, market.head(first_four.height), check_exact=True)


def test_another_seed_is_another_market(calendar: Calendar, market: pl.DataFrame) -> None:
    other = simulate_candles(1, SESSIONS, calendar=calendar, start=date(2025, 6, 3), seed=6)
    assert not other["close"].head(100).equals(market["close"].head(100))


def test_open_and_close_are_busier_than_noon(market: pl.DataFrame) -> None:
    busy = (
        of_ordinary(market)
        .with_columns(
            range=(pl.col("high") - pl.col("low")) / pl.col("close"),
            clock=pl.col("timestamp").dt.time(),
        )
        .group_by("clock")
        .agg(pl.col("volume").mean(), pl.col("range").mean())
        .sort("clock")
        .select("volume", "range")
        .to_numpy()
    )
    opening, noon, closing = busy[:15].mean(axis=0), busy[165:225].mean(axis=0), busy[-10:].mean(0)
    assert (opening > closing).all()
    assert (closing > 1.3 * noon).all()


def test_prices_gap_overnight(market: pl.DataFrame) -> None:
    jumps = (
        of_ordinary(market)
        .with_columns(
            jump=(pl.col("open") / pl.col("close").shift(1)).log().abs().over("instrument"),
            is_new_day=pl.col("timestamp").dt.date().diff().over("instrument") > timedelta(0),
        )
        .drop_nulls()
        .group_by("is_new_day")
        .agg(pl.col("jump").mean())
    )
    mean_jump = dict(jumps.iter_rows())
    assert mean_jump[True] > 5 * mean_jump[False]


def test_minutes_are_missing_and_many_of_an_illiquid_name(market: pl.DataFrame) -> None:
    minutes = market["timestamp"].n_unique()
    counts = dict(market.group_by("instrument").len().iter_rows())
    assert 0.4 * minutes < counts.pop(ILLIQUID) < 0.8 * minutes
    assert all(0.98 * minutes < count <= minutes for count in counts.values())
    assert min(counts.values()) < minutes


def test_a_filler_repeats_the_last_price(market: pl.DataFrame) -> None:
    last = pl.col("close").shift(1).over("instrument")
    fillers = market.with_columns(last=last).filter(pl.col("volume") == 0)
    assert fillers.height > 100
    assert set(fillers["instrument"]) == {ILLIQUID}
    for price in PRICES:
        assert fillers[price].equals(fillers["last"], check_names=False)


def test_one_instrument_is_frozen_for_one_whole_day(market: pl.DataFrame) -> None:
    by_day = market.group_by("instrument", date=pl.col("timestamp").dt.date()).agg(
        low=pl.col("low").min(),
        high=pl.col("high").max(),
        volume=pl.col("volume").min(),
        n=pl.len(),
    )
    frozen = by_day.filter(pl.col("low") == pl.col("high"))
    assert frozen["instrument"].to_list() == [FROZEN]
    assert frozen["n"].item() == 375
    assert frozen["volume"].item() > 0


@pytest.mark.parametrize("isin", ["INE002A01018", "INE301A01014", "INE020B01018"])
def test_keys_have_the_check_digit_of_published_isins(isin: str) -> None:
    number = int(isin[3:6]) * 26 + ord(isin[6]) - ord("A") - 26
    assert simulated_key(number) == f"NSE_EQ|{isin}"


def test_keys_are_unique_and_sorted() -> None:
    keys = [simulated_key(number) for number in range(INSTRUMENTS_MAX)]
    assert keys == sorted(set(keys))
    assert {len(key) for key in keys} == {len("NSE_EQ|INE301A01014")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"instruments": 0}, "simulate: instruments=0; must be 1..25974"),
        ({"instruments": 25_975}, "simulate: instruments=25975; must be 1..25974"),
        ({"sessions": 0}, "simulate: sessions=0; must be 1 or more"),
        ({"instruments_per_block": 0}, "simulate: instruments_per_block=0; must be 1 or more"),
        ({"seed": -1}, "simulate: seed=-1; must be 0..9223372036854775807"),
    ],
)
def test_a_number_out_of_range_is_refused(
    calendar: Calendar, change: dict[str, int], message: str
) -> None:
    numbers = {"instruments": 2, "sessions": 2, **change}
    with pytest.raises(ParameterError) as raised:
        simulate_blocks(**numbers, calendar=calendar, start=date(2025, 6, 3))
    assert str(raised.value) == message


def test_too_few_sessions_are_an_error(calendar: Calendar) -> None:
    with pytest.raises(CoverageError, match="sessions=9; the calendar has 8 from 2025-06-03 on"):
        simulate_candles(1, 9, calendar=calendar, start=date(2025, 6, 3))
