"""Goal: rows that say how long they last are never read as candles of another length.

Method: a table with a column of each spelling, read with and without a timeframe, by each way in.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tallow import AnalyticsEngine, LiveEngine, open_store
from tallow.core.errors import CandleInputError, TallowWarning
from tallow.data.reading.readers import read_candles

FIVE = "rows last 5m, and candles of 1m are read"


def table(*said: str | None, name: str = "interval") -> pl.DataFrame:
    times = [f"2025-07-18T09:{15 + 5 * place}:00+05:30" for place in range(len(said))]
    numbers = {"o": 1.0, "h": 2.0, "l": 1.0, "c": 1.5, "v": 3.0}
    rows = pl.DataFrame({"symbol": ["A"] * len(said), "ts": times, name: said})
    return rows.with_columns(**{key: pl.lit(value) for key, value in numbers.items()})


@pytest.mark.parametrize("name", ["interval", "Timeframe", "resolution"])
@pytest.mark.parametrize("said", ["5m", "5minute", "5 min", "FIVE_MINUTE", "M5"])
def test_a_column_says_how_long_rows_last(name: str, said: str, tmp_path: Path) -> None:
    rows = table(said, said, name=name)
    rows.write_csv(tmp_path / "rows.csv")
    for source in (rows, tmp_path / "rows.csv"):
        with pytest.raises(CandleInputError, match=FIVE):
            read_candles(source, source_timeframe="1m")
        with pytest.warns(TallowWarning, match="rows last 5m, and are read as candles of 1m"):
            read_candles(source)
        assert read_candles(source, source_timeframe="5m").report.accepted == 2


@pytest.mark.parametrize("given", [None, "1m", "5m"])
def test_one_row_of_another_length_is_not_passed_over(given: str | None) -> None:
    with pytest.raises(CandleInputError, match="interval='1m', '5m'; rows of one input must last"):
        read_candles(table("1m", "5m"), source_timeframe=given)


@pytest.mark.parametrize("said", ["60", "intraday", "1M", None])
def test_what_says_no_length_is_left_alone(said: str | None) -> None:
    assert read_candles(table(said)).report.ignored_columns == ("interval",)


def test_every_way_in_looks_at_it(tmp_path: Path) -> None:
    with pytest.raises(CandleInputError, match=FIVE):
        LiveEngine("5m", "").update(table("5m"))
    with pytest.raises(CandleInputError, match=FIVE):
        AnalyticsEngine().process_candles(table("5m"), "15m", "", source_timeframe="1m")
    store = open_store(tmp_path / "store", create=True)
    with store, pytest.raises(CandleInputError, match=FIVE):
        store.write(table("5m"), source_timeframe="1m")
