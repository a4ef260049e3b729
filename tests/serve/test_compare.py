"""Goal: `tallow compare` says what differs and why, writes its reports, and exits as it promises.

Method: a simulated market; the control is ours, candidates are files of its answer with a defect
that the test puts there. Wrong calls, each with the words that its message must hold.
"""

from __future__ import annotations

import json
import shlex
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from tallow import AnalyticsEngine, load_calendar
from tests.frames import candles as some_candles
from tests.frames import minutes, simulate_candles
from tests.serve.calling import tallow

INDICATORS = "sma(9), ema(9), rsi(14)"


@pytest.fixture(scope="module")
def market() -> pl.DataFrame:
    return simulate_candles(2, 2, calendar=load_calendar("XNSE"), start=date(2025, 7, 17))


@pytest.fixture(scope="module")
def bars(market: pl.DataFrame) -> pl.DataFrame:
    frame = AnalyticsEngine("XNSE").process_candles(market, "5m", INDICATORS).frame
    assert isinstance(frame, pl.DataFrame)
    return frame


@pytest.fixture
def candles(market: pl.DataFrame, tmp_path: Path) -> Path:
    path = tmp_path / "candles.parquet"
    market.write_parquet(path)
    return path


def stored(folder: Path, frame: pl.DataFrame, name: str = "stored.parquet") -> Path:
    frame.write_parquet(folder / name)
    return folder / name


def compared(*arguments: object, runs: int = 0):
    return tallow("compare", *arguments, "-i", INDICATORS, "--runs", runs)


def told(*arguments: object) -> tuple[int, dict]:
    result = compared(*arguments, "--json")
    assert result.exit_code in {0, 1}, result.output
    return result.exit_code, json.loads(result.stdout)


def test_equal_values_are_a_go(candles: Path, bars: pl.DataFrame, tmp_path: Path) -> None:
    path = stored(tmp_path, bars)
    result = compared(candles, "--control", path, "--candidate", "tallow")
    assert result.exit_code == 0, result.output
    assert "GO: every criterion that was measured passes; open: time, memory" in result.stdout
    code, report = told(candles, "--control", path, "--candidate", "tallow")
    assert code == 0
    total = report["total"]
    assert total["compared"] == total["equal"] > 1_000
    assert report["verdict"]["outcome"] == "go"
    assert report["bars"]["both"] == len(bars)


def test_wrong_values_are_a_no_go_and_named(
    candles: Path, bars: pl.DataFrame, tmp_path: Path
) -> None:
    spoilt = bars.with_columns(
        pl.when(pl.int_range(pl.len()) % 50 == 40)
        .then(pl.col("ema_9") * 1.01)
        .otherwise("ema_9")
        .alias("ema_9")
    )
    count = len(range(40, len(bars), 50))
    result = compared(candles, "--control", "tallow", "--candidate", stored(tmp_path, spoilt))
    assert result.exit_code == 1, result.output
    assert f"{count} unexplained" in result.stdout
    assert "NO-GO: values, flips fail" in result.stdout
    _, report = told(candles, "--control", "tallow", "--candidate", stored(tmp_path, spoilt))
    series = report["series"]["ema_9"]
    assert (series["different"], series["unexplained"]) == (count, count)
    assert series["causes"] == {"unexplained": count}
    worst = series["worst"][0]
    assert worst["candidate"] == pytest.approx(worst["control"] * 1.01)
    names = bars["instrument"].unique().to_list()
    assert sum(report["instruments"][name]["ema_9"]["different"] for name in names) == count


def test_a_cause_may_be_rejected(candles: Path, bars: pl.DataFrame, tmp_path: Path) -> None:
    late = bars.with_columns(pl.col("sma_9").shift(1).over("instrument"))
    sides = ("--control", "tallow", "--candidate", stored(tmp_path, late))
    code, report = told(candles, *sides)
    assert (code, list(report["series"]["sma_9"]["causes"])) == (0, ["shifted-label"])
    code, report = told(candles, *sides, "--reject", "shifted-label")
    assert (code, report["rules"]["rejected_causes"]) == (1, ["shifted-label"])
    assert report["series"]["sma_9"]["unexplained"] > 100


