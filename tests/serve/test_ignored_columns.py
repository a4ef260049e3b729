"""Goal: columns that no field is read from are named, once, by each verb that reads files.

Method: two files with different further columns, one of them with open interest and a symbol beside
the key, which are read; the report, and what scripts get, must name the others only.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.serve.calling import SAID, tallow

FIRST = """instrument,symbol,ts,o,h,l,c,v,oi,source,foo
K1,A,2025-07-18T09:15+05:30,10,12,9,11,100,7,x,1
K1,A,2025-07-18T09:16+05:30,10,12,9,11,100,7,x,1
"""
SECOND = """instrument,ts,o,h,l,c,v,foo,note
K2,2025-07-18T09:15+05:30,10,12,9,11,100,2,y
"""
IGNORED = ["source", "foo", "note"]
BARE = ("-i", "")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    monkeypatch.chdir(tmp_path)
    for name, text in (("1.csv", FIRST), ("2.csv", SECOND)):
        Path(name).write_text(text)
    return ("1.csv", "2.csv")


@pytest.mark.parametrize(
    "call",
    [
        ("run", "FILES", "-o", "bars.csv", *BARE),
        ("ingest", "FILES", "--store", "store", *SAID),
        ("live", "--feed", "replay:[12].csv", "--store", "store", "--speed", "0", *BARE),
        (
            *("compare", "FILES", "--control", "tallow", "--candidate", "tallow"),
            *("-i", "sma(1)", "--runs", "0"),
        ),
    ],
    ids=lambda call: call[0],
)
def test_ignored_columns_are_said_once(files: tuple[str, ...], call: tuple[str, ...]) -> None:
    words = [each for word in call for each in (files if word == "FILES" else (word,))]
    result = tallow(*words)
    lines = [" ".join(line.split()) for line in result.output.splitlines() if "ignored" in line]
    line = "ignored columns: source, foo, note" if call[0] == "compare" else None
    assert lines == [line or "3 ignored columns source, foo, note"], result.output


def test_scripts_get_all_ignored_columns(files: tuple[str, ...]) -> None:
    run = json.loads(tallow("run", *files, "-o", "bars.csv", *BARE, "--json").stdout)
    assert run["read"]["ignored_columns"] == IGNORED
    ingest = json.loads(tallow("ingest", *files, "--store", "store", *SAID, "--json").stdout)
    assert [each["ignored_columns"] for each in ingest["files"]] == [IGNORED[:2], IGNORED[1:]]
    replay = ("live", "--feed", "replay:[12].csv", "--store", "live", "--speed", "0", *BARE)
    assert json.loads(tallow(*replay, "--json").stdout)["ignored_columns"] == IGNORED


def test_a_file_of_many_columns_fills_no_screen(tmp_path: Path) -> None:
    names = [f"x{number:02}" for number in range(30)]
    head, row, _ = FIRST.replace(",source,foo", "").replace(",x,1", "").split("\n", 2)
    source = tmp_path / "wide.csv"
    source.write_text(f"{head},{','.join(names)}\n{row}{',1' * len(names)}\n")
    shown = tallow("run", source, "-o", tmp_path / "bars.csv", *BARE).stdout
    assert f"{', '.join(names[:8])} and 22 more" in shown
