"""Goal: `tallow store` tells what a store holds and lacks, and looks after it without losing a row.

Method: a store of a few hand-made candles, whose counts, gaps and revisions are known by hand; what
a verb changed is read back from the store itself.
"""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from tallow.data.store.store import open_store
from tallow.serve.cli import app
from tests.serve.calling import CLEAN, HEADER, HIGH_BELOW_LOW, SAID, ingested, tallow, told

# Of the 375 minutes of this session, three are there.
SESSION = ("--start", "2025-07-18", "--end", "2025-07-18")
CORRECTED = CLEAN.replace("13,25", "13,26")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return ingested(tmp_path)


def closes(store: Path) -> list[float]:
    with open_store(store) as opened:
        return opened.read()["close"].to_list()


def test_stats_count_the_log_and_what_waits(store: Path) -> None:
    ingested(store.parent, CORRECTED + HIGH_BELOW_LOW)
    stats = told("store", "stats", "--store", store)
    names = ("rows", "ingests", "quarantined", "first", "last", "horizon")
    assert [stats[name] for name in names] == [
        *(4, 2, 1),
        *("2025-07-18T03:45:00+00:00", "2025-07-18T03:50:00+00:00", None),
    ]
    text = tallow("store", "stats", "--store", store).stdout
    assert text.startswith(f"{store}\n")
    assert "4  rows" in text


def test_series_are_listed_with_their_candles(store: Path, tmp_path: Path) -> None:
    (series,) = told("store", "list", "--store", store)
    name = series["instrument"]
    assert series == {
        "instrument": name,
        "timeframe": "1m",
        "adjustment": "raw",
        "candles": 3,
        "first": "2025-07-18T03:45:00+00:00",
        "last": "2025-07-18T03:50:00+00:00",
        "symbol": "",
    }
    with open_store(store) as opened:
        assert opened.instruments() == [name] == opened.read()["instrument"].unique().to_list()
    line = tallow("store", "list", "--store", store).stdout.splitlines()[2]
    assert line.split() == [name, "1m", "raw", "3", *["2025-07-18", "03:45", "2025-07-18", "03:50"]]
    open_store(tmp_path / "empty", create=True).close()
    nothing = tallow("store", "list", "--store", tmp_path / "empty")
    assert nothing.exit_code == 1
    assert "holds no candles; put some in: tallow ingest FILE" in nothing.stdout


def test_ingests_are_listed_with_their_counts(store: Path) -> None:
    ingested(store.parent, CORRECTED)
    entries = told("store", "ingests", "--store", store)
    counts = ("rows_in", "new", "identical", "revised", "quarantined")
    assert [[entry[name] for name in counts] for entry in entries] == [
        [3, 3, 0, 0, 0],
        [3, 0, 2, 1, 0],
    ]
    lines = tallow("store", "ingests", "--store", store).stdout.splitlines()
    newest = next(line.split() for line in lines if line.startswith("20"))
    assert newest[-5:] == ["3", "0", "2", "1", "0"]


def test_quarantined_rows_are_listed_by_rule_and_then_one_by_one(store: Path) -> None:
    assert tallow("store", "quarantine", "--store", store).stdout == "no row is quarantined\n"
    ingested(store.parent, CLEAN + HIGH_BELOW_LOW, "dirty.csv")
    text = tallow("store", "quarantine", "--store", store, COLUMNS="250").stdout
    assert (
        text.index("high >= low") < text.index('{"symbol":"A"') < text.index("--export repair.csv")
    )
    (row,) = told("store", "quarantine", "--store", store)
    assert (row["quarantine_id"], row["row"], row["rule"]) == (1, 4, "high_below_low")
    assert json.loads(row["record"])["ts"] == "2025-07-18T09:21+05:30"
    wrong = tallow("store", "quarantine", "--store", store, "--export", store / "mend.xls")
    assert (wrong.exit_code, "must end in .csv" in wrong.stderr) == (2, True)


