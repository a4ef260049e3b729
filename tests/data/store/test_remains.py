"""Goal: compaction and pruning remove what the table itself left behind, and nothing else; what is
derived from rows that were taken away is never trusted again, wherever a pruning is killed.

Method: between a store's files lie those of a person, with names as like the store's as can be, and
old. Versions of the table are what a kill can leave: each is looked at by itself.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import obstore
import polars as pl
import pytest
from deltalake import DeltaTable

from tallow.data.store import maintenance
from tallow.data.store.log import LOG_ORDER, LOG_SCHEMA
from tallow.data.store.statistics import own_name
from tallow.data.store.store import Store, open_store
from tallow.data.store.table import EPOCH, properties_of
from tests.frames import market

DAY = 86_400
MINUTE_US = 60_000_000
BEGIN_US = 1_748_835_900_000_000
"""2025-06-02T09:15+05:30, when the candles begin."""
KEYS = pl.DataFrame(schema=LOG_SCHEMA).select(LOG_ORDER)
MINE = (
    "notes.csv",
    "flags.toml",
    "deadbeefdeadbeefdeadbeefdeadbeef.parquet",
    own_name("another table", ()),
    "part-00000-1.snappy.parquet",
    "old/candles.parquet",
    "_mine/candles.parquet",
)


def age(folder: Path, days: int = 10) -> None:
    then = time.time() - days * DAY
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


def fill(store: Store, files: int = 3) -> None:
    """Write files that overlap."""
    for seed in range(files):
        store.write(market(["A", "B"], rows=40, seed=seed), source_timeframe="1m")
        store.flush()


def unfinished(store: Store) -> str:
    """Leave what a write leaves that is killed before its commit; return its name."""
    place = store.backend.location  # type: ignore[attr-defined]
    return str(place.write(store.log())[0].path)


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.parquet")}


def test_a_persons_files_below_the_folder_stay(tmp_path):
    with open_store(tmp_path, create=True) as store:
        fill(store)
        store.backup(tmp_path / "backup")
        for name in MINE:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("mine")
        (tmp_path / "link.parquet").symlink_to(tmp_path / "notes.csv")
        before = sorted(path for path in (tmp_path / "backup").rglob("*") if path.is_file())
        age(tmp_path)
        log = store.log()
        assert store.compact().files_after == 1
        assert store.compact(keep_hours=0).files_removed == 3
        store.prune(before=BEGIN_US + 20 * MINUTE_US, keep_hours=0)
        for name in (*MINE, "link.parquet"):
            assert (tmp_path / name).read_text() == "mine"
        assert before == sorted(p for p in (tmp_path / "backup").rglob("*") if p.is_file())
    with open_store(tmp_path / "backup") as copy:
        assert copy.log().equals(log)


def test_what_the_table_left_goes_when_its_time_has_come(tmp_path):
    with open_store(tmp_path, create=True) as store:
        fill(store)
        replaced, dead = files_of(tmp_path), unfinished(store)
        # Files of long ago, replaced now: their week begins.
        age(tmp_path)
        young = unfinished(store)
        assert store.compact().files_removed == 1
        left = files_of(tmp_path)
        assert replaced < left
        assert young in left
        assert dead not in left
        assert store.compact(keep_hours=0).files_removed == 3
        assert not files_of(tmp_path) & replaced
        assert young in files_of(tmp_path)
        assert store.damaged() == []


def test_a_bucket_is_cleaned_as_a_folder_is(new_place, monkeypatch):
    place = new_place("bucket")
    store = place.open()
    fill(store)
    bucket = store.backend.location.bucket
    for name in MINE:
        obstore.put(bucket, name, b"mine")
    dead = unfinished(store)
    assert store.compact(keep_hours=0).files_removed == 3
    monkeypatch.setattr(maintenance, "STORE_UNFINISHED_HOURS", 0.0)
    assert store.compact(keep_hours=0).files_removed == 1
    left = {each["path"] for page in obstore.list(bucket) for each in page}
    assert left >= set(MINE)
    assert dead not in left
    assert place.open().log().equals(store.log())


@pytest.mark.parametrize("limit", ["before", "superseded_before"])
def test_a_pruning_killed_at_any_moment_leaves_nothing_derived_valid(tmp_path, tiny_limits, limit):
    with open_store(tmp_path, create=True) as store:
        fill(store)
        cut = store.last_received() if limit == "superseded_before" else BEGIN_US + 20 * MINUTE_US
        store.prune(**{limit: cut}, keep_hours=1)
        newest = store.stats().version
    seen: dict[str, pl.DataFrame] = {}
    epochs = []
    for version in range(newest + 1):
        table = DeltaTable(str(tmp_path), version=version)
        epoch = properties_of(table, "")[EPOCH]
        files = [tmp_path / path for path in pl.DataFrame(table.get_add_actions())["path"]]
        rows = pl.concat([KEYS, *(pl.read_parquet(file).select(KEYS.columns) for file in files)])
        # Whoever derived something under this epoch saw no row that is gone by now.
        gone = seen.get(epoch, KEYS).join(rows, on=KEYS.columns, how="anti")
        assert gone.is_empty(), version
        seen[epoch] = rows
        epochs.append(epoch)
    assert len(set(epochs)) > 1
