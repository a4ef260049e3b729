"""Goal: a file of stored values is an engine, under the names that it was written with.

Method: answers of ours written in every format and read back; and files that the old system left.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tallow.core.errors import CandleInputError, EngineError, NaiveTimeError
from tallow.migrate.engines import load_engine
from tallow.migrate.protocol import Request
from tests.migrate.engines.market import candles


@pytest.fixture(scope="module")
def answer() -> pl.DataFrame:
    return load_engine("tallow").answer(Request(candles()))


@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow"])
def test_what_was_written_is_answered(answer: pl.DataFrame, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"values.{ending}"
    theirs = answer.rename({"ema_9": "Their EMA", "instrument": "Symbol"}).reverse()
    theirs = theirs.with_columns(candles=pl.lit(5), comment=pl.lit("fine"))
    getattr(theirs, f"write_{'ipc' if ending == 'arrow' else ending}")(path)
    engine = load_engine(str(path), series={"Their EMA": "ema_9"})
    assert engine.answer(Request(candles())).equals(answer)


def test_a_range_and_the_instruments_asked_for(answer: pl.DataFrame, tmp_path: Path) -> None:
    answer.write_parquet(tmp_path / "values.parquet")
    engine = load_engine(str(tmp_path / "*.parquet"))
    one = candles().filter(pl.col("instrument") == candles()["instrument"][-1])
    frame = engine.answer(Request(one, start="2025-06-03", end="2025-06-03"))
    assert frame.equals(
        answer.filter(
            pl.col("instrument") == one["instrument"][0],
            pl.col("timestamp").dt.date() == pl.date(2025, 6, 3),
        )
    )


def test_the_version_is_of_what_is_stored(answer: pl.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "values.parquet"
    answer.write_parquet(path)
    engine = load_engine(str(path))
    before = engine.version
    assert before == load_engine(str(path)).version
    answer.head(7).write_parquet(path)
    assert engine.version != before
    assert len(engine.answer(Request(candles().clear()))) == 7


def test_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "values.csv"
    with pytest.raises(CandleInputError, match="no such file"):
        load_engine(str(path))
    path.write_text("symbol,ts,ma_9\nA,2025-06-02T09:15:00,1.0\n")
    with pytest.raises(NaiveTimeError):
        load_engine(str(path)).answer(Request(candles().clear()))
    frame = load_engine(str(path), timezone="Asia/Kolkata").answer(Request(candles().clear()))
    assert frame.columns == ["instrument", "timestamp", "sma_9"]
    path.write_text("symbol,ts,ma_9\nA,2025-06-02T09:15:00Z,1.0\nA,2025-06-02T09:20:00Z,l.0\n")
    with pytest.raises(EngineError, match=r"values.csv: row 2: ma_9='l.0'; must be a number"):
        load_engine(str(path)).answer(Request(candles().clear()))


def test_an_old_answer_comes_under_our_names(reference: Path) -> None:
    path = reference / "data" / "legacy_5m_goapi_RAYMOND_20250718.csv"
    frame = load_engine(str(path)).answer(Request(candles().clear()))
    assert len(frame) == 75
    assert frame.columns[:7] == [
        "instrument",
        "timestamp",
        "open",
        "high",
        "low",
        "close",
        "volume",
    ]
    assert {"sma_9", "rsi_14", "atr_14", "bb_width_20_2", "vwap"} < set(frame.columns)
    assert not {"ma_9", "symbol", "source"} & set(frame.columns)
    row = frame.row(0, named=True)
    assert (row["sma_9"], row["rsi_14"]) == (703.7722222222224, 1.99)
    mine = load_engine(str(path), series={"ma_9": "mine"}).answer(Request(candles().clear()))
    assert "mine" in mine.columns
