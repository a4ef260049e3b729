"""Binance's public candle files: CSV, alone or in a zip archive, with a header only sometimes.

And the klines that its API answers with: an array of such rows, with prices as text.

Times are epochs in UTC: milliseconds, since 2025 microseconds for spot. A row says when it opens
and closes, and so its timeframe; a public file's name, ``BTCUSDT-1m-2025-01.csv``, says instrument
and timeframe. Prices are raw. A candle cut short by an outage counts like the others.
"""

from __future__ import annotations

import re

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.core.time import SECOND_US
from tallow.data.providers.cells import (
    Number,
    array_row,
    csv_lines,
    csv_rows,
    frame_source,
    read_json,
    table,
)
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader, Reading
from tallow.data.reading.times import to_utc

COLUMNS = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count",
    "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip

_LINE = re.compile(r"^\d{13}(?:\d{3})?(?:,[^,\n]*){5},\d{13}(?:\d{3})?,", re.MULTILINE)
_KLINES = re.compile(r'\s*\[\s*\[\s*\d{13}\s*,\s*(?:"-?[\d.]+"\s*,\s*){5}\d{13}\s*,')
_NAME = re.compile(r"(\w+)-(1mo|1M|\d{1,4}[smhdw])-\d{4}-\d\d(?:-\d\d)?(?:\.csv)?(?:\.zip|\.gz)?")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_CALENDAR = {
    _UNITS["d"]: "1d",
    _UNITS["w"]: "1w",
    **{days * _UNITS["d"]: "1mo" for days in (28, 29, 30, 31)},
}


def _recognises(content: Content) -> bool:
    header = tuple(cell.strip().lower() for cell in content.columns[:7])
    is_file = header == COLUMNS[:7] or _LINE.search(content.head) is not None
    return is_file or _KLINES.match(content.head) is not None


def _read(content: Content) -> Reading:
    rows = _klines(content) if _KLINES.match(content.head) else _lines(content)
    instrument, named = _by_name(content)
    lasting = _by_rows(rows)
    if None not in {named, lasting} and named != lasting:
        raise CandleInputError(
            f"{content.name}: its name says {named}, most of its rows last {lasting}; the two must "
            "agree; is it the right file?"
        )
    return Reading(
        frame_source(content.name, rows),
        instrument=instrument,
        timeframe=named or lasting,
        timezone="UTC",
        adjustment="raw",
    )


def _lines(content: Content) -> pl.DataFrame:
    lines = csv_lines(content)
    if lines and lines[0][0].strip().lower() == COLUMNS[0]:
        lines = lines[1:]
    return table(content.name, COLUMNS, csv_rows(lines, len(COLUMNS)))


def _klines(content: Content) -> pl.DataFrame:
    kinds = (Number, str)
    rows = [array_row(row, len(COLUMNS), *kinds) for row in read_json(content)]
    return table(content.name, COLUMNS, rows)


def _by_name(content: Content) -> tuple[str | None, str | None]:
    """Return instrument and timeframe as the name of a public file says them."""
    named = _NAME.fullmatch(content.path.name) if content.path else None
    if named is None:
        return None, None
    interval = named[2]
    if interval in {"1M", "1mo"}:
        return named[1], "1mo"
    return named[1], _lasting(int(interval[:-1]) * _UNITS[interval[-1]])


def _by_rows(rows: pl.DataFrame) -> str | None:
    """Return how long most rows last; None without rows whose times can be read."""
    opens, closes = (
        to_utc(rows[name], "UTC", "times").dt.epoch("us") for name in ("open_time", "close_time")
    )
    # A row closes one unit of its times before the next one opens.
    seconds = ((closes - opens) / SECOND_US).round().drop_nulls().alias("seconds")
    counts = seconds.value_counts().sort("count", "seconds", descending=[True, False])
    return _lasting(int(counts["seconds"][0])) if len(counts) else None


def _lasting(seconds: int) -> str:
    """Return a timeframe's text; where we have none so long, one that says how long it is."""
    minutes, rest = divmod(seconds, _UNITS["m"])
    return _CALENDAR.get(seconds) or (f"{seconds}s" if rest else f"{minutes}m")


READER = Reader(
    "binance", "Binance's public candle files, CSV or zip, and its klines, JSON", _recognises, _read
)
