"""NSE's UDiFF common bhavcopy of the capital market: a day's candle of every security traded.

CSV of 34 columns, as it is or in the zip archive that NSE ships. Prices are as traded, so raw; a
candle opens at midnight in India, as a broker's daily candle does. The file is published after the
session, so its candles have ended.

**Instrument.** ``NSE_EQ|<ISIN>``, the key that brokers use, whatever the series: a stock that moves
from EQ to trade-to-trade (BE, BZ) keeps its key. `SIDE_SERIES` trade a security once more beside
its own series on the same day; they are ``NSE_<series>|<ISIN>``. Should one ISIN still come twice,
its rows are quarantined: none wins by chance.
"""

from __future__ import annotations

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.data.providers.broker import TIMEZONE
from tallow.data.providers.cells import csv_lines, csv_rows, frame_source, table
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader, Reading
from tallow.data.quarantine import records
from tallow.data.schema import ORIGINAL

SIDE_SERIES = ("BL", "BT", "IL", "IQ", "T0")
"""Block deals, physical shares, two kinds of institutional trades, settlement on the same day."""

SEGMENT = "CM"

FIELDS = {
    "timestamp": "TradDt",
    "open": "OpnPric",
    "high": "HghPric",
    "low": "LwPric",
    "close": "ClsPric",
    "volume": "TtlTradgVol",
}
NEEDED = ("Sgmt", "Src", "ISIN", "SctySrs", *FIELDS.values())


def _recognises(content: Content) -> bool:
    return {cell.strip() for cell in content.columns} >= set(NEEDED)


def _read(content: Content) -> Reading:
    lines = csv_lines(content)
    header = [cell.strip() for cell in lines[0]] if lines else []
    missing = [name for name in NEEDED if name not in header]
    if missing:
        raise CandleInputError(
            f"{content.name}: columns missing: {', '.join(missing)}; must be NSE's UDiFF common "
            "bhavcopy; fetch it again, or name its format"
        )
    rows = table(content.name, header, csv_rows(lines[1:], len(header)))
    segments = rows["Sgmt"].drop_nulls().unique()
    if len(segments) and SEGMENT not in segments:
        raise CandleInputError(
            f"{content.name}: Sgmt={segments[0]!r}; must be {SEGMENT}, the capital market; an ISIN "
            "names no contract of another segment"
        )
    return Reading(
        frame_source(content.name, _candles(rows)),
        timeframe="1d",
        timezone=TIMEZONE,
        adjustment="raw",
        complete=True,
    )


def _candles(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows' fields under our names, each row with all its cells as `ORIGINAL`."""
    segment, exchange, isin, series = (
        pl.col(name).str.strip_chars() for name in ("Sgmt", "Src", "ISIN", "SctySrs")
    )
    book = pl.when(series.is_in(SIDE_SERIES)).then(series).when(series != "").then(pl.lit("EQ"))
    known = (segment == SEGMENT) & (isin != "") & (exchange != "")
    key = pl.concat_str(exchange, pl.lit("_"), book, pl.lit("|"), isin)
    return rows.select(
        pl.when(known).then(key).alias("instrument"),
        *(pl.col(column).alias(name) for name, column in FIELDS.items()),
        records(rows).alias(ORIGINAL),
    )


READER = Reader("bhavcopy", "NSE UDiFF common bhavcopy, CSV or zip", _recognises, _read)
