"""Goal: what a replay's files leave out can be said to `tallow live`, as to other verbs.

Method: files that lack something are replayed without and with the option for it; the store then
has the candles of which the files were made.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tallow import open_store
from tests.frames import market
from tests.serve.calling import tallow

FRAME = market(["A", "B"], "2025-06-02T09:15+05:30", rows=7)


def test_files_without_volume_are_replayed_where_that_is_said(tmp_path: Path) -> None:
    file, store = tmp_path / "index.csv", tmp_path / "store"
    FRAME.drop("volume").write_csv(file)
    where = ("live", "--feed", f"replay:{file}", "--speed", "0", "-i", "", "--store", store)
    asked = tallow(*where)
    assert (asked.exit_code, store.exists()) == (2, False)
    assert "pass --no-volume if there is none" in asked.stderr
    done = tallow(*where, "--no-volume")
    assert done.exit_code == 0, done.output
    with open_store(store) as opened:
        kept = opened.read().select(FRAME.columns)
    assert kept.equals(FRAME.with_columns(volume=pl.lit(0.0)))


def test_a_folder_of_files_is_replayed_as_its_hint_says(tmp_path: Path) -> None:
    folder, store = tmp_path / "days", tmp_path / "store"
    folder.mkdir()
    FRAME.write_csv(folder / "day.csv")
    where = ("--speed", "0", "-i", "", "--store", store)
    told = tallow("live", "--feed", f"replay:{folder}", *where).stderr
    files = told.partition("such as ")[2].partition(",")[0]
    assert tallow("live", "--feed", f"replay:{files}", *where).exit_code == 0
    with open_store(store) as opened:
        assert len(opened.read()) == len(FRAME)


def test_no_volume_is_refused_where_candles_have_it_or_no_files_are_read(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with open_store(store, create=True) as opened:
        opened.write(FRAME, source_timeframe="1m")
    for feed in (f"replay:{store}", "ws://localhost:1"):
        refused = tallow("live", "--feed", feed, "--store", store, "--no-volume")
        assert (refused.exit_code, "leave it out" in refused.stderr) == (2, True), refused.output
