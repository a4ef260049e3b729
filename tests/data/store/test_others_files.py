"""Goal: a file that another tool adds to a store's table is read right, or refused by its name and
in words; what it says moves nothing of what follows.

Method: files with times of every form, with receipts ahead of the clock, and with statistics that
nobody can read are added by Delta's own library to a table with a few candles.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import polars as pl
import polars.selectors as cs
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from deltalake.transaction import AddAction

from tallow.core.errors import DamagedFileError, StoreError
from tallow.data.store.log import LOG_SCHEMA
from tallow.data.store.store import open_store
from tallow.data.store.table import TABLE_SCHEMA
from tests.data.store.model import at, candle_frame, counts, flat, read

TIMES = cs.by_name("timestamp", "received_at")
RECEIVED = datetime(2025, 6, 3, tzinfo=UTC)
A0, A1 = ("A", at(0)), ("A", at(1))


@pytest.fixture
def folder(tmp_path):
    """Return the folder of a store with two candles."""
    with open_store(tmp_path / "store", create=True) as store:
        store.write(candle_frame({A0: flat(5), A1: flat(2)}), source_timeframe="1m")
        store.flush()
    return tmp_path / "store"


FORMS = {
    "us": pl.Datetime("us", "UTC"),
    "ms": pl.Datetime("ms", "UTC"),
    "ns": pl.Datetime("ns", "UTC"),
    "of another zone": pl.Datetime("ms", "Asia/Kolkata"),
    "without one": pl.Datetime("us"),
    "int96": pl.Datetime("us", "UTC"),
}


@pytest.mark.parametrize("form", FORMS)
def test_times_as_other_writers_write_them_are_right(folder, form):
    """A file that the log takes for a plain one holds its times in another form."""
    rows = candle_frame({("C", at(minute)): flat(minute + 1.0) for minute in range(300)})
    appended(folder, as_log(rows).cast({TIMES: FORMS[form]}), int96=form == "int96")
    with open_store(folder) as store:
        for first, last in ((0, 300), (7, 8), (120, 290)):
            found = read(store, instruments=["C"], start=at(first), end=at(last))
            assert [row[1:3] for row in found] == [(at(m), m + 1.0) for m in range(first, last)]
        assert counts(store.write(rows.head(2), source_timeframe="1m")) == (0, 2, 0)
        store.compact(keep_hours=0)
        assert [row[2] for row in read(store, instruments=["C"])] == [m + 1.0 for m in range(300)]


def as_log(candles, received=RECEIVED, **columns):
    """Return candles as rows of the log, as another tool would write them."""
    fixed = {"timeframe": "1m", "adjustment": "raw", "source": "another tool", **columns}
    return candles.with_columns(
        **{name: pl.lit(value) for name, value in fixed.items()},
        open_interest=pl.lit(None, pl.Float64),
        revision=pl.lit(1, pl.Int32),
        received_at=pl.lit(received).cast(pl.Datetime("us", "UTC")),
        deleted=pl.lit(False),
    ).select(list(LOG_SCHEMA))


def appended(folder, rows, said="{}", int96=False):
    """Add a file to the table, of which the log says that."""
    path = folder / f"part-{uuid.uuid4().hex}.parquet"
    pq.write_table(rows.to_arrow(), path, row_group_size=50, use_deprecated_int96_timestamps=int96)
    action = AddAction(path.name, path.stat().st_size, {}, 1, True, "{}")
    DeltaTable(folder).create_write_transaction([action], "append", TABLE_SCHEMA)
    commit = max((folder / "_delta_log").glob("*.json"))
    lines = [json.loads(line) for line in commit.read_text().splitlines()]
    for line in lines:
        if "add" in line:
            line["add"]["stats"] = said
    commit.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path.name


@pytest.mark.parametrize("ahead", [3_600, 100_000, 100 * 366 * 86_400])
def test_receipts_far_ahead_of_the_clock_move_no_later_ones(folder, ahead):
    """A day's worth is taken: another machine's clock may be wrong by as much."""
    now = datetime.now(UTC)
    rows = as_log(candle_frame({("C", at(0)): flat(8.0)}), now + timedelta(seconds=ahead))
    name = appended(folder, rows)
    with open_store(folder) as store:
        if ahead < 86_400:
            assert [row[2] for row in read(store, instruments=["C"])] == [8.0]
            return
        assert [row[2] for row in read(store, instruments=["A"])] == [5.0, 2.0]
        with pytest.raises(DamagedFileError, match=rf"{name}: has rows that were received at .*"):
            store.read(["C"])
        wrote = store.write(candle_frame({A1: flat(9.0)}), source_timeframe="1m").received_at or 0
        assert now.timestamp() * 1e6 < wrote < (now.timestamp() + 3_600) * 1e6
        store.flush()
        assert store.last_received() == store.stats().last_received == wrote


UNREADABLE = ["{", "nonsense", '{"numRecords": "x"}', '{"maxValues": {"revision": "x"}}']


@pytest.mark.parametrize("said", UNREADABLE)
def test_statistics_that_cannot_be_read_are_refused_in_a_sentence(folder, said):
    appended(folder, as_log(candle_frame({("C", at(0)): flat(8.0)})), said)
    with pytest.raises(StoreError, match="another tool wrote into it what cannot be read") as told:
        open_store(folder)
    assert str(folder) in str(told.value)
    assert "tallow store restore" in str(told.value)
    # None of the library's own calls.
    assert len(str(told.value)) < 600
