"""Goal: a query with an adjustment gives what the whole history gives with adjusted prices.

Method: simulated candles of two instruments go into a store, with a split, a bonus and a dividend
of one of them. The expected candles are the written ones, multiplied in the test by factors worked
out by hand; `process_candles` on those, cut to the range, is what each query must equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl
import pytest

import tallow
from tallow.core.calendars import load_calendar
from tallow.runtime import query
from tests.frames import flat_candle, simulate_candles

PRICES = ("open", "high", "low", "close")
SPLIT, BONUS, DIVIDEND = date(2025, 6, 10), date(2025, 6, 17), date(2025, 6, 20)
RANGE = (date(2025, 6, 9), date(2025, 6, 18))


@pytest.fixture
def candles() -> pl.DataFrame:
    calendar = load_calendar("XNSE")
    return simulate_candles(2, 20, calendar=calendar, start=date(2025, 6, 2), seed=5)


@pytest.fixture
def store(tmp_path: Path, candles: pl.DataFrame) -> Iterator[tallow.Store]:
    with tallow.open_store(tmp_path / "store", create=True) as store:
        store.write(candles, source_timeframe="1m")
        yield store


def actions(name: str, *rows: tuple[date, str, float | None, float | None, float | None]):
    schema = ["ex_date", "kind", "new", "old", "amount"]
    table = pl.DataFrame(rows, schema=schema, orient="row")
    return table.with_columns(instrument=pl.lit(name))


def adjusted(
    candles: pl.DataFrame, name: str, before: date, price: float, volume: float
) -> pl.DataFrame:
    """Return candles whose prices before a date in UTC, in which NSE's sessions lie, are scaled."""
    own = (pl.col("instrument") == name) & (pl.col("timestamp").dt.date() < before)
    scaled = [pl.when(own).then(pl.col(p) * price).otherwise(p).alias(p) for p in PRICES]
    counted = pl.when(own).then(pl.col("volume") * volume).otherwise("volume")
    return candles.with_columns(*scaled, counted.alias("volume"))


def whole(candles: pl.DataFrame) -> pl.DataFrame:
    return (
        tallow.AnalyticsEngine().process_candles(candles, "15m", start=RANGE[0], end=RANGE[1]).frame
    )


def asked(store: tallow.Store, adjustment: str, known_at: int | None = None) -> pl.DataFrame:
    moment = None if known_at is None else datetime.fromtimestamp(known_at / 1e6, UTC)
    engine = tallow.AnalyticsEngine(store=store)
    answer = engine.query(None, "15m", *RANGE, known_at=moment, adjustment=adjustment)
    return answer.frame


def test_a_split_scales_prices_before_it_and_volumes_the_other_way(store, candles):
    name = candles["instrument"][0]
    store.actions.record(actions(name, (SPLIT, "split", 5, 1, None)))
    expected = whole(adjusted(candles, name, SPLIT, 0.2, 5.0))
    assert asked(store, "split").equals(expected)
    assert asked(store, "raw").equals(whole(candles))


def test_a_dividend_counts_in_total_only_and_leaves_volumes(store, candles):
    name = candles["instrument"][0]
    before = pl.col("timestamp").dt.date() < DIVIDEND
    close = candles.filter(pl.col("instrument") == name, before)["close"][-1]
    store.actions.record(actions(name, (DIVIDEND, "dividend", None, None, close / 4)))
    assert asked(store, "split").equals(whole(candles))
    assert asked(store, "total").equals(whole(adjusted(candles, name, DIVIDEND, 0.75, 1.0)))


def test_a_new_action_changes_what_it_must_although_snapshots_of_before_are_there(store, candles):
    name = candles["instrument"][1]
    store.actions.record(actions(name, (SPLIT, "split", 5, 1, None)))
    first = asked(store, "split")
    known = store.last_received()
    store.actions.record(actions(name, (BONUS, "bonus", 1, 1, None)))
    both = adjusted(candles, name, BONUS, 0.5, 2.0)
    # Before the split both factors hold, as one product that is rounded once.
    early = adjusted(candles, name, SPLIT, 0.1, 10.0)
    is_early = pl.col("timestamp").dt.date() < SPLIT
    expected = pl.concat([early.filter(is_early), both.filter(~is_early)])
    assert asked(store, "split").equals(whole(expected.sort("instrument", "timestamp")))
    # What was known then has its own finality: bars that had ended by then, which all have.
    assert asked(store, "split", known_at=known).equals(first)


def test_a_withdrawn_action_never_was(store, candles):
    wrong = actions(candles["instrument"][0], (SPLIT, "split", 5, 1, None))
    store.actions.record(wrong)
    store.actions.withdraw(wrong)
    assert asked(store, "split").equals(whole(candles))


def test_candles_that_came_adjusted_are_used_where_there_are_no_raw_ones(tmp_path, candles):
    name = candles["instrument"][0]
    own = candles.filter(pl.col("instrument") == name)
    with tallow.open_store(tmp_path / "vendor", create=True) as store:
        store.write(own, adjustment="split", source_timeframe="1m")
        assert asked(store, "split").equals(whole(own))


class Clock:
    """A clock that says what it is set to."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> int:
        return int(self.now.timestamp()) * 10**6


@pytest.mark.parametrize(
    ("calendar", "traded", "midnight"),
    [
        ("XNSE", "2025-07-18T09:15+05:30", "2025-07-20T18:30+00:00"),
        ("XNYS", "2025-07-18T09:30-04:00", "2025-07-21T04:00+00:00"),
    ],
)
def test_an_announced_split_takes_effect_at_the_venues_midnight(
    tmp_path, monkeypatch, calendar, traded, midnight
):
    """Half an hour into an hour of UTC in Mumbai; an engine that was asked before notices, too."""
    split = actions("A", (date(2025, 7, 21), "split", 2, 1, None))
    begins = datetime.fromisoformat(midnight)
    clock = Clock(begins)
    monkeypatch.setattr(query, "now_us", clock)
    with tallow.open_store(tmp_path / "store", create=True) as store:
        store.write(flat_candle("A", traded, 100.0, 1.0), source_timeframe="1m")
        store.actions.record(split)
        engine = tallow.AnalyticsEngine(calendar, store=store)

        def close(moment: datetime) -> float:
            clock.now = moment
            asked = partial(engine.query, "A", "1d", indicators="ema(1)", adjustment="split")
            return asked().frame["close"].item()

        seconds = [timedelta(seconds=s) for s in (-600, -1, 0, 1, 1800)]
        assert [close(begins + each) for each in seconds] == [100.0, 100.0, 50.0, 50.0, 50.0]
