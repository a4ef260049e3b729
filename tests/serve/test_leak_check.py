"""Goal: `tallow leak-check` checks indicators and a user's own function, on files or a simulated
market, says what leaks, and exits by it.

Method: the command line is called as a shell would; own functions with one leak lie in a file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.frames import candles, minutes
from tests.serve.calling import tallow

OWN = """\
import polars as pl


def centred(bars):
    mean = pl.col("close").rolling_mean(3, center=True).over("instrument")
    return bars.with_columns(x=mean, y=pl.col("close").cum_max().over("instrument"))


def columns_alone(bars):
    return pl.DataFrame({"x": bars["close"] - bars["open"]})


def by_hand(bars):
    raise ZeroDivisionError("no volume")


NUMBER = 3
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a module of a user's own, in the folder of the shell."""
    name = f"own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return name


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a file of an hour and a half of one instrument's candles."""
    path = tmp_path / "candles.parquet"
    candles("A", minutes("2025-07-18T09:15+05:30", 90)).write_parquet(path)
    return path


def test_indicators_and_chains_are_clean_on_the_simulated_market() -> None:
    result = tallow("leak-check", "ema(9), ema(rsi(14), 9)", "--moments", "20")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[:2] for line in lines[2:5]] == [
        ["ema_9", "ok"],
        ["ema_9_of_rsi_14", "ok"],
        ["(rows)", "ok"],
    ]
    assert "28 of " in result.stdout
    assert "candles of 4 instruments; times in Asia/Kolkata" in result.stdout


def test_an_own_function_that_leaks_is_told_where_and_how_far(own: str, source: Path) -> None:
    result = tallow("leak-check", f"{own}:centred", source)
    assert result.exit_code == 1
    said = " ".join(result.stdout.split())
    # The second bar of five minutes has its value once the third is over.
    assert (
        "x leaks in 16 rows, first in that of A at 2025-07-18 09:20: known as no value at "
        "2025-07-18 09:25, it became "
    ) in said
    assert "looks 1 bar ahead, as far as the candle of 2025-07-18 09:29" in said
    assert said.endswith("candles of 1 instrument; times in Asia/Kolkata")
    answer = json.loads(tallow("leak-check", f"{own}:centred", source, "--json").stdout)
    by_name = {each["column"]: each for each in answer["columns"]}
    assert [each["verdict"] for each in by_name.values()] == ["leaks", "ok", "ok"]
    assert by_name["x"]["leak"]["timestamp"] == "2025-07-18T03:50:00+00:00"
    assert (answer["is_clean"], answer["checked"]["moments"]) == (False, 17 + 37)


def test_columns_alone_are_those_of_the_bars(own: str, source: Path) -> None:
    result = tallow("leak-check", f"{own}:columns_alone", source, "-t", "15m")
    assert result.exit_code == 0, result.output


def test_a_column_that_has_no_value_is_not_checked(source: Path) -> None:
    result = tallow("leak-check", "sma(9), sma(50)", source)
    assert result.exit_code == 1
    assert "sma_50 not checked: no value in any row" in result.stdout
    assert "sma_9 leaks" not in result.stdout


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("{own}:centered", "'centered' is not there; did you mean centred?"),
        ("{own}:NUMBER", "is int; must be a function"),
        ("{own}:by_hand", "the function raised ZeroDivisionError: no volume; it was given 90"),
        ("no_such_module_of_mine:f", "must be importable from here"),
        ("emma(9)", "did you mean ema"),
    ],
)
def test_what_cannot_be_checked_says_why(what: str, said: str, own: str, source: Path) -> None:
    result = tallow("leak-check", what.format(own=own), source)
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize("what", ["sma(3)", "close > sma(3) and breadth(close > open) > 0.5"])
def test_bars_of_members_are_those_of_the_days(what: str, source: Path, tmp_path: Path) -> None:
    listed = tmp_path / "members.csv"
    listed.write_text("instrument,from\nA,2025-07-18\n")
    assert tallow("leak-check", what, source, "--universe", listed).exit_code == 0
    listed.write_text("instrument,from\nA,2025-07-19\n")
    result = tallow("leak-check", what, source, "--universe", listed)
    assert result.exit_code == 2
    assert "the function answers no row" in result.stderr


def test_one_timeframe_and_instruments_that_are_there(source: Path) -> None:
    result = tallow("leak-check", "ema(9)", source, "-t", "5m", "-t", "1h")
    assert result.exit_code == 2
    assert "--timeframe 5m and 1h; bars are checked at one" in result.stderr
    result = tallow("leak-check", "ema(9)", source, "--instrument", "B")
    assert result.exit_code == 2
    assert "known: A" in result.stderr


def test_a_saved_screen_is_checked_by_its_name(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[up]\ncondition = "close > open"\n[up_twice]\ncondition = "up for 2 bars"\n')
    for what in ("up_twice", "not up"):
        found = tallow("leak-check", what, source, "--screens", file, "--json")
        assert found.exit_code == 0, found.output
        assert '"matched"' in found.stdout
    unknown = tallow("leak-check", "down", source, "--screens", file)
    assert (unknown.exit_code, "'down'; unknown" in unknown.stderr) == (2, True)


def test_a_screen_is_checked_bar_by_bar_and_a_forming_bar_leaks() -> None:
    clean = "close > ema(5) and (close > ema(3))@1h and cs_rank(close) > 1"
    result = tallow("leak-check", clean, "-t", "15m", "--moments", "12")
    assert result.exit_code == 0, result.output
    leaks = tallow("leak-check", "forming close@1h > ema(5)", "-t", "15m", "--moments", "40")
    assert leaks.exit_code == 1
    assert ["matched", "leaks"] in [line.split()[:2] for line in leaks.stdout.splitlines()]