def test_old_names_and_two_files_need_no_candles(bars: pl.DataFrame, tmp_path: Path) -> None:
    old = stored(tmp_path, bars.rename({"sma_9": "mean", "instrument": "symbol"}), "old.parquet")
    new = stored(tmp_path, bars.drop("candles", "is_final"), "new.parquet")
    sides = ("--control", old, "--candidate", new)
    code, report = told(*sides, "--series", "mean=sma_9")
    assert code == 0
    assert report["series"]["sma_9"]["equal"] == report["series"]["sma_9"]["compared"] > 200
    assert report["not_compared"] == {"only_control": [], "only_candidate": []}
    _, report = told(*sides)
    assert report["not_compared"]["only_control"] == ["mean"]


def test_a_name_of_a_series_that_no_answer_has_is_refused(
    candles: Path, bars: pl.DataFrame, tmp_path: Path
) -> None:
    old = stored(tmp_path, bars.rename({"sma_9": "their_mean"}), "old.parquet")
    sides = ("--control", old, "--candidate", "tallow")
    refused = compared(candles, *sides, "--series", "their_meen=sma_9")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--series their_meen=sma_9; their_meen is in no answer" in refused.stderr
    assert "did you mean their_mean" in refused.stderr
    ours = ("--control", "talib", "--candidate", "tallow", "--series", "mean=sma_9")
    assert "both engines answer under our names" in compared(candles, *ours).stderr


def test_a_range_and_an_instrument_are_picked(candles: Path, bars: pl.DataFrame) -> None:
    name = bars["instrument"][0]
    sides = ("--control", "talib", "--candidate", "tallow")
    code, report = told(candles, *sides, "--instrument", name, "--start", "2025-07-18")
    assert code == 0
    assert list(report["instruments"]) == [name]
    # The day before is there for the warm-up: no value is missing in the first bar.
    assert report["series"]["sma_9"]["compared"] == report["bars"]["both"]


def test_both_engines_are_measured(candles: Path, market: pl.DataFrame) -> None:
    arguments = (candles, "--control", "talib", "--candidate", "tallow", "--less-time", -1000)
    result = compared(*arguments, "--json", runs=1)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    for side in ("control", "candidate"):
        assert report[side]["cost"]["seconds"] > 0
        assert report[side]["cost"]["failed"] is False
    assert report["measured_on"]["candles"] == market["instrument"].value_counts()["count"].max()


def test_reports_are_written_whole(candles: Path, tmp_path: Path) -> None:
    page, told_in = tmp_path / "report.html", tmp_path / "report.json"
    sides = ("--control", "talib", "--candidate", "tallow")
    result = compared(candles, *sides, "--html", page, "--json-file", told_in)
    assert result.exit_code == 0, result.output
    assert f"report: {page}" in result.stdout
    assert page.read_text("utf-8").startswith("<!doctype html>")
    report = json.loads(told_in.read_text("utf-8"))
    assert report["schema_version"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "candles.parquet",
        "report.html",
        "report.json",
    ]


def test_rows_that_break_a_rule_are_told_of(candles: Path, market: pl.DataFrame) -> None:
    bad = market.with_columns(
        pl.when(pl.int_range(pl.len()) == 7).then(1e9).otherwise("low").alias("low")
    )
    bad.write_parquet(candles)
    result = compared(candles, "--control", "talib", "--candidate", "tallow")
    assert result.exit_code == 0, result.output
    assert "given to neither side: 1 row\n" in result.stderr


def test_candles_that_all_break_a_rule_are_told_with_it(
    candles: Path, market: pl.DataFrame
) -> None:
    market.with_columns(low=pl.lit(1e9)).write_parquet(candles)
    result = compared(candles, "--control", "talib", "--candidate", "tallow")
    assert result.exit_code == 1
    assert "all were quarantined: high_below_low" in result.stderr


