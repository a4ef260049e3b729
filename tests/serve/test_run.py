"""Goal: `tallow run` writes the right bars, tells where every row went, and exits as it promises.

Method: hand-made candles whose bars are worked out by hand; wrong calls, each with the words that
its message must hold; and processes of their own where stdout, signals and imports matter.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from tallow import AnalyticsEngine, load_calendar
from tallow.serve.cli import app
from tests.frames import simulate_candles

HEADER = "symbol,ts,o,h,l,c,v\n"
CLEAN = (
    "A,2025-07-18T09:15+05:30,10,12,9,11,100\n"
    "A,2025-07-18T09:17+05:30,11,15,10,14,50\n"
    "A,2025-07-18T09:20+05:30,14,14,13,13,25\n"
)
HIGH_BELOW_LOW = "A,2025-07-18T09:21+05:30,10,9,11,10,100\n"
BEFORE_THE_OPEN = "A,2025-07-18T08:00+05:30,10,10,10,10,5\n"
UNCOVERED = "B,2035-07-18T09:15+05:30,10,12,9,11,100\n"


def tallow_run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["run", *map(str, arguments)])


def in_a_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tallow", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    path = tmp_path / "candles.csv"
    path.write_text(HEADER + CLEAN)
    return path


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    path = tmp_path / "dirty.csv"
    path.write_text(HEADER + CLEAN + HIGH_BELOW_LOW + BEFORE_THE_OPEN)
    return path


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("bars.parquet", pl.read_parquet),
        ("bars.arrow", pl.read_ipc),
        ("bars.csv", lambda path: pl.read_csv(path, try_parse_dates=True)),
    ],
)
def test_bars_are_written_as_the_ending_says(candles: Path, name: str, read) -> None:
    output = candles.with_name(name)
    result = tallow_run(candles, "--timeframe", "5m", "--indicators", "sma(2)", "-o", output)
    assert result.exit_code == 0, result.output
    columns = ("timestamp", "open", "high", "low", "close", "volume", "candles", "sma_2")
    assert read(output).select(columns).rows() == [
        (datetime(2025, 7, 18, 3, 45, tzinfo=UTC), 10, 15, 9, 14, 150, 2, None),
        (datetime(2025, 7, 18, 3, 50, tzinfo=UTC), 14, 14, 13, 13, 25, 1, 13.5),
    ]


def test_the_report_tells_where_every_row_went(
    dirty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Wide enough for the path of a temporary folder in one line.
    monkeypatch.setenv("COLUMNS", "250")
    result = tallow_run(dirty, "-o", dirty.with_name("bars.parquet"))
    assert result.exit_code == 0, result.output
    counts = {
        line[1]: line[0]
        for line in (text.split(None, 1) for text in result.stdout.splitlines()[:9])
    }
    shown = {name.split("  ")[0].strip(): count for name, count in counts.items()}
    assert shown == {
        "rows in": "5",
        "accepted": "4",
        "repeated": "0",
        "quarantined": "1",
        "outside session": "1",
        "no-trade": "0",
        "bars out": "2",
        "instruments": "1",
        "failures": "0",
    }
    # The rule with its hint, and the row: the file's fourth below the header.
    assert "check the column order" in result.stdout
    assert [line.split()[-2:] for line in result.stdout.splitlines() if "dirty.csv  " in line][
        -1
    ] == [
        "4",
        "high_below_low",
    ]


def test_strict_exits_with_1_when_a_row_is_quarantined(candles: Path, dirty: Path) -> None:
    output = dirty.with_name("bars.parquet")
    result = tallow_run(dirty, "-o", output, "--strict", "--quiet")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "quarantined: 1 row" in result.stderr
    assert output.exists()
    assert tallow_run(candles, "-o", output, "--strict").exit_code == 0


def test_a_failed_instrument_is_named_and_exits_with_1(candles: Path) -> None:
    candles.write_text(HEADER + CLEAN + UNCOVERED)
    output = candles.with_name("bars.parquet")
    result = tallow_run(candles, "-o", output)
    assert result.exit_code == 1
    assert "--calendar-dates" in result.stdout
    assert result.stderr.startswith("failed: B: ")
    assert pl.read_parquet(output)["instrument"].unique().to_list() == ["A"]


def test_long_lists_are_cut_with_a_count(candles: Path) -> None:
    names = [f"B{number:02}" for number in range(12)]
    bad = "".join(UNCOVERED.replace("B,", f"{name},") for name in names)
    candles.write_text(HEADER + CLEAN + HIGH_BELOW_LOW * 13 + bad)
    text = tallow_run(candles, "-o", candles.with_name("bars.parquet")).stdout
    assert sum(name in text for name in names) == 10
    lines = text.splitlines()
    assert lines.index("and 15 more") < lines.index("Failed") < lines.index("and 2 more")


def test_days_of_before_any_facts_are_bars_where_that_is_asked_for(tmp_path: Path) -> None:
    path, bars = tmp_path / "days.csv", tmp_path / "bars.csv"
    path.write_text(
        "symbol,date,open,high,low,close,volume\n"
        "IBM,1985-07-15,120,122,119,121,1000\nIBM,2005-07-18,121,123,120,122,1000\n"
    )
    said = ("-c", "XNYS", "--timezone", "America/New_York", "--source-timeframe", "1d", "-t", "1d")
    asked = tallow_run(path, "-o", bars, "-i", "", *said)
    assert re.search("^not_covered +1 ", asked.stdout, re.MULTILINE)
    assert "--beyond-coverage" in asked.stdout
    done = tallow_run(path, "-o", bars, "-i", "", *said, "--beyond-coverage", "weekdays")
    assert done.exit_code == 0, done.output
    assert pl.read_csv(bars)["close"].to_list() == [121.0, 122.0]


def test_every_instrument_failed_exits_with_1_and_writes_nothing(candles: Path) -> None:
    candles.write_text(HEADER + UNCOVERED)
    output = candles.with_name("bars.parquet")
    result = tallow_run(candles, "-o", output)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: B: ")
    assert "--beyond-coverage" in result.stderr
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["candles.csv"], "add --output bars.parquet"),
        (["-o", "bars.csv"], "Missing argument 'INPUT'"),
        (["candles.csv", "-o", "candles.csv"], "must not be an input"),
        (["*.csv", "-o", "candles.csv"], "must not be an input"),
        (["candles.csv", "-o", "no/bars.csv"], "the folder does not exist"),
        (["candles.csv", "-o", "bars.xls"], "must end in .parquet"),
        (["nothing.csv", "-o", "bars.csv"], "nothing.csv: no such file"),
        (["candles.csv", "-o", "bars.csv", "-i", "emma(9)"], "did you mean ema"),
        (["candles.csv", "-o", "bars.csv", "-i", "rsi(1)"], "rsi: length=1; must be 2..5000"),
        (["candles.csv", "-o", "bars.csv", "-t", "7x"], "timeframe: '7x'"),
        (["candles.csv", "-o", "bars.csv", "-t", "5m", "-t", "1h"], "bars_{timeframe}.csv"),
        (["candles.csv", "-o", "{timeframe}.csv", "-t", "1h", "-t", "60m"], "1h and 60m; must be"),
        (["candles.csv", "-o", "{timeframe}.csv", "-t", "1h", "-t", "7x"], "timeframe: '7x'"),
        (["candles.csv", "-o", "bars.csv", "-c", "XNSF"], "did you mean"),
        (["candles.csv", "-o", "bars.csv", "--no-trade", "z"], "must be 'drop' or 'keep'"),
        (["candles.csv", "-o", "bars.csv", "--convention", "z"], "tradingview"),
        (["candles.csv", "-o", "bars.csv", "--beyond-coverage", "z"], "--beyond-coverage 'z'"),
        (["candles.csv", "-o", "bars.csv", "--start", "soon"], "start: 'soon'"),
        (["candles.csv", "-o", "bars.csv", "--final-at", "soon"], "final_at: 'soon'"),
        (["candles.csv", "-o", "bars.csv", "--calendar-dates", "no.toml"], "no.toml"),
        (
            ["candles.csv", "-o", "bars.csv", "--instrument", "Z"],
            "instrument: 'Z'; not in the input",
        ),
        (["candles.csv", "-o", "bars.csv", "--threads", "0"], "--threads 0; must be 1.."),
        (["naive.csv", "-o", "bars.csv"], "--timezone"),
        (["unnamed.csv", "-o", "bars.csv"], "--instrument-key"),
        (["candles.csv", "-o", "bars.csv", "--treads", "2"], "No such option"),
    ],
)
def test_bad_usage_exits_with_2_and_a_hint(
    candles: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(candles.parent)
    # Before the session, by the clocks of its venue: nothing tells their zone.
    Path("naive.csv").write_text((HEADER + CLEAN).replace("+05:30", "").replace("T09", "T03"))
    Path("unnamed.csv").write_text((HEADER + CLEAN).replace("symbol,", "").replace("A,", ""))
    result = tallow_run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert "Try 'tallow run --help' for help." in result.stderr
    assert not Path("bars.csv").exists()
    assert candles.read_text() == HEADER + CLEAN


def test_options_reach_the_run(candles: Path) -> None:
    candles.write_text("ts,o,h,l,c,v\n2035-07-18T09:15,1,1,1,1,0\n2035-07-18T09:16,2,2,2,2,7\n")
    output = candles.with_name("bars.csv")
    result = tallow_run(
        *(candles, "-o", output, "-t", "15m", "-i", "", "--json", "--threads", "1"),
        *("--instrument-key", "KEY", "--timezone", "Asia/Kolkata", "--instrument", "KEY"),
        *("--beyond-coverage", "weekdays", "--no-trade", "keep", "--convention", "talib"),
        *("--start", "2035-07-18", "--end", "2035-07-18", "--source-timeframe", "1m"),
        *("--final-at", "2035-07-18T09:30+05:30", "--calendar", "XNSE:derivatives"),
    )
    assert result.exit_code == 0, result.output
    columns = ["instrument", "open", "close", "volume", "candles", "is_final"]
    assert pl.read_csv(output).select(columns).rows() == [("KEY", 1.0, 2.0, 7.0, 2, True)]


def test_json_is_one_object_and_nothing_else(dirty: Path) -> None:
    output = dirty.with_name("bars.parquet")
    result = in_a_process("run", dirty, "-o", output, "--json", "--strict")
    assert result.returncode == 1, result.stderr
    report = json.loads(result.stdout)
    assert report["read"]["rows_in"] == 5
    assert report["read"]["by_rule"] == {"high_below_low": 1}
    assert report["candles"]["outside_session"] == 1
    assert (report["bars"], report["output"]) == (2, str(output))
    assert report["seconds"] > 0


def test_several_timeframes_have_a_file_and_counts_each(
    dirty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    output, sizes = dirty.with_name("bars_{timeframe}.csv"), ("-t", "5m", "-t", "1h", "-t", "1d")
    result = tallow_run(dirty, "-o", output, *sizes, "-i", "")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "5 rows in " + str(dirty) in lines
    assert "1 outside session in no bar" in lines
    for size, bars in {"5m": 2, "1h": 1, "1d": 1}.items():
        written = dirty.with_name(f"bars_{size}.csv")
        assert f"{bars} bars of {size} {written}" in lines
        assert pl.read_csv(written)["close"].to_list() == [14.0, 13.0][-bars:]
    told = json.loads(tallow_run(dirty, "-o", output, *sizes, "-i", "", "--json").stdout)
    assert [(each["timeframe"], each["bars"]) for each in told] == [("5m", 2), ("1h", 1), ("1d", 1)]
    assert {each["read"]["rows_in"] for each in told} == {5}
    assert told[1]["output"] == str(dirty.with_name("bars_1h.csv"))


def test_json_errors_leave_stdout_empty(tmp_path: Path) -> None:
    result = in_a_process("run", tmp_path / "no.csv", "-o", tmp_path / "bars.csv", "--json")
    assert (result.returncode, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr


def test_first_use_says_that_it_compiles(candles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[str] = []
    monkeypatch.setattr(AnalyticsEngine, "is_warm", lambda *_: False)
    monkeypatch.setattr(AnalyticsEngine, "warm_up", lambda _, text, **__: warmed.append(text))
    output = candles.with_name("bars.parquet")
    result = tallow_run(candles, "-o", output, "-i", "rsi", "--json")
    assert warmed == ["rsi"]
    assert result.stderr == "Compiling kernels, once for this version\n"
    json.loads(result.stdout)
    assert tallow_run(candles, "-o", output, "-i", "rsi", "--quiet").output == ""


def test_cancelling_says_that_nothing_was_written(
    candles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(AnalyticsEngine, "process_files", interrupt)
    result = tallow_run(candles, "-o", candles.with_name("bars.parquet"))
    assert (result.exit_code, result.stderr) == (130, "cancelled; nothing was written\n")


# A shell without job control starts its background jobs with SIGINT ignored, and tests may be one.
HEARS_SIGINT = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from tallow.serve.cli import main; main()"
)


def test_ctrl_c_leaves_no_file(tmp_path: Path) -> None:
    source, output = tmp_path / "candles.parquet", tmp_path / "out" / "bars.parquet"
    output.parent.mkdir()
    calendar = load_calendar("XNSE")
    simulate_candles(300, 20, calendar=calendar, start=date(2025, 6, 2)).write_parquet(source)
    run = ["run", str(source), "-t", "1m", "-o", str(output)]
    command = [sys.executable, "-c", HEARS_SIGINT, *run]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 200
        # The partial file appears with the first bars: seconds before the last.
        while not any(output.parent.iterdir()) and process.poll() is None:
            assert time.monotonic() < deadline, "the run has not begun to write"
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert errors.decode().splitlines()[-1] == "cancelled; nothing was written"
    assert process.returncode == 130
    assert list(output.parent.iterdir()) == []


def test_the_real_candles_become_bars(reference: Path, tmp_path: Path) -> None:
    output = tmp_path / "bars.parquet"
    source = reference / "data" / "candles_1m.csv"
    result = tallow_run(source, "--timeframe", "5m", "--output", output, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["read"]["rows_in"] == report["read"]["accepted"] == 12_758
    frame = pl.read_parquet(output)
    assert len(frame) == report["bars"]
    assert frame["instrument"].n_unique() == 5
    assert frame.filter(pl.col("rsi_14").is_not_null())["rsi_14"].is_between(0, 100).all()
