"""Goal: what a document calls an instrument beside its key is kept, and finds the key again.

Method: real candles with keys and symbols, NSE's bhavcopy, and hand-made ambiguous ones, which are
backed up, pruned and compacted, too.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tallow import AnalyticsEngine, open_store
from tallow.core.errors import RangeError
from tallow.data.ingest.documents import ingest
from tallow.data.store.store import Store
from tests.data.providers.documents import BHAVCOPY
from tests.frames import candles, minutes
from tests.serve.calling import tallow, told

KEY = "NSE_EQ|INE301A01014"


def named(key: str, symbol: str, day: str = "2025-06-02") -> pl.DataFrame:
    return candles(key, minutes(f"{day}T09:15+05:30", 30)).with_columns(symbol=pl.lit(symbol))


def pairs(store: Store) -> list[tuple[str, str]]:
    return sorted(store.symbols().rows())


def test_real_symbols_find_their_keys(reference: Path, tmp_path: Path) -> None:
    source = reference / "data" / "candles_1m.csv"
    raw = pl.read_csv(source).select("instrument_key", "symbol").unique().rows()
    with open_store(tmp_path / "store", create=True) as store:
        ingest(store, source, adjustment="raw")
        assert pairs(store) == sorted(raw)
        assert store.instruments() == sorted(key for key, _ in raw)
        engine = AnalyticsEngine(store=store, threads=1)
        by_key, by_symbol = (engine.query(name, "5m") for name in (KEY, "RAYMOND"))
        assert by_symbol.frame.equals(by_key.frame)
        assert by_symbol.report.notes == (f"RAYMOND is {KEY}",)
        again = ingest(store, source, adjustment="raw")
        assert again.total("identical") == 12_758
        # Candles, symbols, candles again.
        assert len(store.ledger.entries()) == 3
    asked = tallow("query", "RAYMOND", "--store", tmp_path / "store", "-t", "1d")
    assert (asked.exit_code, asked.stderr) == (0, f"RAYMOND is {KEY}\n")
    assert KEY in asked.stdout
    listed = told("store", "list", "--store", tmp_path / "store")
    assert {(each["instrument"], each["symbol"]) for each in listed} == set(raw)
    assert "RAYMOND" in tallow("store", "list", "--store", tmp_path / "store").stdout


def test_a_bhavcopy_says_symbols_beside_its_keys(tmp_path: Path) -> None:
    document = tmp_path / "bhav.csv"
    document.write_text(BHAVCOPY.replace(",SYM,E", ",RELIANCE,E").replace(",SYM,BE", ",OTHER,BE"))
    with open_store(tmp_path / "store", create=True) as store:
        ingest(store, document)
        # The block deals of the same share are no other candles of its symbol.
        assert store.find_keys("RELIANCE").names == ("NSE_EQ|INE002A01018",)
        assert pairs(store)[1] == ("NSE_EQ|INE358U01012", "OTHER")


def test_a_symbol_of_several_keys_is_asked_about(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", create=True) as store:
        store.write(named("NSE|1", "X"), source_timeframe="1m")
        store.write(named("BSE|1", "X"), source_timeframe="1m")
        engine = AnalyticsEngine(store=store, threads=1)
        with pytest.raises(RangeError, match=r"'X'; is the symbol of BSE\|1, NSE\|1; give the one"):
            engine.query("X")
        # What is a key is meant as one.
        store.write(candles("X", minutes("2025-06-02T09:15+05:30", 30)), source_timeframe="1m")
        assert engine.query("X").frame["instrument"].unique().to_list() == ["X"]
    assert tallow("query", "Y", "--store", tmp_path / "store").exit_code == 2


def test_a_new_symbol_stands_beside_the_old_one(tmp_path: Path) -> None:
    with open_store(tmp_path, create=True) as store:
        for symbol, day in (("OLD", "2025-06-02"), ("NEW", "2025-06-03")):
            store.write(named("K", symbol, day), source_timeframe="1m")
        assert pairs(store) == [("K", "NEW"), ("K", "OLD")]
        assert store.find_keys(["OLD", "K", "NEW"]).names == ("K", "K", "K")


def test_copies_and_prunings_keep_symbols(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", create=True) as store:
        store.write(named("K", "OLD"), source_timeframe="1m")
        store.write(candles("K", minutes("2025-06-05T09:15+05:30", 30)), source_timeframe="1m")
        store.flush()
        store.backup(tmp_path / "copy")
        store.prune(before=1_749_000_000_000_000)
        store.compact()
        assert len(store.read()) == 30
        assert pairs(store) == [("K", "OLD")]
    with open_store(tmp_path / "copy") as copy:
        assert pairs(copy) == [("K", "OLD")]


def test_where_names_are_all_there_is_nothing_is_kept(tmp_path: Path) -> None:
    with open_store(tmp_path, create=True) as store:
        store.write(candles("A", minutes("2025-06-02T09:15+05:30", 30)), source_timeframe="1m")
        assert pairs(store) == []
        found = store.find_keys("A")
        assert (found.names, found.notes) == (("A",), ())
