"""Goal: no cell of an exported CSV file is run by a spreadsheet, and each reads back as it was.

Method: names as data of others may hold them, written by every way out and read again; the cells of
the file are looked at by Python's own CSV reader.
"""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallow.data.ingest.documents import ingest
from tallow.data.ingest.repair_table import repair_table
from tallow.data.reading.readers import read_candles
from tallow.data.reading.spreadsheet import mark_formulas, unmark_formulas
from tallow.data.store.store import open_store
from tallow.data.writers import write_frame
from tests.frames import market

NAMES = ["=cmd|' /C calc'!A1", "@ES", "+1+1", "-2+3", "\t=1", "'=1", "''@x", "it's", "^NSEI", "A"]
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")


def cells(path: Path, column: str) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [row[column] for row in csv.DictReader(file)]


def test_names_are_no_formulas_and_read_back(tmp_path: Path) -> None:
    frame = market(NAMES, rows=3)
    path = tmp_path / "candles.csv"
    write_frame(path, frame)
    assert not [cell for cell in cells(path, "instrument") if cell.startswith(DANGEROUS)]
    back = read_candles(path).frame
    assert sorted(back["instrument"].unique()) == sorted(NAMES)
    # Other kinds of files are not opened by spreadsheets.
    write_frame(tmp_path / "candles.parquet", frame)
    kept = pl.read_parquet(tmp_path / "candles.parquet")["instrument"]
    assert sorted(kept.unique()) == sorted(NAMES)


@given(st.lists(st.text("='+-@\t\r\n0.eA ", max_size=6), min_size=1))
def test_any_text_reads_back(texts: list[str]) -> None:
    frame = pl.DataFrame({"text": texts})
    marked = mark_formulas(frame)
    assert unmark_formulas(marked, "text")["text"].to_list() == texts
    for cell in marked["text"]:
        if cell.startswith(DANGEROUS):
            float(cell)


def test_a_table_to_be_mended_is_safe_and_is_mended_by_its_cells(tmp_path: Path) -> None:
    source = tmp_path / "bad.csv"
    source.write_text(
        "instrument,timestamp,open,high,low,close,volume\n"
        "=HYPERLINK(1),2025-07-18T09:15+05:30,10,11,12,-1.5,5\n"
    )
    with open_store(tmp_path / "store", create=True) as store:
        ingest(store, [source], source_timeframe="1m", adjustment="raw")
        path = tmp_path / "mend.csv"
        write_frame(path, repair_table(store.ledger.held()))
        assert cells(path, "instrument") == ["'=HYPERLINK(1)"]
        # A number is no formula.
        assert cells(path, "close") == ["-1.5"]
        path.write_text(path.read_text().replace(",11,12,-1.5,", ",13,10,11,"))
        ingest(store, [path], source_timeframe="1m", adjustment="raw")
        assert store.read()["instrument"].to_list() == ["=HYPERLINK(1)"]
        assert not len(store.ledger.held())


@pytest.mark.parametrize("name", ["quarantine", "candles"])
def test_a_record_keeps_the_text_of_its_file(name: str, tmp_path: Path) -> None:
    """A marked cell of somebody else's file is read as a person meant it."""
    path = tmp_path / f"{name}.csv"
    path.write_text(
        "instrument,timestamp,open,high,low,close,volume\n"
        "'@ES,2025-07-18T09:15+05:30,10,11,10,10,5\n"
    )
    assert read_candles(path).frame["instrument"].to_list() == ["@ES"]
