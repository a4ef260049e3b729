"""Bhavcopies of the capital market of NSE and BSE: a day's candle of every security traded.

CSV, as it is or in the zip archive that an exchange ships, in four layouts: the UDiFF common
bhavcopy of both since July 2024, and what each of them published before, BSE also without ISIN and
date. Prices are as traded, so raw; a candle opens at midnight in India, as a broker's daily candle
does. The file is published after the session, so its candles have ended.

**BSE without ISIN.** The date stands in the name of the file alone, ``EQ050221.CSV``: under another
name, or as a frame, it is refused. Its instruments are ``BSE|<SC_CODE>``, as it says no ISIN.

**Instrument.** ``NSE_EQ|<ISIN>`` or ``BSE_EQ|<ISIN>``, the key that brokers use, whatever the
series: a stock that moves from EQ to trade-to-trade (BE, BZ) keeps its key. `SIDE_SERIES` trade a
security once more beside its own series on the same day; they are ``NSE_<series>|<ISIN>``. Should
one ISIN still come twice, its rows are quarantined: none wins by chance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.data.providers.broker import TIMEZONE
from tallow.data.providers.cells import frame_of, frame_source
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader, Reading
from tallow.data.reading.quarantine import records
from tallow.data.reading.schema import ORIGINAL, PRICES

SIDE_SERIES = ("BL", "BT", "IL", "IQ", "T0")
"""Block deals, physical shares, two kinds of institutional trades, settlement on the same day."""

SEGMENT = "CM"


@dataclass(frozen=True)
class FileFormat:
    """One layout: which column is what; `series`, `segment` and `exchange` where they have one.

    `code` is the ISIN's column, or with `by_file` the exchange's own code's; then the name of the
    file says the date. `exchange` is a column's name, or with `is_named` the exchange itself.
    `date` is how dates are written, None for ISO; `symbol` the trading symbol's column, if any.
    """

    fields: Mapping[str, str]
    code: str
    exchange: str
    is_named: bool = False
    series: str | None = None
    segment: str | None = None
    date: str | None = None
    by_file: bool = False
    symbol: str | None = None

    def columns(self) -> tuple[str, ...]:
        """Return the columns that must be there."""
        exchange = None if self.is_named else self.exchange
        named = (self.segment, exchange, self.code, self.series, *self.fields.values())
        return tuple(name for name in named if name)


def _fields(timestamp: str, prices: Sequence[str], volume: str) -> dict[str, str]:
    names = ("timestamp", *PRICES, "volume")
    return dict(zip(names, (timestamp, *prices, volume), strict=True))


_OLD_PRICES = ("OPEN", "HIGH", "LOW", "CLOSE")
UDIFF = FileFormat(
    _fields("TradDt", ("OpnPric", "HghPric", "LwPric", "ClsPric"), "TtlTradgVol"),
    "ISIN",
    "Src",
    series="SctySrs",
    segment="Sgmt",
    symbol="TckrSymb",
)
NSE_BEFORE = FileFormat(
    _fields("TIMESTAMP", _OLD_PRICES, "TOTTRDQTY"),
    "ISIN",
    "NSE",
    True,
    "SERIES",
    date="%d-%b-%Y",
    symbol="SYMBOL",
)
BSE_BEFORE = FileFormat(
    _fields("TRADING_DATE", _OLD_PRICES, "NO_OF_SHRS"), "ISIN_CODE", "BSE", True, date="%d-%b-%y"
)
_UNDATED = {name: column for name, column in BSE_BEFORE.fields.items() if name != "timestamp"}
BSE_WITHOUT_ISIN = FileFormat(_UNDATED, "SC_CODE", "BSE", True, by_file=True)
FIELDS = {**BSE_BEFORE.fields, **NSE_BEFORE.fields, **UDIFF.fields}
LAYOUTS = (UDIFF, NSE_BEFORE, BSE_BEFORE, BSE_WITHOUT_ISIN)
_NAME = re.compile(r"(?i)EQ_?(\d\d)(\d\d)(\d\d)(?:_CSV)?\.(?:csv|zip)(?:\.gz|\.zst)?")
_LAST_CENTURY = 90
_SIGNS = {"TOTTRDQTY": NSE_BEFORE, "NO_OF_SHRS": BSE_BEFORE}


def _recognises(content: Content) -> bool:
    return _layout(content) is not None


def _layout(content: Content) -> FileFormat | None:
    columns = {cell.strip() for cell in content.columns}
    layout = next((each for each in LAYOUTS if columns >= set(each.columns())), None)
    # With an ISIN, but without a date, it is not one of them.
    is_other = layout is BSE_WITHOUT_ISIN and BSE_BEFORE.code in columns
    return None if is_other else layout


def _read(content: Content) -> Reading:
    rows, native = frame_of(content)
    layout = _layout(content) or next(
        (held for sign, held in _SIGNS.items() if sign in rows.columns), UDIFF
    )
    missing = [name for name in layout.columns() if name not in rows.columns]
    if missing:
        raise CandleInputError(
            f"{content.name}: columns missing: {', '.join(missing)}; must be a bhavcopy of NSE or "
            "BSE: the UDiFF common one, or the one of before; fetch it again, or say what it is "
            "with format="
        )
    segments = rows[layout.segment].drop_nulls().unique() if layout.segment else pl.Series()
    if len(segments) and SEGMENT not in segments:
        raise CandleInputError(
            f"{content.name}: Sgmt={segments[0]!r}; must be {SEGMENT}, the capital market; an ISIN "
            "names no contract of another segment"
        )
    return Reading(
        frame_source(content.name, _candles(rows, layout, _dates(content, rows, layout))),
        timeframe="1d",
        timezone=TIMEZONE,
        adjustment="raw",
        complete=True,
        native=native,
    )


def _candles(rows: pl.DataFrame, layout: FileFormat, dates: pl.Expr) -> pl.DataFrame:
    """Return the rows' fields under our names, each row with all its cells as `ORIGINAL`."""
    code = _text(layout.code)
    exchange = pl.lit(layout.exchange) if layout.is_named else _text(layout.exchange)
    series = _text(layout.series) if layout.series else pl.lit("EQ")
    segment = _text(layout.segment) if layout.segment else pl.lit(SEGMENT)
    book = pl.when(series.is_in(SIDE_SERIES)).then(series).when(series != "").then(pl.lit("EQ"))
    known = (segment == SEGMENT) & (code != "") & (exchange != "")
    market = exchange if layout.by_file else pl.concat_str(exchange, pl.lit("_"), book)
    key = pl.concat_str(market, pl.lit("|"), code)
    numbers = {name: column for name, column in layout.fields.items() if name != "timestamp"}
    return rows.select(
        pl.when(known).then(key).alias("instrument"),
        dates.alias("timestamp"),
        *(pl.col(column).alias(name) for name, column in numbers.items()),
        records(rows).alias(ORIGINAL),
        *_symbols(rows, layout, series),
    )