def test_coverage_counts_each_session(store: Path) -> None:
    rows = told("store", "coverage", "--store", store, "--start", "2025-07-17", *SESSION[2:])
    counts = ("session", "kind", "expected", "present", "missing")
    assert [[row[name] for name in counts] for row in rows] == [
        ["2025-07-17", "regular", 375, 0, 375],
        ["2025-07-18", "regular", 375, 3, 372],
    ]


def test_coverage_is_of_what_the_store_knew(store: Path, tmp_path: Path) -> None:
    before = told("store", "ingests", "--store", store)[-1]["received_at"]
    later = tmp_path / "later.csv"
    later.write_text(HEADER + CLEAN.replace("T09:17", "T09:18").replace("T09:20", "T09:21"))
    assert tallow("ingest", later, "--store", store, *SAID).exit_code == 0
    asked = ("store", "coverage", "--store", store, *SESSION, "--instrument", "A")
    (now,), (then,) = told(*asked), told(*asked, "--known-at", before)
    assert (now["present"], then["present"]) == (5, 3)


def test_coverage_of_a_kind_that_is_not_there_says_so(store: Path) -> None:
    result = tallow("store", "coverage", "--store", store, "--source-timeframe", "1d")
    assert (result.exit_code, result.stdout) == (0, "no candles in the range\n")


def test_the_table_of_coverage_puts_empty_sessions_together(store: Path) -> None:
    range_ = ("--start", "2025-07-11", "--end", "2025-07-18")
    lines = tallow("store", "coverage", "--store", store, *range_).stdout.splitlines()
    shown = [line.split() for line in lines if line.startswith("A")]
    assert shown == [
        ["A", "6", "2,250", "3", "2,247", "0", "0"],
        ["A", "Fri", "2025-07-18", "regular", "375", "3", "372", "0", "0"],
        # A weekend lies between.
        [
            *("A", "2025-07-11", "to", "2025-07-17", "5", "sessions"),
            "1,875",
            "0",
            "1,875",
            "0",
            "0",
        ],
    ]


def test_coverage_fits_80_columns_with_long_keys(tmp_path: Path) -> None:
    key = "NSE_FO|" + "LONGER" * 10
    store = ingested(tmp_path, CLEAN.replace("A,", f"{key},") + CLEAN)
    asked = ("store", "coverage", "--store", store, "--start", "2025-07-11", "--end", "2025-07-18")
    for more in ((), ("--missing",)):
        text = tallow(*asked, *more, COLUMNS="80").stdout
        lines = text.splitlines()
        assert max(map(len, lines)) <= 80
        assert "…" not in text
        # Folded to a few lines, not to one of each letter.
        assert len(lines) < 35, text
    shown = [line.split() for line in tallow(*asked, COLUMNS="80").stdout.splitlines()]
    assert ["A", "Fri", "2025-07-18", "regular", "375", "3", "372"] in shown


def test_coverage_tells_of_sessions_without_known_hours(tmp_path: Path) -> None:
    store = ingested(tmp_path, "A,2026-11-06T09:15+05:30,10,12,9,11,100\n")
    strict = ("--end", "2026-11-09", "--beyond-coverage", "raise")
    asked = ("store", "coverage", "--store", store, "--start", "2026-11-06", *strict)
    shown = tallow(*asked)
    assert shown.exit_code == 0
    assert ["A", "Sun", "2026-11-08", "unknown", "?", "0", "?"] in [
        line.split()[:7] for line in shown.stdout.splitlines()
    ]
    text = " ".join(shown.stdout.split())
    assert "sessions=1 are announced without hours, the first on 2026-11-08" in text
    for beyond in ("raise", "assume"):
        missing = tallow(*asked, "--missing", "--beyond-coverage", beyond)
        assert missing.exit_code == 0
        assert "date=2026-11-08; a session is announced, its hours are not known" in missing.stderr


