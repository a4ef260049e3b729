"""Goal: a key goes on where another ended: its history, its adjusted prices, coverage and live.

Method: candles of a few days are written under two or three keys, and a table joins them; the right
closes are worked out by hand.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

import tallow
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ActionError
from tallow.data.adjust import FACTOR_SCHEMA, apply_later_factors
from tallow.data.coverage.store import StoredSeries
from tests.frames import flat_candle

OLD, NEW, FIRST = "NSE_EQ|INE000A01011", "NSE_EQ|INE000A01029", "NSE_EQ|INE000A01003"
SPLIT = {"instrument": [NEW], "ex_date": ["2025-09-22"], "kind": ["split"], "new": [5], "old": [1]}


def joins(*rows: tuple[str, str, str]) -> pl.DataFrame:
    names = ["instrument", "ex_date", "predecessor"]
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(kind=pl.lit("join"))


def daily(name: str, **closes: float) -> pl.DataFrame:
    """Return candles of days in September 2025, given as `d18=701.0`."""
    return pl.concat(
        flat_candle(name, f"2025-09-{day[1:]}T00:00+05:30", close, 10.0)
        for day, close in closes.items()
    )


@pytest.fixture
def store(tmp_path: Path):
    with tallow.open_store(tmp_path / "store", create=True) as store:
        store.write(daily(OLD, d18=701.0, d19=711.0), source_timeframe="1d")
        store.write(daily(NEW, d22=143.0, d23=144.0), source_timeframe="1d")
        yield store


def asked(store: tallow.Store, name: str = NEW, adjustment: str = "raw", **wanted) -> list[float]:
    engine = tallow.AnalyticsEngine("XNSE", store=store)
    wanted = {"indicators": "ema(1)", "source_timeframe": "1d", "adjustment": adjustment} | wanted
    frame = engine.query(name, "1d", **wanted).frame
    assert set(frame["instrument"]) == {name}
    return frame["close"].to_list()


def test_a_new_isin_has_the_prices_of_the_old_one_adjusted(store, tmp_path):
    (tmp_path / "a.csv").write_text(
        "instrument,ex_date,kind,new,old,predecessor\n"
        f"{NEW},2025-09-22,split,5,1,\n{NEW},2025-09-22,join,,,{OLD}\n"
    )
    reports = store.actions.record(str(tmp_path / "a.csv"))
    assert {kind: report.new for kind, report in reports.items()} == {"split": 1, "join": 1}
    assert asked(store, adjustment="split") == [701 * 0.2, 711 * 0.2, 143.0, 144.0]
    assert asked(store) == [701.0, 711.0, 143.0, 144.0]
    assert asked(store, OLD) == [701.0, 711.0]
    assert asked(store, start=date(2025, 9, 19), end=date(2025, 9, 22)) == [711.0, 143.0]


def test_an_action_under_either_key_counts_once(store):
    old = pl.DataFrame(SPLIT).with_columns(instrument=pl.lit(OLD))
    store.actions.record(joins((NEW, "2025-09-22", OLD)))
    store.actions.record(old)
    assert asked(store, adjustment="split")[:2] == [701 * 0.2, 711 * 0.2]
    store.actions.record(pl.DataFrame(SPLIT))
    assert asked(store, adjustment="split")[:2] == [701 * 0.2, 711 * 0.2]


def test_the_date_decides_where_both_keys_have_rows(store):
    store.write(daily(OLD, d22=1.0, d23=2.0), source_timeframe="1d")
    store.write(daily(NEW, d19=3.0), source_timeframe="1d")
    store.actions.record(joins((NEW, "2025-09-22", OLD)))
    assert asked(store) == [701.0, 711.0, 143.0, 144.0]


def test_joins_follow_each_other_and_are_known_from_their_receipt_on(store):
    store.write(daily(FIRST, d16=690.0, d17=695.0), source_timeframe="1d")
    store.actions.record(joins((NEW, "2025-09-22", OLD)))
    one = store.last_received()
    store.actions.record(joins((OLD, "2025-09-18", FIRST)))
    whole = [690.0, 695.0, 701.0, 711.0, 143.0, 144.0]
    assert asked(store) == whole
    assert asked(store, known_at=datetime.fromtimestamp(one / 1e6, UTC)) == whole[2:]
    store.actions.withdraw(joins((NEW, "2025-09-22", OLD)))
    assert asked(store) == whole[4:]
    assert asked(store, OLD) == whole[:4]


def test_a_corrected_join_takes_the_place_of_the_wrong_one(store):
    store.write(daily(FIRST, d16=690.0), source_timeframe="1d")
    store.actions.record(joins((NEW, "2025-09-22", FIRST)))
    report = store.actions.record(joins((NEW, "2025-09-22", OLD)))["join"]
    assert (report.new, report.revised) == (0, 1)
    assert asked(store) == [701.0, 711.0, 143.0, 144.0]
    assert store.actions.joins().rows() == [(NEW, date(2025, 9, 22), OLD)]


def test_what_cannot_be_joined_is_refused_in_words(store):
    store.actions.record(joins((NEW, "2025-09-22", OLD), (OLD, "2025-09-18", FIRST)))
    mixed = pl.DataFrame(SPLIT).with_columns(predecessor=pl.lit(OLD))
    twice = joins((NEW, "2025-09-22", OLD), (NEW, "2025-09-22", FIRST))
    for table, words in (
        (joins((FIRST, "2025-09-01", NEW)), "a key cannot go on where it ended itself"),
        (joins((FIRST, "2025-09-01", FIRST)), "a key cannot go on where it ended itself"),
        (twice, "a key goes on where one other ended"),
        (joins((NEW, "2025-09-22", "")), "a join needs the predecessor"),
        (mixed, "only a join has a predecessor"),
    ):
        with pytest.raises(ActionError, match=words):
            store.actions.record(table)
    assert len(store.actions.joins()) == 2


def test_a_correction_of_the_old_key_is_seen_under_the_new_one(store):
    store.actions.record(joins((NEW, "2025-09-22", OLD)))
    assert asked(store)[1] == 711.0
    store.write(daily(OLD, d19=712.0), source_timeframe="1d")
    assert asked(store)[1] == 712.0


def test_coverage_counts_the_history_under_the_new_key_only(store):
    store.actions.record(joins((NEW, "2025-09-22", OLD)))
    now = int(datetime(2025, 9, 23, 20, tzinfo=UTC).timestamp() * 1e6)
    found = StoredSeries(store, CalendarAssignment("XNSE"), now, "1d").coverage()
    weekdays = found.filter(pl.col("expected") > 0)
    assert weekdays.select("instrument", "present", "missing").rows() == [(NEW, 1, 0)] * 4


def test_a_live_engine_begins_with_the_old_key_and_follows_a_join(tmp_path):
    with tallow.open_store(tmp_path / "live", create=True) as store:
        store.write(flat_candle("OLD", "2025-09-19T15:28+05:30", 100.0, 5.0), source_timeframe="1m")
        store.write(flat_candle("NEW", "2025-09-22T09:15+05:30", 104.0, 5.0), source_timeframe="1m")
        early = tallow.LiveEngine("1m", "sma(2)", calendar="XNSE", store=store)
        early.catch_up(["NEW"])
        store.actions.record(joins(("NEW", "2025-09-22", "OLD")))
        early.catch_up(["NEW"])
        late = tallow.LiveEngine("1m", "sma(2)", calendar="XNSE", store=store)
        late.catch_up(["NEW"])
        for live in (early, late):
            assert live.latest("1m")["sma_2"].to_list() == [102.0]
        store.write(flat_candle("OLD", "2025-09-19T15:28+05:30", 96.0, 5.0), source_timeframe="1m")
        early.catch_up(["NEW"])
        assert early.latest("1m")["sma_2"].to_list() == [100.0]


def test_adjusted_and_raw_candles_of_one_instrument_are_taken_by_their_days(tmp_path):
    """Two days came adjusted, one of them raw too; a later split multiplies what came before it."""
    with tallow.open_store(tmp_path / "mixed", create=True) as store:
        store.write(daily("A", d15=20.0, d16=21.0), source_timeframe="1d", adjustment="split")
        noon = flat_candle("A", "2025-09-16T12:00+05:30", 105.0, 9.0)
        store.write(pl.concat([noon, daily("A", d17=110.0, d18=23.0)]), source_timeframe="1d")
        split = pl.DataFrame(SPLIT | {"instrument": ["A"], "ex_date": ["2025-09-18"]})
        store.actions.record(split)
        assert asked(store, "A", "split") == [20.0, 105 * 0.2, 110 * 0.2, 23.0]
        assert asked(store, "A", "split", start=date(2025, 9, 17)) == [110 * 0.2, 23.0]
        assert asked(store, "A") == [105.0, 110.0, 23.0]


def test_what_came_adjusted_is_multiplied_by_what_happened_after_it_came():
    """Of three alike, one came before both actions, one between them, and one after them."""
    rows = daily("A", d15=20.0, d16=20.0, d17=20.0)
    first, second = (datetime(2025, 10, day, tzinfo=UTC) for day in (1, 8))
    factors = pl.DataFrame(
        [("A", first, 0.1, 10.0), ("A", second, 0.5, 2.0)], schema=FACTOR_SCHEMA, orient="row"
    )
    came = [datetime(2025, *day, tzinfo=UTC) for day in ((9, 30), (10, 1), (10, 9))]
    received = pl.Series(came).cast(pl.Datetime("us")).to_physical()
    found = apply_later_factors(rows, factors, received)
    assert found["close"].to_list() == [2.0, 10.0, 20.0]
    assert found["volume"].to_list() == [100.0, 20.0, 10.0]
