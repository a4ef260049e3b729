"""Goal: what a file leaves out can be said to every verb that reads files, and what it holds
nothing of ends none of them: the answer of a holiday is no rows, exit code 0 and a sentence.

Method: the same files given to `run`, `ingest`, `live` and `compare`: without volume, without and
with the option for it; with a header or an empty answer alone; of days, where minutes are read.
"""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from tallow import open_store
from tests.serve.calling import tallow

VERBS = ("run", "ingest", "live", "compare")
EMPTY = {
    "kite.json": {"status": "success", "data": {"candles": []}},
    "fyers.json": {"s": "no_data", "candles": []},
    "dhan.json": {"status": "success", "remarks": "", "data": {}},
    "alpaca.json": {"bars": {}, "next_page_token": None},
    "header.csv": "symbol,time,open,high,low,close,volume\n",
    "headless.tsv": "symbol\ttime\topen\thigh\tlow\tclose\tvolume\n",
}
INDEX = "time,open,high,low,close\n1752810300,100,102,99,101\n"
CHART = "time,open,high,low,close,EMA\n1752810300,100,102,99,101,100.5\n"
DAYS = (
    "TradDt,Sgmt,Src,ISIN,TckrSymb,SctySrs,OpnPric,HghPric,LwPric,ClsPric,TtlTradgVol\n"
    "2025-07-18,CM,NSE,INE000A00001,SYM,EQ,100,102,99,101,900\n"
)


def call(verb: str, path: Path, *more: str, key: str | None = "X"):
    """Give a file to a verb, with all that it needs but what is asked here."""
    named = () if key is None else ("--instrument-key", key)
    own: dict[str, tuple[object, ...]] = {
        "run": (path, "-o", path.with_name("bars.parquet"), "-i", ""),
        "ingest": (path, "--store", path.with_name("s"), "--adjustment", "raw"),
        "live": ("--feed", f"replay:{path}", "--speed", "0", "-i", "", "--store",
                 path.with_name("l")),
        "compare": (path, "--control", "tallow", "--candidate", "tallow", "--runs", "0",
                    "-i", "sma(2)"),
    }  # fmt: skip
    return tallow(verb, *own[verb], *named, *more)


@pytest.mark.parametrize("verb", VERBS)
def test_a_file_without_volume_is_read_where_that_is_said(verb: str, tmp_path: Path) -> None:
    path = tmp_path / "index.csv"
    path.write_text(INDEX)
    more = ("--source-timeframe", "1m") if verb == "ingest" else ()
    asked = call(verb, path, *more)
    assert asked.exit_code == 2
    assert "missing: volume; pass --no-volume if there is none" in asked.stderr
    done = call(verb, path, *more, "--no-volume")
    assert done.exit_code == 0, done.output
    assert "Warning" not in done.stderr
    require_zeros(verb, tmp_path)


@pytest.mark.parametrize("verb", VERBS)
def test_a_chart_without_volume_is_read_and_one_line_says_so(verb: str, tmp_path: Path) -> None:
    path = tmp_path / "chart.csv"
    path.write_text(CHART)
    more = ("--source-timeframe", "1m") if verb == "ingest" else ()
    told = call(verb, path, *more)
    assert told.exit_code == 0, told.output
    (line,) = (line for line in told.stderr.splitlines() if line.startswith("Warning: "))
    assert f"{path}: has no volume; 0 is taken, as TradingView leaves the column out" in line
    assert "pass --no-volume to say so" in line
    require_zeros(verb, tmp_path)
    silent = call(verb, path, *more, "--no-volume")
    assert (silent.exit_code, "Warning" in silent.stderr) == (0, False)


def require_zeros(verb: str, folder: Path) -> None:
    if verb == "run":
        assert pl.read_parquet(folder / "bars.parquet")["volume"].to_list() == [0.0]
    if verb in {"ingest", "live"}:
        with open_store(folder / verb[0].replace("i", "s")) as store:
            assert store.read()["volume"].to_list() == [0.0]


@pytest.mark.parametrize("name", EMPTY)
@pytest.mark.parametrize("verb", ["run", "ingest", "live"])
def test_the_answer_of_a_holiday_is_no_rows_and_a_sentence(
    verb: str, name: str, tmp_path: Path
) -> None:
    path, content = tmp_path / name, EMPTY[name]
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    more = ("--source-timeframe", "1m") if verb == "ingest" else ()
    done = call(verb, path, *more)
    assert done.exit_code == (1 if verb == "run" else 0), done.output
    assert done.stderr.count("no candles: ") == 1
    assert "as the answer of a holiday" in done.stderr


def test_a_comparison_of_nothing_is_no_go_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "kite.json"
    path.write_text(json.dumps(EMPTY["kite.json"]))
    result = call("compare", path)
    assert result.exit_code == 1
    assert "no candles: the input holds no row, as the answer of a holiday" in result.stderr
    assert "nothing to compare" in result.stderr


def test_a_document_of_days_is_no_document_of_minutes(tmp_path: Path) -> None:
    path = tmp_path / "bhavcopy.csv"
    path.write_text(DAYS)
    refusing = {
        "run": ("--source-timeframe", "1m"),
        "ingest": ("--source-timeframe", "1m"),
        # What is live lasts a minute, and is kept as such.
        "live": (),
    }
    for verb, more in refusing.items():
        refused = call(verb, path, *more, key=None)
        assert refused.exit_code == 2
        assert "1d" in refused.stderr
        assert "must agree" in refused.stderr
    for verb, more in {"run": ("--source-timeframe", "1d", "-t", "1d"), "ingest": ()}.items():
        done = call(verb, path, *more, key=None)
        assert done.exit_code == 0, done.output
        assert "Warning" not in done.stderr


def test_days_are_believed_where_nobody_says_how_long_rows_last(tmp_path: Path) -> None:
    path = tmp_path / "bhavcopy.csv"
    path.write_text(DAYS)
    for verb, more in {"run": ("-t", "1d"), "compare": ("-t", "1d"), "ingest": ()}.items():
        done = call(verb, path, *more, key=None)
        assert done.exit_code == 0, done.output
        assert "Warning" not in done.stderr
    bars = pl.read_parquet(path.with_name("bars.parquet"))
    assert bars.select("open", "close", "volume").rows() == [(100.0, 101.0, 900.0)]
    shorter = call("run", path, "-t", "5m", key=None)
    assert shorter.exit_code == 2
    assert "5m from" in shorter.stderr
    assert "1d" in shorter.stderr
