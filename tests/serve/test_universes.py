"""Goal: `tallow universe` keeps lists and shows them, and every verb that takes instruments takes
one by its name or its file, and says what it left out.

Method: three instruments over four days; a list that says of each day who is a member, worked out
by hand. Each verb writes its bars, or what it counts, and the days of each instrument are compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import Result

from tallow import AnalyticsEngine, open_store
from tests.frames import candles, local, minutes
from tests.runtime.members import DAYS, LIST, MEMBERS, market
from tests.serve.calling import SAID, tallow, told


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "candles.parquet"
    market().write_parquet(path)
    return path


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text(LIST)
    return path


@pytest.fixture
def store(tmp_path: Path, source: Path, listed: Path) -> Path:
    """Return a store with the candles, and the list under the name `kept`."""
    place = tmp_path / "store"
    for words in (("ingest", source, *SAID, "--quiet"), ("universe", "add", "kept", listed)):
        result = tallow(*words, "--store", place)
        assert result.exit_code == 0, result.output
    return place


Days = set[tuple[str, str]]


def days_of(bars: pl.DataFrame) -> Days:
    return {
        (name, text[:10])
        for name, text in zip(bars["instrument"], local(bars["timestamp"]), strict=True)
    }


def run(place: Path, source: Path, name: str) -> tuple[Days, Result]:
    output = place / "bars.parquet"
    result = tallow("run", source, "--universe", name, "-t", "15m", "-i", "", "-o", output)
    return days_of(pl.read_parquet(output)), result


def query(place: Path, source: Path, name: str) -> tuple[Days, Result]:
    output, words = place / "bars.parquet", ("--store", place, "--universe", name)
    result = tallow("query", *words, "-t", "15m", "-i", "", "-o", output)
    return days_of(pl.read_parquet(output)), result


def coverage(place: Path, source: Path, name: str) -> tuple[Days, Result]:
    result = tallow("store", "coverage", "--store", place, "--universe", name, "--json")
    rows = json.loads(result.stdout)
    # What was simulated ends long before today: only what is there counts.
    return {(row["instrument"], row["session"]) for row in rows if row["present"]}, result


ENTRIES: Mapping[str, Callable[[Path, Path, str], tuple[Days, Result]]] = {
    "run": run,
    "query": query,
    "coverage": coverage,
}


@pytest.mark.parametrize(
    ("verb", "by"),
    # A run has no store that knows names.
    [*((verb, "file") for verb in ENTRIES), ("query", "name"), ("coverage", "name")],
)
def test_verbs_have_the_days_of_members(
    store: Path, source: Path, listed: Path, verb: str, by: str
) -> None:
    found, result = ENTRIES[verb](store, source, "kept" if by == "name" else str(listed))
    assert result.exit_code == 0, result.output
    assert found == MEMBERS
    said = "kept" if by == "name" else "list"
    assert f"universe {said}: 1 of 3 members without a row: Z" in result.stderr
    left_out = f"universe {said}: 6 bars left out, of instruments that were no members then"
    assert (left_out in result.stderr) is (verb != "coverage")


def test_live_shows_members_and_takes_all_that_ever_are(
    tmp_path: Path, source: Path, listed: Path
) -> None:
    place = tmp_path / "live"
    words = ("live", "--feed", f"replay:{source}", "--speed", "0", "--store", place, "-t", "15m")
    result = tallow(*words, "-i", "", "--universe", listed, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["left_out"] == 30 * len(DAYS)
    assert report["universe"]["unknown"] == ["Z"]
    assert report["universe"]["bars_left_out"] > 0
    assert "universe list: 1 of 3 members without a row: Z" in result.stderr
    with open_store(place) as kept:
        assert kept.instruments() == ["A", "B"]
        assert len(kept.read()) == 2 * 30 * len(DAYS)
    # By a name, a store must be there that knows it.
    other = tallow(
        *(str(each).replace("live", "other") for each in words[1:]), "--universe", "kept"
    )
    assert other.exit_code == 2
    result = tallow("live", *words[1:6], tmp_path / "none", "--universe", "kept")
    assert result.exit_code == 2
    assert not (tmp_path / "none").exists()
    result = tallow(*words, "--universe", "kept")
    assert (result.exit_code, "the store does not know it" in result.stderr) == (2, True)


def test_compare_judges_bars_of_members(tmp_path: Path, source: Path, listed: Path) -> None:
    bars = AnalyticsEngine("XNSE").process_candles(market(), "15m", "sma(2)").frame
    # Wrong where nobody was a member, and for him who never is.
    late = pl.col("timestamp") >= pl.datetime(2025, 7, 10, time_zone="UTC")
    wrong = bars.with_columns(
        sma_2=pl.when((pl.col("instrument") == "A") & late).then("sma_2").otherwise(1.0)
    ).filter(pl.col("instrument") != "B")
    right = bars.filter(pl.col("instrument") == "B")
    stored = tmp_path / "stored.parquet"
    pl.concat([wrong, right]).write_parquet(stored)
    words = ("compare", source, "--control", stored, "--candidate", "tallow", "--runs", "0")
    asked = (*words, "-t", "15m", "-i", "sma(2)", "--json")
    assert json.loads(tallow(*asked).stdout)["verdict"]["outcome"] != "go"
    result = tallow(*asked, "--universe", listed)
    report = json.loads(result.stdout)
    assert report["verdict"]["outcome"] == "go", result.output
    assert report["bars"] == {"both": 2 * len(MEMBERS), "only_control": 0, "only_candidate": 0}
    assert {side: each["bars_left_out"] for side, each in report["left_out"].items()} == {
        "control": 6,
        "candidate": 6,
    }
    assert "universe list: 6 bars left out" in result.stderr
    # Stored values on both sides come without candles.
    both = ("compare", "--control", stored, "--candidate", stored, *asked[6:])
    report = json.loads(tallow(*both, "--universe", listed).stdout)
    assert report["bars"]["both"] == 2 * len(MEMBERS)
    assert report["left_out"]["candidate"]["unknown"] == ["Z"]
    result = tallow(*asked, "--universe", "kept")
    assert (result.exit_code, "give a file of members" in result.stderr) == (2, True)


def test_missing_segments_are_those_of_members(tmp_path: Path) -> None:
    place, listed = tmp_path / "store", tmp_path / "list.csv"
    with open_store(place, create=True) as kept:
        for name in "ABC":
            first = candles(name, minutes("2025-07-08T09:15+05:30", 375))
            kept.write(first, source_timeframe="1m")
    listed.write_text("symbol,from,to\nA,2025-07-10,2025-07-10\nB,,2025-07-08\nC,,\nC,,\n")
    words = ("store", "coverage", "--store", place, "--universe", listed, "--missing")
    rows = told(*words, "--start", "2025-07-08", "--end", "2025-07-11")
    found = [(row["instrument"], row["start"][:10], row["end"][:10]) for row in rows]
    assert found == [
        # Of the second day no minute is there, nor of the two after it.
        ("A", "2025-07-10", "2025-07-10"),
        ("C", "2025-07-09", "2025-07-11"),
    ]
    assert [row["candles"] for row in rows] == [375, 3 * 375]


# The group's own verbs


def test_a_list_is_added_replaced_and_shown(store: Path, tmp_path: Path) -> None:
    listed = ("universe", "list", "--store", store)
    assert told(*listed) == [
        {"name": "kept", "members": 3, "groups": [], "of": "all dates"},
    ]
    show = ("universe", "show", "kept", "--store", store)
    assert [tuple(row.values()) for row in told(*show)] == [
        ("A", "2025-07-10", None, None),
        ("B", None, "2025-07-09", None),
        ("B", "2025-07-11", "2025-07-11", None),
        ("Z", None, None, None),
    ]
    assert [row["instrument"] for row in told(*show, "--at", "2025-07-10")] == ["A", "Z"]
    table = tallow(*show).stdout
    assert ("2025-07-10" in table, "group" in table) == (True, False)

    before = told("store", "ingests", "--store", store)[-1]["received_at"]
    grouped = tmp_path / "grouped.csv"
    grouped.write_text(
        "ticker,sector,to\nA,Banks,2025-01-31\nC,IT,2025-02-28\nA,Banks,2025-01-01\n"
    )
    added = tallow("universe", "add", "kept", grouped, "--store", store)
    assert added.exit_code == 0
    assert "kept: 2 members in 2 groups, dates until 2025-02-28; rows: 2 new" in added.stdout
    assert "merged 1 row with others of the same instrument: A" in added.stderr
    assert "without a row" not in added.stderr
    strange = tmp_path / "strange.csv"
    strange.write_text("A\nTYPO\n")
    words = ("universe", "add", "strange", strange, "--store", store)
    assert "universe strange: 1 of 2 members without a row: TYPO" in tallow(*words).stderr
    assert told(*words)["unknown"] == ["TYPO"]
    assert told(*listed)[0]["groups"] == ["Banks", "IT"]
    assert told(*listed, "--known-at", before)[0]["members"] == 3
    assert len(told(*show, "--known-at", before)) == 4
    bank = ("universe", "show", "kept/Banks", "--store", store)
    assert [row["instrument"] for row in told(*bank)] == ["A"]
    nobody = tallow(*bank, "--at", "2025-02-01")
    assert nobody.exit_code == 1
    said = "kept/Banks: no members on 2025-02-01; it has members on dates until 2025-01-31"
    assert said in nobody.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "kep"), "the store does not know it; did you mean kept?"),
        (("show", "kept", "--at", "July"), "at: 'July'; must be a date such as 2025-06-02"),
        (("show", "kept/X"), "kept/X; unknown group; the list has no groups"),
        (("add", "new", "none.csv"), "none.csv: no such file"),
        (("add", "a/b", "LIST"), "a name is a word without /"),
    ],
)
def test_wrong_calls_say_what_to_do(
    store: Path, listed: Path, words: tuple[str, ...], said: str
) -> None:
    given = [str(listed) if word == "LIST" else word for word in words]
    result = tallow("universe", *given, "--store", store)
    assert result.exit_code == 2
    assert said in result.stderr


def test_an_answer_without_a_member_says_so_and_exits_with_1(
    store: Path, source: Path, listed: Path, tmp_path: Path
) -> None:
    day = ("--start", "2025-07-10", "--end", "2025-07-10", "--instrument", "B", "-i", "")
    output = ("-o", tmp_path / "bars.csv")
    for words in (
        ("query", "--store", store, "--universe", "kept", *day),
        ("run", source, "--universe", listed, *day, *output),
    ):
        result = tallow(*words)
        assert result.exit_code == 1, result.output
        assert "none is of an instrument that was a member of universe" in result.stderr


def test_a_store_without_universes_says_how_to_add_one(tmp_path: Path) -> None:
    place = tmp_path / "store"
    with open_store(place, create=True):
        pass
    result = tallow("universe", "list", "--store", place)
    assert (result.exit_code, "tallow universe add NAME FILE" in result.stdout) == (0, True)
    assert told("universe", "list", "--store", place) == []


def test_timeframes_that_leave_out_differently_say_it_of_each(store: Path, source: Path) -> None:
    words: tuple[Any, ...] = ("query", "--store", store, "--universe", "kept", "-i", "")
    result = tallow(*words, "-t", "15m", "-t", "1d")
    assert "15m: universe kept: 6 bars left out" in result.stderr
    assert "1d: universe kept: 3 bars left out" in result.stderr
    assert "\nuniverse kept: 1 of 3 members" in f"\n{result.stderr}"
