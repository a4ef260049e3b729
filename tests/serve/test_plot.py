"""Goal: `tallow plot` draws a store's candles, or those of files, and refuses what it cannot draw.

Method: half an hour of three instruments on four days lies in a file and in a store, with symbols;
the page's own data tell what was drawn. The command line is called as a shell would.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tallow import AnalyticsEngine
from tests.runtime.members import market
from tests.serve.calling import SAID, tallow


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the shell, with a file of candles and a store of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TALLOW_STORE", raising=False)
    named = market().with_columns(symbol="S-" + pl.col("instrument"))
    named.write_parquet("named.parquet")
    result = tallow("ingest", "named.parquet", "--store", "store", *SAID, "--quiet")
    assert result.exit_code == 0, result.output
    return tmp_path


def first_name() -> str:
    return str(market()["instrument"][0])


def data_of(file: str) -> Any:
    found = re.search(r'id="data">(.*?)</script>', Path(file).read_text("utf-8"))
    assert found is not None
    return json.loads(found[1])


def closes(data: Any) -> list[float]:
    numbers: list[float] = np.frombuffer(base64.b64decode(data["candles"]["close"]), "<f8").tolist()
    return numbers


@pytest.mark.parametrize("source", [("--store", "store"), ("named.parquet",)])
def test_a_symbol_s_bars_are_drawn_with_the_matches_of_a_screen(
    source: tuple[str, ...], folder: Path
) -> None:
    name = first_name()
    result = tallow(
        *("plot", f"S-{name}", *source, "-t", "5m", "-i", "sma(2)", "-o", "chart.html"),
        *("--screen", "close > open"),
    )
    assert result.exit_code == 0, result.output
    assert f"S-{name} is {name}" in result.stderr
    frame = AnalyticsEngine().process_candles(market(), "5m", "sma(2)", instruments=name).frame
    data = data_of("chart.html")
    assert data["title"] == f"S-{name} ({name})"
    assert closes(data) == frame["close"].to_list()
    up = frame.with_row_index().filter((pl.col("close") > pl.col("open")) & pl.col("is_final"))
    assert [mark["row"] for mark in data["marks"]] == up["index"].to_list() != []
    assert re.search(rf"{len(frame)}\s+bars\s+chart.html", result.stdout)
    assert re.search(rf"{len(up)}\s+matches\s+close > open", result.stdout)


def test_a_rank_is_that_among_all_instruments(folder: Path) -> None:
    name, rank = first_name(), "cs_rank(close) <= 1"
    words = ("plot", name, "named.parquet", "-t", "5m", "-i", "", "-o", "chart.html")
    assert tallow(*words, "--screen", rank, "--quiet").exit_code == 0
    found = AnalyticsEngine().screen(rank, "5m", candles=market(), start="2025-01-01")
    own = found.frame.filter(pl.col("instrument") == name)
    assert len(data_of("chart.html")["marks"]) == len(own) < len(closes(data_of("chart.html")))


def test_a_saved_screen_is_marked_by_its_name(folder: Path) -> None:
    Path("mine.toml").write_text('[up]\ncondition = "close > open"\n')
    words = ("plot", first_name(), "--store", "store", "-t", "5m", "-i", "", "-o", "chart.html")
    result = tallow(*words, "--screen", "up", "--screens", "mine.toml")
    assert result.exit_code == 0, result.output
    assert {mark["text"] for mark in data_of("chart.html")["marks"]} == {"up"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--store", "store"), "no --output; a file to write is needed; add --output chart.html"),
        (("-o", "chart.html"), "no candles; name files behind the instrument, or a store"),
        (("--store", "store", "-o", "chart.gif"), "must end in .html, .png, .svg"),
        (
            ("--store", "store", "-o", "chart.html", "-t", "5m", "-t", "1h"),
            "--timeframe 5m and 1h; a chart has one",
        ),
        (
            ("named.parquet", "--known-at", "2025-07-18T12:00+05:30", "-o", "chart.html"),
            "--known-at 2025-07-18T12:00+05:30; files do not say",
        ),
        (
            ("named.parquet", "--store", "store", "-o", "chart.html"),
            "candles are of files or of a store",
        ),
        (
            ("--store", "store", "-o", "chart.html", "--screen", "close >"),
            "screen",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(words: tuple[str, ...], said: str, folder: Path) -> None:
    result = tallow("plot", first_name(), *words)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert not Path("chart.html").exists()


def test_a_range_without_bars_says_so(folder: Path) -> None:
    words = ("plot", first_name(), "--store", "store", "-t", "5m", "-i", "", "-o", "chart.html")
    result = tallow(*words, "--start", "2020-01-01", "--end", "2020-01-02")
    assert result.exit_code == 1, result.output
    assert "no bars" in result.stderr
    assert not Path("chart.html").exists()


@pytest.mark.parametrize("source", [("--store", "store"), ("named.parquet",)])
def test_a_cloud_begins_at_the_first_bar_of_a_range_with_what_is_known_before(
    source: tuple[str, ...], folder: Path
) -> None:
    name, cloud = first_name(), "ichimoku(1, 3, 3)"
    frame = AnalyticsEngine().process_candles(market(), "5m", cloud, instruments=name).frame
    first = len(frame) // 2
    start = frame["timestamp"][first].strftime("%Y-%m-%dT%H:%M:%SZ")
    words = ("plot", name, *source, "-t", "5m", "-i", cloud, "--start", start)
    result = tallow(*words, "-o", "chart.html")
    assert result.exit_code == 0, result.output
    data, column = data_of("chart.html"), "ichimoku_span_a_1_3_3"
    assert closes(data) == frame["close"].to_list()[first:]
    (drawn,) = (
        each["values"] for pane in data["panes"] for each in pane["curves"]
        if each["label"] == column
    )  # fmt: skip
    values = np.frombuffer(base64.b64decode(drawn), "<f8").tolist()
    # Drawn two bars later, so that there are two more behind the last bar.
    assert values == frame[column].to_list()[first - 2 :]
    assert re.search(rf"{len(frame) - first}\s+bars", result.stdout)
