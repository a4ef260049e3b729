"""Goal: a row that was set aside is in the quarantine of every series that it was set aside in.

Method: the same bad rows go into several series, and come again; the ledger's counts are held
against the quarantine's rows. A file of before, whose table could not hold this, is made by hand.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tallow import open_store
from tallow.data.store.postgres import PostgresBackend
from tallow.data.store.store import Store
from tests.data.store.conftest import Place

SERIES = (("1m", "raw"), ("1m", "split"), ("5m", "raw"))
BAD = pl.DataFrame(
    {
        "instrument": ["A"],
        "timestamp": ["2025-07-18T09:15+05:30"],
        "open": [1.0],
        "high": [0.5],
        "low": [0.5],
        "close": [1.0],
        "volume": [1.0],
    }
)
OLD_TABLE = """
PRAGMA user_version = 0;
ALTER TABLE batches DROP COLUMN writes;
DROP TABLE quarantine;
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT, ingest INTEGER, timeframe TEXT, adjustment TEXT,
    source TEXT, row INTEGER, rule TEXT, instrument TEXT, timestamp INTEGER, record TEXT,
    settled_by INTEGER,
    UNIQUE (source, row, rule, record)
);
INSERT INTO quarantine VALUES
    (3, 1, '1m', 'raw', 'day.csv', 1, 'high_below_low', 'A', 7, '{"a":1}', NULL),
    (5, 1, '1m', 'raw', 'day.csv', 2, 'off_grid', NULL, NULL, '{"b":";"}', 2);
"""


def write_in_all(store: Store) -> None:
    for timeframe, adjustment in SERIES:
        store.write(BAD, source="day.csv", source_timeframe=timeframe, adjustment=adjustment)


def test_each_series_has_its_row_and_the_same_file_again_adds_none(place: Place) -> None:
    store = place.open()
    for _ in range(2):
        write_in_all(store)
        held = store.ledger.held()
        assert held.select("timeframe", "adjustment").rows() == list(SERIES)
        assert held["ingest"].to_list() == [1, 2, 3]
    assert store.ledger.entries()["quarantined"].to_list() == [1] * 6


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a store whose quarantine was made before series were told apart."""
    with open_store(tmp_path / "store", create=True) as store:
        (file,) = store.state_folder.glob("*.sqlite")
    with sqlite3.connect(file) as connection:
        connection.executescript(OLD_TABLE)
    connection.close()
    return tmp_path / "store"


def test_a_quarantine_of_before_keeps_its_rows_and_takes_each_series(old: Path) -> None:
    for times in (1, 2):
        with open_store(old) as store:
            known = store.ledger.held(everything=True).filter(pl.col("id") <= 5)
            assert known.select("id", "row", "rule", "record", "times", "settled_by").rows() == [
                (3, 1, "high_below_low", '{"a":1}', 1, None),
                (5, 2, "off_grid", '{"b":";"}', 1, 2),
            ]
            write_in_all(store)
            new = store.ledger.held().filter(pl.col("id") > 5)
            assert new.select("timeframe", "adjustment").rows() == list(SERIES), times


def test_a_database_of_before_is_renewed_when_it_is_opened(
    new_place: Callable[[str], Place],
) -> None:
    place = new_place("database")
    backend = place.open().backend
    assert isinstance(backend, PostgresBackend)
    backend._server.run(
        "DROP INDEX tallow.quarantine_per_series; "
        "ALTER TABLE tallow.quarantine DROP COLUMN times, DROP COLUMN reason; "
        "CREATE UNIQUE INDEX quarantine_once ON tallow.quarantine (source, row, rule, md5(record))"
    )
    store = place.open()
    write_in_all(store)
    assert store.ledger.held().select("timeframe", "adjustment").rows() == list(SERIES)