def test_the_next_command_compares_the_same(market: pl.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "ONE day.csv"
    naive = pl.col("timestamp").dt.convert_time_zone("Asia/Kolkata").dt.replace_time_zone(None)
    market[:375].with_columns(naive).drop("instrument", "volume").write_csv(path)
    said = ("--timezone", "Asia/Kolkata", "--pattern", "(?P<instrument>.+) day.csv", "--no-volume")
    asked = (path, "--control", "talib", "--candidate", "tallow", *said, "--reject", "look-ahead")
    shown = compared(*asked, "-t", "15m", "--html", tmp_path / "page.html")
    assert shown.exit_code == 0, shown.output
    (command,) = (line for line in shown.stdout.splitlines() if line.startswith("  tallow "))
    again = tallow(*shlex.split(command.partition(" | ")[0])[1:])
    assert again.exit_code == 0, again.output
    expected = told(*asked, "-t", "15m")[1]
    assert list(expected["instruments"]) == ["ONE"]
    assert json.loads(again.stdout)["instruments"] == expected["instruments"]


@pytest.mark.parametrize("control", ["talib", "legacy"])
def test_sessions_of_a_file_and_dates_without_facts_are_compared(
    tmp_path: Path, control: str
) -> None:
    dates, path = tmp_path / "dates.toml", tmp_path / "candles.parquet"
    dates.write_text('[[session]]\ndate = 2025-07-19\nopen = "09:15"\nclose = "15:30"\n')
    for day, more in (
        ("2025-07-19", ("--calendar-dates", dates)),
        ("2012-07-18", ("--beyond-coverage", "weekdays")),
    ):
        some_candles("A", minutes(f"{day}T09:15+05:30", 30)).write_parquet(path)
        asked = (path, "--control", control, "--candidate", "tallow")
        assert compared(*asked).exit_code != 0
        assert told(*asked, *more)[1]["bars"]["both"] == 6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--control", "talib", "--candidate", "tallwo"), "did you mean tallow"),
        (("--control", "talib", "--candidate", "tallow", "--reject", "lookahead"), "look-ahead"),
        (("--control", "talib", "--candidate", "tallow", "--series", "ma_9"), "ma_9=sma_9"),
        (("--control", "talib", "--candidate", "tallow", "--ulps", "-1"), "--ulps -1"),
        (("--control", "talib", "--candidate", "tallow", "--agree", "101"), "--agree 101"),
        (("--control", "talib", "--candidate", "tallow", "--html", "r.txt"), ".html"),
        (("--control", "talib", "--candidate", "tallow", "--json-file", "r.txt"), ".json"),
        (("--control", "talib", "--candidate", "tallow", "--start", "soon"), "soon"),
        (("--control", "talib", "--candidate", "tallow", "--instrument", "Z"), "Z"),
        (("--control", "talib", "--candidate", "tallow", "-t", "7x"), "7x"),
        (("--control", "missing.csv", "--candidate", "tallow"), "missing.csv"),
    ],
)
def test_a_wrong_call_says_what_to_change(candles: Path, arguments, words: str) -> None:
    result = tallow("compare", candles, *arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr


def test_a_page_without_its_library_is_refused_before_anything_is_compared(
    candles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    page = candles.with_name("report.html")
    result = compared(candles, "--control", "talib", "--candidate", "tallow", "--html", page)
    assert result.exit_code == 2
    assert "pip install 'tallow[compare]'" in result.stderr


def test_engines_need_candles() -> None:
    result = tallow("compare", "--control", "talib", "--candidate", "tallow")
    assert result.exit_code == 2
    assert "no INPUT" in result.stderr


def test_too_many_runs_are_refused(candles: Path) -> None:
    result = compared(candles, "--control", "talib", "--candidate", "tallow", runs=101)
    assert result.exit_code == 2
    assert "must be 0..100" in result.stderr