def _symbols(rows: pl.DataFrame, layout: FileFormat, series: pl.Expr) -> list[pl.Expr]:
    """Return the trading symbol, if there is one: it is that of the main book."""
    if layout.symbol is None or layout.symbol not in rows.columns:
        return []
    return [pl.when(~series.is_in(SIDE_SERIES)).then(_text(layout.symbol)).alias("symbol")]


def _text(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String).str.strip_chars()


def _dates(content: Content, rows: pl.DataFrame, layout: FileFormat) -> pl.Expr:
    """Return the dates of rows."""
    if layout.by_file:
        return pl.lit(_date_of_name(content))
    column = layout.fields["timestamp"]
    if layout.date is None or rows[column].dtype != pl.String:
        return pl.col(column)
    return _text(column).str.to_date(layout.date, strict=False)


def _date_of_name(content: Content) -> date:
    """Return the date that the name of BSE's file without ISIN says."""
    name = None if content.path is None else _NAME.fullmatch(content.path.name)
    if name is not None:
        day, month, year = (int(part) for part in name.groups())
        century = 1900 if year >= _LAST_CENTURY else 2000
        with suppress(ValueError):
            return date(century + year, month, day)
    raise CandleInputError(
        f"{content.name}: its date stands in the name that BSE gave its file alone, such as "
        "EQ050221.CSV of 2021-02-05, and this is none; give the file its name back, or take the "
        "file with ISIN and date"
    )


READER = Reader(
    "bhavcopy", "bhavcopies of NSE and BSE, new and old, CSV or zip", _recognises, _read
)