def test_missing_segments_are_what_to_fetch(store: Path) -> None:
    fetch = ("store", "coverage", "--store", store, "--missing")
    asked = store.with_name("asked.csv")
    assert tallow(*fetch, *SESSION, "-o", asked).exit_code == 0
    utc = [
        ("2025-07-18T03:46:00+00:00", "2025-07-18T03:47:00+00:00", 1),
        ("2025-07-18T03:48:00+00:00", "2025-07-18T03:50:00+00:00", 2),
        ("2025-07-18T03:51:00+00:00", "2025-07-18T10:00:00+00:00", 369),
    ]
    assert pl.read_csv(asked).rows() == [("A", *segment) for segment in utc]
    # What was asked for is not asked for again; what lies before it is, in pieces of two days.
    longer = ("--start", "2025-07-14", "--end", "2025-07-18", "--longest", "2d", "--asked", asked)
    rows = told(*fetch, *longer)
    assert [(row["start"][:10], row["candles"]) for row in rows] == [
        ("2025-07-14", 750),
        ("2025-07-16", 750),
    ]
    # Without a range, on from the last candle.
    (row,) = told(*fetch, "--end", "2025-07-18")
    assert (row["start"], row["candles"]) == ("2025-07-18T03:51:00+00:00", 369)
    assert "372 candles in all" in tallow(*fetch, *SESSION).stdout
    assert tallow(*fetch, *SESSION, "--asked", asked).stdout == "nothing is missing\n"


def test_instruments_the_store_does_not_have_can_be_back_filled_only(store: Path) -> None:
    of_b = ("store", "coverage", "--store", store, "--instrument", "B", *SESSION)
    assert "did you mean" in tallow(*of_b).stderr or "known: A" in tallow(*of_b).stderr
    (row,) = told(*of_b, "--missing")
    assert (row["instrument"], row["candles"]) == ("B", 375)


@pytest.mark.parametrize("instruments", [1, 2, 50])
def test_coverage_is_the_same_however_many_instruments_are_read_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instruments: int
) -> None:
    names = [f"B{number:02}" for number in range(5)]
    store = ingested(tmp_path, "".join(CLEAN.replace("A,", f"{name},") for name in names))
    monkeypatch.setattr("tallow.data.coverage.store.COVERAGE_ROWS", 3 * instruments)
    rows = told("store", "coverage", "--store", store, *SESSION)
    assert [(row["instrument"], row["present"]) for row in rows] == [(name, 3) for name in names]
    rows = told("store", "coverage", "--store", store, *SESSION, "--missing")
    assert [row["candles"] for row in rows] == [1, 2, 369] * 5


def test_prune_asks_and_then_takes_old_candles_away(store: Path) -> None:
    ingested(store.parent, CLEAN.replace("2025-07-18", "2024-07-18"), "old.csv")
    prune = ("store", "prune", "--store", store, "--before", "2025-07-18")
    unanswered = tallow(*prune)
    assert (unanswered.exit_code, unanswered.stdout.strip()) == (2, "")
    assert "add --yes" in unanswered.stderr
    refused = CliRunner().invoke(app, list(map(str, prune)), input="n\n")
    assert refused.exit_code == 130
    assert refused.stderr.endswith("cancelled; nothing was taken away\n")
    assert len(closes(store)) == 6
    assert told(*prune, "--yes")["rows_removed"] == 3
    assert closes(store) == [11.0, 14.0, 13.0]


def test_prune_of_superseded_revisions_keeps_what_is_known_now(store: Path) -> None:
    ingested(store.parent, CLEAN.replace("13,25", "13.5,25"))
    now = told("store", "ingests", "--store", store)[1]["received_at"]
    # Of an age that nothing here has yet.
    younger = ("store", "prune", "--store", store, "--superseded-before", "30d", "--yes")
    assert told(*younger)["rows_removed"] == 0
    older = ("store", "prune", "--store", store, "--superseded-before", now, "--yes")
    assert told(*older)["rows_removed"] == 1
    assert closes(store) == [11.0, 14.0, 13.5]


def test_compact_and_backup_and_restore_keep_every_row(store: Path) -> None:
    ingested(store.parent, CORRECTED + HIGH_BELOW_LOW)
    assert told("store", "compact", "--store", store)["files_after"] == 1
    backup, other = store.with_name("backup"), store.with_name("other")
    assert told("store", "backup", backup, "--store", store)["rows"] == 4
    assert told("store", "restore", backup, "--store", other)["rows"] == 4
    with open_store(store) as left, open_store(other) as right:
        assert left.log().equals(right.log())
        assert left.ledger.held().equals(right.ledger.held())
    again = tallow("store", "restore", backup, "--store", other)
    assert (again.exit_code, "is not empty" in again.stderr) == (2, True)


