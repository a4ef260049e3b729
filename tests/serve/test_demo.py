"""Goal: `tallow demo` shows true values, leaves whole files, and is the same on every run.

Method: a small market; what is shown is compared with the candles that lie in the folder.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from tallow.serve.cli import app
from tallow.serve.console import sparkline
from tests.pages import environment


def tallow_demo(folder: Path, *arguments: str, columns: int = 100) -> Result:
    small = ["--instruments", "5", "--sessions", "2", "--output", str(folder)]
    runner = CliRunner(env={"COLUMNS": str(columns)})
    return runner.invoke(app, ["demo", *small, *arguments])


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("demo") / "new" / "folder"
    result = tallow_demo(folder, "-t", "5m", "-t", "1d", "-t", "5m")
    assert result.exit_code == 0, result.output
    return folder, result.stdout


def test_files_of_candles_and_of_each_timeframe_are_left(shown: tuple[Path, str]) -> None:
    folder, text = shown
    names = ["bars_1d.parquet", "bars_5m.parquet", "candles_1m.parquet"]
    # Files: another test may have made the store, which is a folder.
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == names
    daily = pl.read_parquet(folder / "bars_1d.parquet")
    assert len(daily) == 5 * 2
    candles = pl.read_parquet(folder / "candles_1m.parquet")
    assert daily["volume"].sum() == candles["volume"].sum()
    assert f"{len(candles):,} one-minute candles" in text


def test_the_latest_closes_are_those_of_the_last_candles(shown: tuple[Path, str]) -> None:
    folder, text = shown
    candles = pl.read_parquet(folder / "candles_1m.parquet").filter(pl.col("volume") > 0)
    last = candles.group_by("instrument", maintain_order=True).agg(pl.col("close").last())
    rows = {line.split()[0]: line.split()[1] for line in text.splitlines() if line[:3] == "INE"}
    assert rows == {name.split("|")[1]: f"{close:,.2f}" for name, close in last.iter_rows()}


def test_the_commands_that_it_ends_with_work_in_a_fresh_shell(tmp_path: Path) -> None:
    # As `make demo` does it: from the folder, in an environment that the shell has not entered.
    outside = environment(tmp_path) | {"PATH": "/usr/bin:/bin"}
    demo = [".venv/bin/tallow", "demo", "--instruments", "3", "--sessions", "2"]
    shown = subprocess.run(
        demo, cwd=tmp_path, env=outside, capture_output=True, text=True, check=True
    )
    commands = re.findall(r"^  (.*)$", shown.stdout.partition("Next, try\n")[2], re.MULTILINE)
    assert [command.split()[1] for command in commands] == [
        ".venv/bin/activate",
        *("run", "ingest", "query", "indicators", "serve"),
    ]
    # The last one serves until a person ends it, and is tested where services are.
    assert commands.pop() == "tallow serve --demo"
    done = subprocess.run(
        ["sh", "-c", "set -e\n" + "\n".join(commands)],
        cwd=tmp_path,
        env=outside,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert "bars out" in done.stdout


def test_the_same_market_every_time(shown: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = shown
    assert tallow_demo(tmp_path, "-t", "5m").exit_code == 0
    for name in ("candles_1m.parquet", "bars_5m.parquet"):
        assert pl.read_parquet(tmp_path / name).equals(pl.read_parquet(folder / name))


@pytest.mark.parametrize(("columns", "has_line"), [(80, True), (76, False)])
def test_the_table_fits_and_drops_its_lines_where_there_is_no_room(
    tmp_path: Path, columns: int, has_line: bool
) -> None:
    text = tallow_demo(tmp_path, "-t", "15m", columns=columns).stdout
    table = [line for line in text.splitlines() if line.startswith(("INE", "instrument"))]
    assert max(map(len, table)) <= columns
    assert ("closes" in table[0]) == has_line


def test_values_in_their_warm_up_are_dashes(tmp_path: Path) -> None:
    text = tallow_demo(tmp_path, "-t", "1d").stdout
    row = next(line for line in text.splitlines() if line.startswith("INE"))
    # Two daily bars: only the close and vwap have a value yet.
    assert [cell == "-" for cell in row.split()[1:7]] == [False, True, False, True, True, True]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sessions", "99999"], "demo: --sessions 99999; must be 1.."),
        (["--instruments", "0"], "--instruments 0"),
        (["-t", "7x"], "timeframe: '7x'"),
        (["--output", __file__], "must be a folder that can be written"),
    ],
)
def test_bad_usage_exits_with_2_and_a_hint(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    result = tallow_demo(tmp_path, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.parametrize(
    ("values", "width", "line"),
    [
        ([], 5, ""),
        ([None, 1.0, None], 5, " ▁ "),
        ([3.0, 3.0], 5, "▁▁"),
        ([9.0, 0.0, 7.0], 2, "▁█"),
        ([0, 3.5, 7], 3, "▁▅█"),
    ],
)
def test_sparkline(values: list[float | None], width: int, line: str) -> None:
    assert sparkline(values, width) == line
