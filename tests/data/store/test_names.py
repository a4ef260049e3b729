"""Goal: a store's name means one place, whatever a URL would make of it, and no two names share one
log without sharing its lock, tail and ledger.

Method: stores lie side by side in folders whose names libraries decode into each other; each must
hold its own row, in a file of its own folder. One folder is then opened by all its names.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tallow.core.errors import StoreError
from tallow.data.store.location import plain_location
from tallow.data.store.store import open_store
from tests.data.store.bucket import BUCKET

ODD = [
    "A",
    "%41",
    "%2541",
    "a/b",
    "a\\b",
    "a#b",
    "a?b",
    " 100%",
    "ü",
    "u\u0308",
    "[*]",
    "a\nb",
    "%2F",
]


def row(name: str) -> pl.DataFrame:
    price = {key: [1.0] for key in ("open", "high", "low", "close", "volume")}
    return pl.DataFrame({"instrument": [name], "timestamp": ["2025-07-18T09:15+05:30"], **price})


def test_stores_of_odd_names_are_told_apart(tmp_path):
    for name in ODD:
        with open_store(tmp_path / name, create=True) as store:
            store.write(row(name), source_timeframe="1m")
            store.flush()
            store.write(row(f"{name} later"), source_timeframe="1m")
    for name in ODD:
        assert (tmp_path / name / "_delta_log" / f"{1:020d}.json").is_file()
        assert len(list((tmp_path / name).glob("*.parquet"))) == 1
        with open_store(tmp_path / name) as store:
            assert store.read()["instrument"].to_list() == [name, f"{name} later"]


def test_a_folder_that_would_be_another_is_no_store_yet(tmp_path):
    open_store(tmp_path / "A", create=True).close()
    for name in ("%41", "B\\..\\A", "%2E%2E%2FA"):
        with pytest.raises(StoreError, match="holds no store"):
            open_store(tmp_path / name)
        assert not (tmp_path / name).exists()


def test_all_names_of_one_folder_open_one_store(tmp_path, monkeypatch):
    folder = tmp_path / "one" / "a%41 #b"
    with open_store(folder, create=True) as store:
        store.write(row("0"), source_timeframe="1m")
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep" / "link").symlink_to(folder)
        monkeypatch.chdir(folder.parent)
        names = (
            f"{folder}/",
            "a%41 #b",
            f"{tmp_path}/deep/link",
            # A library shortens this to `deep/a%41 #b`; the system follows the link first.
            f"{tmp_path}/deep/link/../a%41 #b",
            folder.as_uri(),
            f"FILE://localhost{folder.as_uri()[7:]}/",
        )
        for number, name in enumerate(names, 1):
            with open_store(name) as other:
                other.write(row(str(number)), source_timeframe="1m")
                other.flush()
            assert len(store.read()) == len(store.ledger.entries()) == number + 1
    assert list(folder.parent.iterdir()) == [folder]
    assert [each.name for each in (tmp_path / "deep").iterdir()] == ["link"]


def test_a_name_with_two_meanings_is_refused():
    for name in (
        "s3://bucket/a%41",
        "s3://bucket/a b",
        "s3://bucket/a?b",
        "s3://bucket/a#b",
        "s3://bucket/a\\b",
        "s3://bucket//a",
        "s3://bucket/../a",
        "s3://bucket/./a",
        "file://server/share",
        "file:///a?b",
        "\0",
        "~nobody-of-this-name/a",
    ):
        with pytest.raises(StoreError, match="name"):
            plain_location(name)
    assert plain_location("S3://bucket/a/ü.b/") == "s3://bucket/a/ü.b"
    assert plain_location(Path("a://b")) == Path.cwd() / "a:" / "b"


def test_a_bucket_is_one_store_by_all_its_names(tmp_path, bucket_options, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    name = f"s3://{BUCKET}/names/ü+a;b"
    with open_store(name, create=True, storage_options=bucket_options) as store:
        store.write(row("A"), source_timeframe="1m")
        with open_store(f"{name}/", storage_options=bucket_options) as other:
            # Of the same tail.
            assert other.read()["instrument"].to_list() == ["A"]
            other.flush()
        assert store.read()["instrument"].to_list() == ["A"]


def test_a_buckets_address_has_no_key():
    with pytest.raises(StoreError, match=r"s3://bucket/a: has a key in it; .* storage_options="):
        open_store("s3://name:secret@bucket/a")
    other = "abfss://container@account.dfs.core.windows.net/a"
    assert plain_location(other) == other


def test_an_address_of_a_database_may_be_written_in_capitals():
    with pytest.raises(StoreError, match=r"postgresql://me@127\.0\.0\.1:1/db: Failed to connect"):
        open_store("POSTGRESQL://me:secret@127.0.0.1:1/db")
