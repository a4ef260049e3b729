"""Goal: what can be read of a store's file, but cannot be its own, is refused by name.

Method: single causes that flipped bits have had, each put there by hand: a data file with other
columns, values of a wrong kind in the state, names in it that are no text, a log that lacks what
every log says.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import polars as pl
import pytest

from tallow.core.errors import DamagedFileError, StoreError
from tallow.data.store.store import open_store
from tests.data.store.campaign import History, lower_limits, work
from tests.frames import market

STATE = r"state\.sqlite: .*restore it from a backup"
SHORT = next(step for _, step in History(3).steps(range(60)) if 100 < len(step.rows) < 400)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    lower_limits(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a store of one file, with a write in its tail."""
    with open_store(tmp_path / "store", create=True) as store:
        store.write(market(["A"], rows=1_200, seed=1), source_timeframe="1m")
        list(work(store, [(1, SHORT)]))
        assert (store.stats().files, store.stats().tail_rows) == (1, len(SHORT.rows))
    return tmp_path / "store"


def put(folder: Path, rows: pl.DataFrame) -> Path:
    """Write other rows in the place of the newest data file; the log knows their size."""
    file = max(folder.glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    size = file.stat().st_size
    rows.write_parquet(file)
    for commit in (folder / "_delta_log").glob("*.json"):
        replace(commit, f'"size":{size}'.encode(), f'"size":{file.stat().st_size}'.encode())
    return file


def replace(file: Path, old: bytes, new: bytes) -> None:
    file.write_bytes(file.read_bytes().replace(old, new))


WRONG = {
    "half the bits": pl.col("close").cast(pl.Float32),
    "bytes for a text": pl.col("instrument").cast(pl.Binary),
    "no name": pl.lit(None, pl.String).alias("instrument"),
    "no time": pl.lit(None, pl.Datetime("us", "UTC")).alias("timestamp"),
    "another column": pl.col("close").alias("clpse"),
}


@pytest.mark.parametrize("files", [1, 2])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_data_file_that_no_log_can_hold_is_named(folder, wrong, files):
    with open_store(folder) as store:
        whole = store.read()
        if files == 2:
            store.flush()
    file = max(folder.glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    bad = put(folder, pl.read_parquet(file).with_columns(WRONG[wrong]))
    with open_store(folder) as store:
        with pytest.raises(StoreError, match=bad.name) as caught:
            store.log()
        assert "partial=True" in str(caught.value)
        assert "hint:" not in str(caught.value)
        rest = store.read(partial=True)
        assert 0 < len(rest) < len(whole)
        assert rest.schema == whole.schema
        assert rest.equals(whole.join(rest, ["instrument", "timestamp"], "semi"))
        with pytest.raises(StoreError, match=bad.name):
            store.backup(folder.parent / "copy")


def change(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / "_tallow" / "state.sqlite")
    with connection:
        assert connection.execute(statement).rowcount
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE facts SET value = NULL WHERE name = 'received'",
        "UPDATE facts SET value = 'late' WHERE name = 'received'",
        "UPDATE facts SET value = x'07' WHERE name = 'reached'",
        "UPDATE facts SET value = 7 WHERE name = 'identity'",
        "UPDATE facts SET value = CAST(x'ff' AS TEXT) WHERE name = 'identity'",
        "DELETE FROM facts WHERE name = 'identity'",
        "DELETE FROM facts WHERE name = 'received'",
        "DELETE FROM facts WHERE name = 'reached'",
        "UPDATE batches SET body = 'text'",
        "UPDATE batches SET body = 7",
        "UPDATE batches SET body = zeroblob(9)",
        "UPDATE batches SET digest = 'none'",
    ],
)
def test_a_state_with_a_value_that_cannot_be_is_refused(folder, statement):
    change(folder, statement)
    with pytest.raises(DamagedFileError, match=STATE), open_store(folder) as store:
        store.read()


@pytest.mark.parametrize("missing", [2, 3])
def test_a_tail_that_lacks_a_batch_is_refused(folder, missing):
    with open_store(folder) as store:
        for name in ("B", "C"):
            assert store.write(market([name], rows=30, seed=2), source_timeframe="1m").new
    change(folder, f"DELETE FROM batches WHERE id = (SELECT min(id) + {missing - 1} FROM batches)")
    with pytest.raises(DamagedFileError, match=STATE), open_store(folder) as store:
        store.read()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ingests SET source = NULL",
        "UPDATE ingests SET new = 'many'",
        "UPDATE ingests SET source = CAST(x'ff' AS TEXT)",
        "INSERT INTO quarantine (ingest, timeframe, adjustment, row) VALUES (1, '1m', 'raw', -1)",
        "INSERT INTO quarantine (ingest, timeframe) VALUES (1, NULL)",
    ],
)
def test_a_ledger_with_a_value_that_cannot_be_is_refused(folder, statement):
    change(folder, statement)
    with open_store(folder) as store:
        assert len(store.read())
        with pytest.raises(DamagedFileError, match=STATE):
            (store.ledger.entries(), store.ledger.held())


@pytest.mark.parametrize("name", [b"AUTOINCREM\xacNT, ingest", b"AUTOINCREM|NT, ingest"])
def test_a_state_whose_table_has_no_name_is_refused(folder, name):
    replace(folder / "_tallow" / "state.sqlite", b"AUTOINCREMENT, ingest", name)
    with pytest.raises(DamagedFileError, match=r"state\.sqlite"):
        open_store(folder)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"tallow.epoch"', b'"tallow.fpoch"'),
        (b'"tallow.epoch":', b'"tallow.horizon":"1x","tallow.epoch":'),
        (b"adjustment", b"adjustmeot"),
    ],
)
def test_a_log_that_lacks_what_every_log_says_is_refused(folder, old, new):
    for number in (0, 1):
        replace(folder / "_delta_log" / f"{number:020d}.json", old, new)
    with pytest.raises(StoreError, match=rf"{folder}.*restore it from a backup"):
        open_store(folder)


def test_a_log_that_does_not_say_how_many_rows_a_file_has_is_answered_from_the_file(folder):
    with open_store(folder) as store:
        whole, last = store.log(), store.last_received()
    replace(folder / "_delta_log" / f"{1:020d}.json", b"numRecords", b"numRecorts")
    with open_store(folder) as store:
        assert store.log().equals(whole)
        assert (store.stats().rows, store.last_received()) == (len(whole), last)
