"""Goal: whoever reads files can say which format they have, where looking does not tell.

Method: a document that two providers may have written is refused without its format's name, and
with it gives the candles that it gives with its offsets, which only one of the two writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow import AnalyticsEngine, read_candles
from tallow.core.errors import CandleInputError
from tallow.data.feeds.replay import ReplayFeed
from tests.data.providers.documents import UPSTOX
from tests.serve.calling import tallow

SAID: dict[str, Any] = {"format": "upstox", "instrument_key": "A", "timezone": "Asia/Kolkata"}
OPTIONS = ("--format", "upstox", "--instrument-key", "A", "--timezone", "Asia/Kolkata", "-i", "")


@pytest.fixture
def doubtful(tmp_path: Path) -> Path:
    path = tmp_path / "doubtful.json"
    path.write_text(UPSTOX.replace("+05:30", ""))
    return path


@pytest.fixture
def expected(tmp_path: Path) -> pl.DataFrame:
    path = tmp_path / "certain.json"
    path.write_text(UPSTOX)
    return read_candles(path, instrument_key="A").frame


def test_python_takes_the_name_of_a_format(doubtful: Path, expected: pl.DataFrame) -> None:
    with pytest.raises(CandleInputError, match=r'like kite; .* add format="upstox"'):
        read_candles(doubtful, instrument_key="A")
    assert read_candles(doubtful, **SAID).frame.equals(expected)
    assert read_candles(doubtful, **SAID | {"format": "kite"}).frame.equals(expected)
    with pytest.raises(CandleInputError, match="format: 'upstoxx'; unknown; did you mean upstox"):
        read_candles(doubtful, **SAID | {"format": "upstoxx"})
    batch = ReplayFeed(str(doubtful), **SAID).receive(0)
    assert batch is not None
    assert batch.frame["close"].to_list() == expected["close"][:1].to_list()


def test_engines_take_what_they_ask_for(doubtful: Path, expected: pl.DataFrame) -> None:
    engine = AnalyticsEngine()
    for process in (engine.process_candles, engine.calculate_arrays):
        with pytest.raises(CandleInputError, match=r'add format="upstox"'):
            process(doubtful, "1m", "")
        assert len(process(doubtful, "1m", "", **SAID)) == len(expected)


def test_verbs_that_read_files_take_it(doubtful: Path, expected: pl.DataFrame) -> None:
    bars, store = doubtful.with_name("bars.parquet"), doubtful.with_name("store")
    read = {
        "run": (doubtful, "-o", bars, "-t", "1m", "--quiet"),
        "live": ("--feed", f"replay:{doubtful}", "--speed", "0", "--store", store, "--json"),
        "compare": (doubtful, "--control", "tallow", "--candidate", "tallow", "--runs", "0"),
    }
    for verb, arguments in read.items():
        assert "add --format" in tallow(verb, *arguments, "-i", "").stderr
        done = tallow(verb, *arguments, *OPTIONS)
        assert done.exit_code == 0, done.output
    assert pl.read_parquet(bars)["close"].to_list() == expected["close"].to_list()
    asked = tallow("query", "--store", store, "-t", "1m", "-i", "", "-o", bars)
    assert asked.exit_code == 0, asked.output
    assert pl.read_parquet(bars)["close"].to_list() == expected["close"].to_list()
