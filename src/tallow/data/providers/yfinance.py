"""What yfinance returns: pandas frames of `download` and of `Ticker.history`, or these as CSV.

Columns are Open, High, Low, Close, Volume, of one ticker or, on a second level, of several. A wide
frame has a row for every date that any ticker has: where a ticker has no value at all, it has no
row. Auction bars of zero volume are rows like others. Rows are numbered ticker after ticker.

**Adjustment.** With an ``Adj Close`` column the prices are Yahoo's own, adjusted for splits: it
says ``split``. Without, they may be adjusted for dividends too, or not: it says nothing. The
timeframe is never said. The dates of `download` have no zone; all other times have one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.data.interchange import from_native
from tallow.data.providers.cells import Row, csv_lines, csv_rows, frame_source, table
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader, Reading

FIELDS = ("Open", "High", "Low", "Close", "Volume")
ADJUSTED = "Adj Close"
TIMES = ("Date", "Datetime")
LEVELS = ("Price", "Ticker")

# What tells a saved frame from any other table of daily prices.
_SIGNS = ({ADJUSTED}, {"Dividends", "Stock Splits"})


def _recognises(content: Content) -> bool:
    if content.frame is not None:
        return _is_pandas(content.frame) and _has_shape(content.frame)
    first = content.columns[:1]
    if first and first[0] in LEVELS:
        return set(content.columns[1:]) >= set(FIELDS) or _second_line(content).startswith(LEVELS)
    signs = any(set(content.columns) >= sign for sign in _SIGNS)
    return bool(first) and first[0] in TIMES and set(content.columns) >= set(FIELDS) and signs


def _second_line(content: Content) -> str:
    return "".join(content.head.split("\n", 2)[1:2])


def _read(content: Content) -> Reading:
    if content.frame is None:
        return _reading(content, _from_csv(content), "polars")
    if not (_is_pandas(content.frame) and _has_shape(content.frame)):
        raise CandleInputError(
            f"{content.name}: must be a pandas frame with a DatetimeIndex and columns "
            f"{', '.join(FIELDS)}; name its format"
        )
    return _reading(content, _from_pandas(content.frame), "pandas")


def _reading(content: Content, rows: pl.DataFrame, native: str) -> Reading:
    adjustment = "split" if ADJUSTED in rows.columns else None
    return Reading(frame_source(content.name, rows), adjustment=adjustment, native=native)


def _is_pandas(frame: object) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(frame, pandas.DataFrame)


def _has_shape(frame: Any) -> bool:
    columns = frame.columns
    names = set(columns) if columns.nlevels == 1 else set().union(*map(set, columns))
    return columns.nlevels <= len(LEVELS) and names >= set(FIELDS) and frame.index.dtype.kind == "M"


def _from_pandas(frame: Any) -> pl.DataFrame:
    if frame.columns.nlevels == 1:
        return from_native(frame)[0]
    # Which level holds the tickers depends on `group_by`.
    level = 1 if set(frame.columns.get_level_values(0)) >= set(FIELDS) else 0
    parts = []
    for ticker in frame.columns.get_level_values(level).unique():
        rows = from_native(frame.xs(ticker, axis=1, level=level))[0]
        named = pl.lit(str(ticker)).alias(LEVELS[1])
        parts.append(rows.filter(_has_value(rows)).with_columns(named))
    return pl.concat(parts, how="diagonal_relaxed")


def _has_value(rows: pl.DataFrame) -> pl.Expr:
    held = [name for name in (*FIELDS, ADJUSTED) if name in rows.columns]
    plain = [
        pl.col(name).fill_nan(None) if rows[name].dtype.is_float() else pl.col(name)
        for name in held
    ]
    return pl.any_horizontal(pl.lit(False), *(column.is_not_null() for column in plain))


def _from_csv(content: Content) -> pl.DataFrame:
    lines = csv_lines(content)
    if not lines or lines[0][0] not in LEVELS:
        header = lines[0] if lines else []
        return table(content.name, header, csv_rows(lines[1:], len(header)))
    if len(lines) < len(LEVELS) or {lines[0][0], lines[1][0]} != set(LEVELS):
        raise CandleInputError(
            f"{content.name}: lines must begin with Price and Ticker, and go on with a date each; "
            "save the frame again with to_csv()"
        )
    levels = {line[0]: line[1:] for line in lines[: len(LEVELS)]}
    pairs = list(zip(levels["Ticker"], levels["Price"], strict=False))
    if len(set(pairs)) < len(pairs):
        raise CandleInputError(f"{content.name}: a ticker's column comes twice; save it again")
    rest = lines[len(LEVELS) :]
    # The index's name stands in a line of its own.
    named = bool(rest) and rest[0][0] in TIMES and not any(rest[0][1:])
    fields = list(dict.fromkeys(field for _, field in pairs))
    return table(
        content.name,
        [rest[0][0] if named else TIMES[0], LEVELS[1], *fields],
        _long_rows(rest[named:], pairs, fields),
    )


def _long_rows(
    lines: list[list[str]], pairs: list[tuple[str, str]], fields: list[str]
) -> Iterator[Row]:
    """Yield a row per ticker and line, ticker after ticker; then the lines of a wrong width."""
    width = 1 + len(pairs)
    whole = [line for line in lines if len(line) == width]
    for ticker in dict.fromkeys(ticker for ticker, _ in pairs):
        at = {field: place for place, (held, field) in enumerate(pairs, 1) if held == ticker}
        for line in whole:
            cells = [line[at[field]] if field in at else "" for field in fields]
            if any(cells):
                yield Row([cell or None for cell in (line[0], ticker, *cells)])
    yield from csv_rows((line for line in lines if len(line) != width), width)


READER = Reader("yfinance", "yfinance frames, and such frames saved as CSV", _recognises, _read)
