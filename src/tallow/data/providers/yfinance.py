"""What yfinance returns: frames of `download` and of `Ticker.history`, in any container.

Columns are Open, High, Low, Close, Volume, of one ticker or, on a second level, of several. A wide
frame has a row for every date that any ticker has: where a ticker has no value at all, it has no
row. Auction bars of zero volume are rows like others. Rows are numbered ticker after ticker.

**Adjustment.** With an ``Adj Close`` column the prices are Yahoo's own, adjusted for splits: it
says ``split``. Without, they may be adjusted for dividends too, or not: it says nothing. The
timeframe is never said. The dates of `download` have no zone; all other times have one.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.data.providers.cells import Row, csv_lines, csv_rows, frame_of, frame_source, table
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader, Reading
from tallow.data.reading.interchange import from_native

FIELDS = ("Open", "High", "Low", "Close", "Volume")
ADJUSTED = "Adj Close"
TIMES = ("Date", "Datetime")
LEVELS = ("Price", "Ticker")

# What distinguishes a saved frame from any other table of daily prices.
_SIGNS = ({ADJUSTED}, {"Dividends", "Stock Splits"})


def _recognises(content: Content) -> bool:
    if _levels(content.columns):
        return True
    if content.frame is not None:
        return _is_pandas(content.frame) and _has_shape(content.frame)
    first = content.columns[:1]
    if first and first[0] in TIMES and _second_line(content).startswith(","):
        return set(content.columns[1:]) >= set(FIELDS)
    if first and first[0] in LEVELS:
        # A table may have a column Ticker, too: the other level stands below.
        other = LEVELS[1 - LEVELS.index(first[0])]
        return _second_line(content).startswith(f"{other},")
    signs = any(set(content.columns) >= sign for sign in _SIGNS)
    return bool(first) and first[0] in TIMES and set(content.columns) >= set(FIELDS) and signs


def _second_line(content: Content) -> str:
    return "".join(content.head.split("\n", 2)[1:2])


def _read(content: Content) -> Reading:
    if levels := _levels(content.columns):
        frame, native = frame_of(content)
        return _reading(content, _from_levels(frame, levels), native)
    if content.frame is None:
        return _reading(content, _from_csv(content), "polars")
    if not (_is_pandas(content.frame) and _has_shape(content.frame)):
        raise CandleInputError(
            f"{content.name}: must be a pandas frame with a DatetimeIndex and columns "
            f"{', '.join(FIELDS)}; say what it is with format="
        )
    return _reading(content, from_native(content.frame)[0], "pandas")


def _reading(content: Content, rows: pl.DataFrame, native: str) -> Reading:
    adjustment = "split" if ADJUSTED in rows.columns else None
    return Reading(frame_source(content.name, rows), adjustment=adjustment, native=native)


def _is_pandas(frame: object) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(frame, pandas.DataFrame)


def _has_shape(frame: Any) -> bool:
    columns = frame.columns
    named = columns.nlevels == 1 and set(columns) >= set(FIELDS)
    return named and frame.index.dtype.kind == "M"


def _levels(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return the ticker and the field of each column of two levels, as ``('Close', 'MSFT')``.

    So pandas writes such columns where a container has one level: Parquet, Arrow, other libraries.
    """
    pairs = {name: pair for name in names if (pair := _pair(name)) is not None}
    for field in (0, 1):
        if {pair[field] for pair in pairs.values()} >= set(FIELDS):
            return {name: (pair[1 - field], pair[field]) for name, pair in pairs.items()}
    return {}


def _pair(name: str) -> tuple[str, str] | None:
    if not name.startswith("("):
        return None
    try:
        pair = ast.literal_eval(name)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    both = isinstance(pair, tuple) and len(pair) == len(LEVELS)
    return pair if both and all(isinstance(part, str) for part in pair) else None


def _from_levels(frame: pl.DataFrame, levels: Mapping[str, tuple[str, str]]) -> pl.DataFrame:
    """Return a row per ticker and time, ticker after ticker."""
    fields = {name: pair for name, pair in levels.items() if "" not in pair}
    # An index that became a column has one level, and that is empty on the other.
    index = {
        name: "".join(levels.get(name, (name,))) for name in frame.columns if name not in fields
    }
    parts = []
    for ticker in dict.fromkeys(ticker for ticker, _ in fields.values()):
        held = {name: field for name, (held, field) in fields.items() if held == ticker}
        rows = frame.select(*index, *held).rename(index | held)
        parts.append(rows.filter(_has_value(rows)).with_columns(pl.lit(ticker).alias(LEVELS[1])))
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
    if len(lines) > 1 and lines[0][0] in TIMES and not lines[1][0]:
        # The index was made a column before the frame was saved.
        lines = [["Price", *lines[0][1:]], ["Ticker", *lines[1][1:]], *lines[2:]]
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


READER = Reader("yfinance", "yfinance frames, in pandas, CSV, Parquet, Arrow", _recognises, _read)
