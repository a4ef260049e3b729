"""Goal: what a live engine does not take is in its store's quarantine, and all counts add up.

Method: every way in is given good and bad rows; the report, the store's ledger and its quarantine
are held against the rows that were given, counted by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tallow import LiveEngine, open_store
from tallow.core.errors import ParameterError
from tallow.core.time import to_us
from tallow.data.ingest.documents import ingest
from tallow.data.ingest.repair_table import repair_table
from tallow.data.reading.quarantine import empty_quarantine
from tallow.data.store.store import Store
from tallow.runtime.live.updates import LiveReport
from tests.frames import candles, minutes, moment

OPENS = moment("2025-07-18T09:15+05:30")
ENDLESS = "B" * 1_025
UNKNOWN = moment("2035-06-01T09:15+05:30")
"""A day that the calendar does not know."""


def two_rows(**changes: float) -> pl.DataFrame:
    """Return two good candles of A, and the first one changed for B."""
    good = candles("A", minutes(OPENS.isoformat(), 2), volume=5.0)
    bad = good.head(1).with_columns(pl.lit("B").alias("instrument"))
    return pl.concat([good, bad.with_columns(pl.lit(v).alias(k) for k, v in changes.items())])


def frame(live: LiveEngine) -> LiveReport:
    return live.update(two_rows(high=0.5, low=0.7)).report


def frame_of_an_unknown_day(live: LiveEngine) -> LiveReport:
    rows = two_rows()
    b = pl.col("instrument") == "B"
    return live.update(
        rows.with_columns(pl.when(b).then(UNKNOWN).otherwise("timestamp").alias("timestamp"))
    ).report


def frame_without_a_calendar(live: LiveEngine) -> LiveReport:
    return live.update(two_rows().with_columns(pl.col("instrument").replace("B", "C"))).report


def frame_with_an_endless_name(live: LiveEngine) -> LiveReport:
    return live.update(two_rows().with_columns(pl.col("instrument").replace("B", ENDLESS))).report


def arrays(live: LiveEngine) -> LiveReport:
    rows = two_rows(volume=-1.0)
    numbers = live.numbers(rows["instrument"].to_list())
    columns = [rows[name] for name in ("open", "high", "low", "close", "volume")]
    return live.update_arrays(numbers, rows["timestamp"].to_physical(), *columns).report


def arrays_beyond_the_years(live: LiveEngine) -> LiveReport:
    rows = two_rows()
    numbers = live.numbers(rows["instrument"].to_list())
    times = rows["timestamp"].to_physical().to_numpy().copy()
    times[2] = 9_000_000_000_000_000 * 60
    columns = [rows[name] for name in ("open", "high", "low", "close", "volume")]
    return live.update_arrays(numbers, times, *columns).report


def ticks(
    live: LiveEngine, third: float = np.nan, time: int | None = 20, name: str | None = "B"
) -> LiveReport:
    seconds = [each and OPENS + timedelta(seconds=each) for each in (5, 65, time)]
    names, prices = ["A", "A", name], [100.0, 101.0, third]
    given = {"instrument": names, "timestamp": seconds, "price": prices, "quantity": [1.0] * 3}
    return live.update_ticks(pl.DataFrame(given)).report


def ticks_of_another_day(live: LiveEngine) -> LiveReport:
    return ticks(live, 100.0, int((UNKNOWN - OPENS).total_seconds()))


def ticks_without_a_time(live: LiveEngine) -> LiveReport:
    return ticks(live, 100.0, None)


def ticks_without_a_name(live: LiveEngine) -> LiveReport:
    return ticks(live, 100.0, name=None)


def ticks_with_an_endless_name(live: LiveEngine) -> LiveReport:
    return ticks(live, 100.0, name=ENDLESS)


def ticks_too_late(live: LiveEngine) -> LiveReport:
    live.advance(to_us(OPENS + timedelta(minutes=2)))
    return ticks(live, 100.0, -40 * 60)


ENTRIES: dict[Callable[[LiveEngine], LiveReport], str] = {
    frame: "high_below_low",
    frame_of_an_unknown_day: "not_covered",
    frame_without_a_calendar: "no_calendar",
    frame_with_an_endless_name: "instrument_too_long",
    arrays: "volume_negative",
    arrays_beyond_the_years: "time_out_of_range",
    ticks: "price_missing",
    ticks_of_another_day: "not_covered",
    ticks_too_late: "too_late",
    ticks_without_a_time: "time_unreadable",
    ticks_without_a_name: "instrument_missing",
    ticks_with_an_endless_name: "instrument_too_long",
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "store", create=True)


@pytest.mark.parametrize("give", ENTRIES, ids=lambda each: each.__name__)
def test_each_way_in_puts_its_bad_row_into_the_quarantine(
    give: Callable[[LiveEngine], LiveReport], store: Store
) -> None:
    live = LiveEngine("5m", "ema(2)", calendar={"A": "XNSE", "B": "XNSE"}, store=store)
    for times in (1, 2, 3):
        report = give(live)
        assert (report.rows_in, report.quarantined) == (3, 1)
        assert report.appended + report.corrected + report.repeated == 2
        assert report.quarantine["rule"].to_list() == [ENTRIES[give]]
        held = store.ledger.held()
        rows = held.select("timeframe", "adjustment", "source", "row", "rule", "times").rows()
        # The same row again is no other row.
        assert rows == [("1m", "raw", "live", None, ENTRIES[give], times)]
        assert json.loads(held["record"][0])["instrument"] in ("B", "C", None, ENDLESS)
        entries = store.ledger.entries()
        assert entries["quarantined"].sum() == times
        parts = ("new", "identical", "revised", "quarantined")
        assert entries["rows_in"].sum() == sum(entries[name].sum() for name in parts)
    if "ticks" not in give.__name__:
        # Ticks reach the store as candles of their minutes.
        assert store.ledger.entries()["rows_in"].to_list() == [3, 3, 3]


def test_a_name_that_no_question_could_ask_for_is_no_instrument(store: Store) -> None:
    live = LiveEngine("5m", "ema(2)", store=store)
    with pytest.raises(ParameterError, match=r"instrument='BBB.* at most 1,024 characters"):
        live.numbers(["A", ENDLESS])
    assert live.names == []


def test_a_look_ahead_and_a_clean_update_set_nothing_aside(store: Store) -> None:
    live = LiveEngine("5m", "ema(2)", store=store)
    assert live.peek(two_rows(high=0.5, low=0.7)).report.quarantined == 1
    live.update(two_rows())
    assert len(store.ledger.held(everything=True)) == 0
    assert store.ledger.entries()["quarantined"].to_list() == [0]


def test_a_row_of_a_file_keeps_its_place(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "day.parquet"
    two_rows(volume=-1.0).write_parquet(path)
    LiveEngine("5m", "ema(2)", store=store).update(path)
    assert store.ledger.held().select("source", "row").rows() == [(str(path), 3)]


def test_a_live_row_is_exported_mended_and_taken_in(store: Store, tmp_path: Path) -> None:
    live = LiveEngine("1m", "ema(1)", store=store)
    live.update(two_rows(high=0.5, low=0.7))
    table = repair_table(store.ledger.held())
    assert table.select("instrument", "high", "low").rows() == [("B", "0.5", "0.7")]
    mended = table.with_columns(high=pl.lit("1000"), low=pl.lit("1"))
    mended.write_csv(tmp_path / "mend.csv")
    report = ingest(store, tmp_path / "mend.csv")
    assert (report.total("new"), report.total("settled")) == (1, 1)
    assert len(store.ledger.held()) == 0
    live.catch_up()
    assert live.latest().filter(instrument="B")["high"].to_list() == [1000.0]


def test_rows_of_a_feed_are_durable_when_they_are_set_aside(store: Store) -> None:
    live = LiveEngine("1m", "ema(1)", store=store)
    text = '{"symbol": "B", "ts": "noon"}'
    quarantine = empty_quarantine().with_columns(reason=pl.lit(None, pl.String))
    row = {"source": "ws://host", "rule": "not_understood", "record": text, "reason": "no time"}
    rows = pl.concat([quarantine, pl.DataFrame([row | {"times": 3}, row])], how="diagonal")
    for times in (4, 8):
        live.quarantine(rows)
        with open_store(store.state_folder.parent) as other:
            held = other.ledger.held().select("source", "rule", "record", "reason", "times")
            assert held.rows() == [("ws://host", "not_understood", text, "no time", times)]
    # The engine goes on, and so does the ledger.
    assert live.update(two_rows()).report.appended == 3
    assert store.ledger.entries()["quarantined"].to_list() == [4, 4, 0]
