"""Goal: `tallow sequences` shows, writes and prints what an engine answers, and exits by it.

Method: half an hour of three instruments on four days lies in a file and in a store, with known
symbols; expected tables come from an engine. The command line is called as a shell would.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from tallow import AnalyticsEngine
from tests.runtime.members import DAYS, market
from tests.serve.calling import SAID, tallow, told

WORDS = ("-t", "1m", "--moves", "move(3)", "--horizon", "2")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the shell, with a file of candles and a store of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TALLOW_STORE", raising=False)
    market().write_parquet("candles.parquet")
    market().with_columns(symbol="S-" + pl.col("instrument")).write_parquet("named.parquet")
    result = tallow("ingest", "named.parquet", "--store", "store", *SAID, "--quiet")
    assert result.exit_code == 0, result.output
    return tmp_path


def answer(**more: object) -> dict[str, list[dict[str, object]]]:
    asked = {"candles": market(), "moves": "move(3)", "horizon": 2, **more}
    found = AnalyticsEngine().sequences("1m", **asked)  # type: ignore[arg-type]
    names = ("scores", "pooled", "patterns", "sequences")
    tables = {name: getattr(found, name) for name in names}
    return {
        name: json.loads(json.dumps(each.to_dicts(), default=str)) for name, each in tables.items()
    }


def test_files_and_a_store_answer_the_same_as_an_engine(folder: Path) -> None:
    expected = answer()
    assert len(expected["pooled"]) > 2
    for where in (("candles.parquet",), ("--store", "store")):
        found = told("sequences", *where, *WORDS)
        assert found["scores"] == expected["scores"]
        assert found["pooled"] == expected["pooled"]
        assert "sequences" not in found
        assert found["judged_at"] == f"{DAYS[-1]}T04:15:00+00:00"


def test_a_store_answers_as_of_a_moment_by_what_was_known(folder: Path) -> None:
    """Candles of which every move is turned round later: before, nobody knew."""
    before = datetime.now(UTC).isoformat()
    turned = market().rename({"open": "close", "close": "open"}).select(market().columns)
    turned.write_parquet("turned.parquet")
    assert tallow("ingest", "turned.parquet", "--store", "store", *SAID, "--quiet").exit_code == 0
    at = f"{DAYS[1]}T09:30"
    for when, candles in ((("--known-at", before), market()), ((), turned)):
        found = told("sequences", "--store", "store", *WORDS, *when)
        assert found["scores"] == answer(candles=candles)["scores"]
    found = told("sequences", "--store", "store", *WORDS, "--at", at, "--known-at", before)
    assert found["scores"] == answer(at=at)["scores"]
    assert found["judged_at"] == f"{DAYS[1]}T04:00:00+00:00"
    assert answer()["scores"] != answer(candles=turned)["scores"]


def test_a_named_instrument_has_its_patterns_and_sequences(folder: Path) -> None:
    expected = answer(instruments="A")
    for where in (("A", "candles.parquet"), ("S-A", "--store", "store")):
        found = told("sequences", *where, *WORDS)
        assert found["patterns"] == expected["patterns"]
        assert len(found["sequences"]) == len(expected["sequences"])
        assert [row["instrument"] for row in found["scores"]] == ["A"]


def test_a_person_sees_patterns_scores_and_the_newest_sequences(folder: Path) -> None:
    together = tallow("sequences", "candles.parquet", *WORDS)
    assert together.exit_code == 0, together.output
    lines = together.stdout.splitlines()
    assert lines[0].split()[:3] == ["pattern", "count", "strength"]
    assert any(line.startswith("A ") for line in lines)
    assert "dominant in the first part" in together.stdout
    alone = tallow("sequences", "A", "candles.parquet", *WORDS)
    assert alone.stdout.splitlines()[0] == "A"
    for word in ("quality", "momentum", "outcome %", "bars of 1m to 2025-07-11 09:45"):
        assert word in alone.stdout


def test_a_table_is_written_to_a_file(folder: Path) -> None:
    expected = answer()
    for table in ("patterns", "pooled", "scores", "sequences"):
        words = ("-o", f"{table}.parquet", "--table", table)
        result = tallow("sequences", "candles.parquet", *WORDS, *words)
        assert result.exit_code == 0, result.output
        assert len(pl.read_parquet(f"{table}.parquet")) == len(expected[table])
        assert f"{table}.parquet" in result.stdout


def test_a_wrong_word_is_answered_with_the_option_and_the_rule(folder: Path) -> None:
    for words, rule in (
        (("--horizon", "0"), "--horizon 0; must be a whole number of bars"),
        (("--split", "2"), "--split 2.0; must be above 0 and below 1"),
        (("--moves", "ema(9)"), "--moves 'ema(9)'; must be the indicator move"),
        (("--table", "pattern"), "did you mean patterns"),
        (("--store", "store"), "candles are of files or of a store"),
    ):
        result = tallow("sequences", "candles.parquet", *words)
        assert result.exit_code == 2, result.output
        assert rule in result.stderr
    result = tallow("sequences")
    assert "name files behind the instrument, or a store" in result.stderr


def test_without_a_bar_it_exits_with_1_and_says_why(folder: Path) -> None:
    result = tallow("sequences", "candles.parquet", "--at", "2025-07-01")
    assert result.exit_code == 1
    assert "no bars" in result.stderr
