"""Goal: a table of a broker's quotes is never read as candles, and candles beside a last price are.

Method: the day's open, high and low and yesterday's close, as a recorder of quotes writes them.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tallow.core.errors import CandleInputError
from tallow.data.reading.readers import read_candles

DAY = {"open": 1415.0, "high": 1432.5, "low": 1408.0, "close": 1409.0}
QUOTES = pl.DataFrame(
    [
        {"symbol": "STOCK", "ts": f"2025-07-18T09:{15 + minute}+05:30", "ltp": 1424.0 + minute}
        | DAY
        | {"volume": 900.0 + minute}
        for minute in range(4)
    ]
)


@pytest.mark.parametrize("name", ["ltp", "LTP", "last_price", "lastTradedPrice"])
def test_quotes_are_no_candles(name: str, tmp_path: Path) -> None:
    quotes = QUOTES.rename({"ltp": name})
    quotes.write_csv(tmp_path / "quotes.csv")
    for source in (quotes, tmp_path / "quotes.csv"):
        with pytest.raises(
            CandleInputError, match=f"column '{name}' has other prices than 'close'"
        ):
            read_candles(source)


def test_candles_may_say_their_last_price() -> None:
    candles = QUOTES.with_columns(ltp=pl.col("close"))
    assert read_candles(candles).report.accepted == 4


def test_an_exchanges_days_may_close_elsewhere() -> None:
    days = QUOTES.head(1).with_columns(ts=pl.lit("2025-07-18T00:00+05:30"))
    assert read_candles(days, source_timeframe="1d").report.accepted == 1
