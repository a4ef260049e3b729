"""Goal: `tallow ingest` fills a store, tells where every row went, and exits as it promises.

Method: hand-made files of a few rows; wrong calls, each with the words that its message must hold;
and processes of their own where signals and what is installed matter.
"""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow.core.errors import StoreError
from tallow.data.store.store import open_store
from tests.serve.calling import CLEAN, HEADER, HIGH_BELOW_LOW, SAID, tallow, told


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    path = tmp_path / "candles.csv"
    path.write_text(HEADER + CLEAN)
    return path


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    path = tmp_path / "dirty.csv"
    path.write_text(HEADER + CLEAN + HIGH_BELOW_LOW)
    return path


def shown_counts(text: str) -> dict[str, str]:
    """Return the counts at the beginning of a report."""
    pairs = (line.split(None, 1) for line in text.split("\n\n", maxsplit=1)[0].splitlines())
    # What has a unit is no count: the time that it took.
    return {rest.split("  ")[0].strip(): count for count, rest in pairs if count.isdigit()}


def test_the_report_tells_where_every_row_went_and_what_to_try_next(
    dirty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Wide enough for the path of a temporary folder in one line.
    monkeypatch.setenv("COLUMNS", "250")
    store = dirty.with_name("store")
    result = tallow("ingest", dirty, "--store", store, *SAID)
    assert result.exit_code == 0, result.output
    assert shown_counts(result.stdout) == {
        "rows in": "4",
        "new": "3",
        "identical": "0",
        "revised": "0",
        "quarantined": "1",
    }
    # The rule with its hint, and the row: the file's fourth below the header.
    assert "check the column order" in result.stdout
    assert any(line.split()[-2:] == ["4", "high_below_low"] for line in result.stdout.splitlines())
    commands = [line for line in result.stdout.splitlines() if line.startswith("  tallow ")]
    assert len(commands) == 3
    monkeypatch.chdir(dirty.parent)
    for command in commands:
        assert tallow(*shlex.split(command)[1:]).exit_code == 0, command


def test_the_same_again_is_identical_and_a_correction_a_revision(candles: Path) -> None:
    store = candles.with_name("store")
    names = ("rows_in", "new", "identical", "revised", "quarantined")
    report: dict[str, Any] = {}
    for text, counts in (
        (CLEAN, (3, 3, 0, 0, 0)),
        (CLEAN, (3, 0, 3, 0, 0)),
        (CLEAN.replace("13,25", "13,26"), (3, 0, 2, 1, 0)),
    ):
        candles.write_text(HEADER + text)
        report = told("ingest", candles, "--store", store, *SAID)
        assert tuple(report[name] for name in names) == counts
    assert report["files"][0]["source"] == str(candles)
    assert report["files"][0]["first"] == "2025-07-18T03:45:00+00:00"
    assert (report["store"], report["failures"]) == (str(store), {})


def test_the_file_name_says_what_the_document_does_not(tmp_path: Path) -> None:
    candle = ["2025-07-18T09:15:00+05:30", 10, 12, 9, 11, 100, 0]
    text = json.dumps({"status": "success", "data": {"candles": [candle]}})
    for name in ("NSE_EQ|INE1", "NSE_EQ|INE2"):
        (tmp_path / f"{name}_1m.json").write_text(text)
    pattern = r"(?P<instrument>.+)_(?P<timeframe>\w+)\.json"
    said = ("--pattern", pattern, "--adjustment", "raw", "--format", "upstox")
    report = told("ingest", tmp_path / "*.json", "--store", tmp_path / "store", *said)
    assert [file["instrument"] for file in report["files"]] == ["NSE_EQ|INE1", "NSE_EQ|INE2"]
    assert {file["format"] for file in report["files"]} == {"upstox"}


def test_the_next_query_is_one_that_has_an_answer(candles: Path) -> None:
    store = candles.with_name("store")
    where = ("--store", store, "--source-timeframe", "5m", "--adjustment", "total")
    lines = tallow("ingest", candles, *where).stdout.splitlines()
    query = shlex.split(next(line for line in lines if line.startswith("  tallow query ")))
    assert query[-6:] == ["-t", "5m", "--source-timeframe", "5m", "--adjustment", "total"]
    # Nothing that could be asked for has come in.
    candles.write_text(HEADER + HIGH_BELOW_LOW)
    assert f"  tallow query --store {store}\n" in tallow("ingest", candles, *where).stdout


def test_strict_exits_with_1_when_a_row_is_quarantined(candles: Path, dirty: Path) -> None:
    where = ("--store", dirty.with_name("store"), *SAID, "--strict", "--quiet")
    result = tallow("ingest", dirty, *where)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "quarantined: 1 row" in result.stderr
    assert tallow("ingest", candles, *where).exit_code == 0


def test_a_file_that_cannot_be_read_is_named_and_the_others_come_in(candles: Path) -> None:
    broken, store = candles.with_name("broken.csv"), candles.with_name("store")
    broken.write_text("what is this\n")
    result = tallow("ingest", candles.with_name("*.csv"), "--store", store, *SAID)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"failed: {broken}: ")
    assert "Failed" in result.stdout
    with open_store(store) as opened:
        assert len(opened.read()) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["candles.csv", *SAID], "Missing option '--store'"),
        (["--store", "store"], "Missing argument 'INPUT'"),
        (["nothing.csv", "--store", "store", *SAID], "nothing.csv: no such file"),
        (["*.json", "--store", "store", *SAID], "no file matches"),
        (["candles.csv", "--store", "store"], '--source-timeframe "1m", --adjustment "raw"'),
        (["naive.csv", "--store", "store", *SAID], "--timezone"),
        (["unnamed.csv", "--store", "store", *SAID], '--instrument-key "NSE_EQ|INE301A01014"'),
        (["candles.csv", "--store", "store", *SAID, "--format", "kit"], "did you mean kite?"),
        (["candles.csv", "--store", "store", *SAID, "--pattern", "("], "--pattern '('"),
        (["candles.csv", "--store", "candles.csv", *SAID], "candles.csv"),
    ],
)
def test_bad_usage_exits_with_2_and_a_hint(
    candles: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(candles.parent)
    # Before the session, by the clocks of its venue: nothing tells their zone.
    night = CLEAN.replace("+05:30", "").replace("T09", "T03")
    Path("naive.csv").write_text(HEADER + night)
    Path("unnamed.csv").write_text((HEADER + CLEAN).replace("symbol,", "").replace("A,", ""))
    result = tallow("ingest", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert "Try 'tallow ingest --help' for help." in result.stderr


def test_a_misspelt_input_makes_no_store(tmp_path: Path) -> None:
    assert tallow("ingest", "no.csv", "--store", tmp_path / "store", *SAID).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_store_may_be_named_by_the_environment(candles: Path) -> None:
    store = str(candles.with_name("store"))
    assert tallow("ingest", candles, *SAID, TALLOW_STORE=store).exit_code == 0
    assert told("store", "stats", "--store", store)["rows"] == 3


def test_a_mended_export_settles_the_quarantine(dirty: Path) -> None:
    store, table = dirty.with_name("store"), dirty.with_name("repair.csv")
    tallow("ingest", dirty, "--store", store, *SAID)
    result = tallow("store", "quarantine", "--store", store, "--export", table)
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"tallow ingest {table}" in result.stderr
    assert tallow("ingest", table, "--store", store, "--strict").exit_code == 1
    pl.read_csv(table).with_columns(high=pl.lit(11), low=pl.lit(9)).write_csv(table)
    result = tallow("ingest", table, "--store", store, "--strict")
    assert result.exit_code == 0, result.output
    counts = shown_counts(result.stdout)
    assert (counts["new"], counts["settled"]) == ("1", "1")
    assert told("store", "quarantine", "--store", store) == []


# A shell without job control starts its background jobs with SIGINT ignored, and tests may be one.
HEARS_SIGINT = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from tallow.serve.cli import main; main()"
)


def test_ctrl_c_keeps_what_is_in_the_store(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for number in range(120):
        (tmp_path / f"{number:03}.csv").write_text(HEADER + CLEAN.replace("A,", f"A{number:03},"))
    arguments = ("ingest", str(tmp_path / "*.csv"), "--store", str(store), *SAID)
    command = [sys.executable, "-c", HEARS_SIGINT, *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 200
        while process.poll() is None and not has_rows(store):
            assert time.monotonic() < deadline, "nothing comes in"
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    words = errors.decode().splitlines()[-1].split()
    assert words[0] == "cancelled;"
    with open_store(store) as opened:
        # The one that was being written may be there, too.
        assert int(words[1]) <= len(opened.ledger.entries()) <= int(words[1]) + 1 < 120
    assert tallow(*arguments).exit_code == 0
    assert told("store", "stats", "--store", store)["rows"] == 360


def has_rows(store: Path) -> bool:
    try:
        with open_store(store) as opened:
            return opened.stats().rows > 0
    except StoreError:
        return False


@pytest.mark.parametrize(
    "verb", [["ingest", "candles.csv", *SAID], ["query", "A"], ["store", "stats"]]
)
def test_without_the_extra_each_verb_says_what_to_install(candles: Path, verb: list[str]) -> None:
    script = (
        "import sys; sys.modules['deltalake'] = None; from tallow.serve.cli import main; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, *verb, "--store", "store"],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        cwd=candles.parent,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert "pip install 'tallow[store]'" in result.stderr
    assert "Traceback" not in result.stderr