def test_upkeep_says_what_it_did(store: Path) -> None:
    ingested(store.parent, CLEAN.replace("13,25", "13.5,25"))
    assert "1  files" in tallow("store", "compact", "--store", store).stdout
    now = told("store", "ingests", "--store", store)[1]["received_at"]
    prune = ("store", "prune", "--store", store, "--superseded-before", now, "--yes")
    assert tallow(*prune).stdout.splitlines()[0].split("  ")[:2] == ["1", "rows taken away"]
    assert f"reaches back to {now}" in tallow("store", "stats", "--store", store).stdout
    text = tallow("store", "backup", store.with_name("backup"), "--store", store).stdout
    assert text.startswith("3 rows, all revisions, from ")


def test_candles_that_were_forming_are_not_exported(store: Path) -> None:
    table = store.with_name("repair.csv")
    ingested(store.parent, CLEAN + CLEAN.replace("A,2025", "A,2085"), "future.csv")
    result = tallow("store", "quarantine", "--store", store, "--export", table)
    assert "3 forming candles" in result.stderr
    assert len(pl.read_csv(table)) == 0


def test_corporate_actions_are_recorded_and_listed(store: Path) -> None:
    assert "no corporate actions" in tallow("store", "actions", "--store", store).stdout
    file = store.with_name("actions.csv")
    file.write_text("symbol,ex_date,kind,new,old,amount\nA,2025-06-02,split,5,1,\n")
    record = ("store", "actions", file, "--store", store)
    assert told(*record) == {"split": {"new": 1, "identical": 0, "revised": 0}}
    assert tallow(*record).stdout.splitlines()[-1].split() == ["split", "0", "1", "0"]
    (action,) = told("store", "actions", "--store", store)
    names = ("instrument", "ex_date", "kind", "new", "old", "amount", "factor")
    assert [action[name] for name in names] == ["A", "2025-06-02", "split", 5, 1, None, None]
    lines = tallow("store", "actions", "--store", store).stdout.splitlines()
    assert lines[-1].split() == ["A", "2025-06-02", "split", "5", "1"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stats", "--store", "nothing"], "nothing: holds no store"),
        (["prune", "--store", "store"], "prune: neither --before nor --superseded-before is given"),
        (["prune", "--store", "store", "--before", "old"], "before: 'old'"),
        (["coverage", "--store", "store", "--start", "soon"], "start: 'soon'"),
        (["coverage", "--store", "store", "--source-timeframe", "1w"], "--source-timeframe 1w"),
        (["coverage", "--store", "store", "--start", "2031-01-01"], "--calendar-dates"),
        (["coverage", "--store", "store", "--missing", "--longest", "2"], "such as 60d"),
        (
            ["coverage", "--store", "store", "--missing", "--asked", "candles.csv"],
            "instrument, start",
        ),
        (["coverage", "--store", "store", "-o", "x.xls"], "must end in"),
        (["actions", "candles.csv", "--store", "store"], "columns missing"),
        (["backup", "store", "--store", "store"], "is not empty"),
        (["restore", "nothing", "--store", "new"], "nothing: holds no store"),
    ],
)
def test_bad_usage_exits_with_2_and_a_hint(
    store: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(store.parent)
    result = tallow("store", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert f"Try 'tallow store {arguments[0]} --help' for help." in result.stderr
    assert not Path("new").exists()


def test_the_hint_of_a_missing_store_is_a_command_that_makes_it(tmp_path: Path) -> None:
    source = tmp_path / "candles.csv"
    ingested(tmp_path)
    errors = tallow("query", "A", "--store", tmp_path / "other").stderr
    assert f"tallow ingest INPUT... --store {tmp_path / 'other'}" in errors
    assert tallow("ingest", source, "--store", tmp_path / "other", *SAID).exit_code == 0
