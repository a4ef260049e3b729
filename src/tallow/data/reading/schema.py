"""The candle frame's columns, and the names that people give them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl

from tallow.core.arrays import Times
from tallow.core.errors import CandleInputError, TallowError
from tallow.core.limits import COLUMN_NAMES_KNOWN
from tallow.data.reading.shape import Shape
from tallow.data.reading.shapes import table_shape

TIME_TYPE = pl.Datetime("us", "UTC")

CANDLE_SCHEMA: dict[str, pl.DataType] = {
    "instrument": pl.String(),
    "timestamp": TIME_TYPE,
    "open": pl.Float64(),
    "high": pl.Float64(),
    "low": pl.Float64(),
    "close": pl.Float64(),
    "volume": pl.Float64(),
}
"""Columns of every candle frame, in order. `open_interest` (float64, nullable) may follow."""

CANDLE_KEY = ("instrument", "timestamp")
PRICES = ("open", "high", "low", "close")
NUMBERS = (*PRICES, "volume")
OPEN_INTEREST = "open_interest"
CANDLE_COLUMNS = (*CANDLE_SCHEMA, OPEN_INTEREST)

SYMBOL_SCHEMA = {"instrument": pl.String(), "symbol": pl.String()}
"""A key, and the symbol that its rows say beside it."""

_SYMBOLS = ("symbol", "tradingsymbol", "ticker")

ISO_TIME = "%Y-%m-%dT%H:%M:%S%.f%:z"
"""How Polars writes a time as ISO-8601 text, with its offset."""

ALIASES: dict[str, tuple[str, ...]] = {
    "instrument": ("instrument", "instrument_key", "symbol", "ticker"),
    "timestamp": ("timestamp", "ts", "datetime", "date_time", "open_time", "time", "date"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "v", "vol"),
    OPEN_INTEREST: ("open_interest", "oi"),
}
"""Names understood for each field, best first."""

ORIGINAL = "__original__"
"""A raw column that a provider's reader may add: the row's own text, where the columns beside it do
not show it. It holds no field, and goes to the quarantine with a row that is quarantined."""

FRAME = "frame"
"""What stands for the name of a frame, which says nothing more."""

COLUMNS_SHOWN = 40
"""Most column names that an error prints."""


@dataclass(frozen=True)
class Layout:
    """Which column of an input holds which field.

    `time_columns` has two names where a date and a time of day stand apart; `instrument` is None
    where the input has no such column, and `numbers` has no volume where the caller or the shape
    says so. `shape` is found by its columns. `symbol` is the column of trading symbols, beside one
    of keys.
    """

    instrument: str | None
    time_columns: tuple[str, ...]
    numbers: Mapping[str, str]
    ignored: tuple[str, ...]
    shape: Shape | None = None
    symbol: str | None = None


_MARKS = "\ufeff\"'_<>/.-"


@lru_cache(maxsize=COLUMN_NAMES_KNOWN)
def plain_name(column: str) -> str:
    r"""Return a column's name without case, spaces, marks such as ``_ < > / .``, and quotes.

    Examples
    --------
    >>> plain_name('\ufeff"Open Interest"')
    'openinterest'
    >>> plain_name("<Date/Time>")
    'datetime'
    """
    kept = (letter for letter in column.casefold() if letter not in _MARKS and letter.strip())
    return "".join(kept)


def find_column(field: str, columns: Sequence[str]) -> str | None:
    """Return the column that holds a field: the best alias, spelled exactly, then the leftmost."""
    return find_name(ALIASES[field], columns)


def find_name(aliases: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the name that is the best of some aliases; as they are spelled where two are."""
    for alias in aliases:
        same = [name for name in names if plain_name(name) == plain_name(alias)]
        if same:
            return alias if alias in same else same[0]
    return None


def rival_names(aliases: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return ambiguous names; none where one of them is the best.

    The first alias wins over the others, and a name spelled as an alias over one that is not.
    """
    fitting = [name for name in names if plain_name(name) in set(map(plain_name, aliases))]
    own = [name for name in fitting if plain_name(name) == plain_name(aliases[0])]
    exact = [name for name in fitting if name in aliases]
    best = next(filter(None, ([name for name in own if name in aliases], own, exact, fitting)), [])
    return best if len(best) > 1 else []


def rival_columns(field: str, columns: Sequence[str]) -> list[str]:
    """Return columns that may all hold the same field.

    A time and an instrument may be in several columns, each in its way: there, only columns of
    one name are rivals.
    """
    aliases: Sequence[str] = ALIASES[field]
    if field in ("instrument", "timestamp"):
        best = find_column(field, columns)
        aliases = [alias for alias in aliases if best and plain_name(alias) == plain_name(best)]
    return rival_names(aliases, columns) if aliases else []


SEQUENCE = ("sequence", "sequence_number", "seq")
"""Names of a number that rises by one with each row of an instrument."""


def find_sequence(columns: Sequence[str]) -> str | None:
    """Return the column that numbers the rows, by the best of its names."""
    return find_name(SEQUENCE, columns)


def resolve_layout(
    schema: Mapping[str, pl.DataType],
    where: str,
    instrument: str | None,
    no_volume: bool = False,
) -> Layout:
    """Find the columns of an input, called `where` in an error.

    `schema` has its columns and their types; `instrument` is the key of an input without an
    instrument column, if the caller gave one; with `no_volume` every candle's is 0.
    `CandleInputError` if a field is missing or stands in two columns, or a column's type cannot
    hold it.
    """
    columns = list(schema)
    shape = table_shape(tuple(columns))
    found = {field: _column(field, columns, shape, where) for field in ALIASES}
    optional = {OPEN_INTEREST} | ({"instrument"} if instrument is not None else set())
    if no_volume:
        _require_no_volume(where, found["volume"])
    if no_volume or (shape is not None and shape.without_volume):
        optional.add("volume")
    missing = [name for name, column in found.items() if column is None and name not in optional]
    if missing:
        raise CandleInputError(_missing_message(where, columns, missing))
    numbers = {name: found[name] for name in (*NUMBERS, OPEN_INTEREST)}
    present = {name: column for name, column in numbers.items() if column is not None}
    for column in present.values():
        _require_number(where, column, schema[column])
    _require_key(where, found["instrument"], schema)
    times = time_columns(schema, str(found["timestamp"]))
    used = {found["instrument"], *times, *present.values(), ORIGINAL}
    symbol = _symbol_column(schema, found["instrument"])
    ignored = tuple(column for column in columns if column not in used | {symbol})
    return Layout(found["instrument"], times, present, ignored, shape, symbol)


def _symbol_column(schema: Mapping[str, pl.DataType], instrument: str | None) -> str | None:
    """Return the column of symbols beside that of keys."""
    by_name = {plain_name(name): name for name, kind in schema.items() if kind == pl.String}
    found = next((by_name[name] for name in _SYMBOLS if name in by_name), None)
    return None if instrument is None or found == instrument else found


def _column(field: str, columns: Sequence[str], shape: Shape | None, where: str) -> str | None:
    """Return the column that holds a field: the one that the shape names, or the best by name."""
    named = None if shape is None else shape.column(field, columns)
    found = named or find_column(field, columns)
    again = [column for column in columns if _is_again(column, found)]
    doubtful = [str(found), *again] if again else [] if named else rival_columns(field, columns)
    if doubtful:
        shown = ", ".join(repr(column[:COLUMNS_SHOWN]) for column in doubtful[:COLUMNS_SHOWN])
        raise CandleInputError(
            f"{where}: columns {shown} all fit {field}; one must; rename the right one {field!r}"
        )
    return found


def require_apart(
    columns: Sequence[str],
    used: Iterable[str | None],
    what: str,
    error: type[TallowError] = CandleInputError,
) -> None:
    """Raise `error` where a column that is read had one name with another; `what` is read."""
    for name in used:
        again = next((column for column in columns if _is_again(column, name)), None)
        if again is not None:
            raise error(
                f"{what}: columns {name!r}, {again!r} had one name; each must have its own; leave "
                "out the wrong one"
            )


def _is_again(column: str, name: str | None) -> bool:
    """Say whether a column had a name that another one has, before it was told apart from it."""
    first, mark, place = column.rpartition("_duplicated_")
    return bool(mark) and first == name and place.isdecimal()


def _require_no_volume(where: str, column: str | None) -> None:
    if column is not None:
        raise CandleInputError(
            f"{where}: no_volume=True, but column {column!r} holds volumes; leave out no_volume=, "
            "or the column"
        )


def time_columns(schema: Mapping[str, pl.DataType], best: str) -> tuple[str, ...]:
    """Pair a date with a time of day, where nothing better than these two is there."""
    by_name = {plain_name(column): column for column in reversed(list(schema))}
    if plain_name(best) != "time" or "date" not in by_name:
        return (best,)
    date = by_name["date"]
    # A date as a number, 20250718; a time that is a whole instant is taken alone all the same.
    is_date = schema[date] in (pl.String, pl.Date) or schema[date].is_integer()
    apart = is_date and (schema[best] in (pl.String, pl.Time) or schema[best].is_integer())
    return (date, best) if apart else (best,)


def _require_number(where: str, column: str, dtype: pl.DataType) -> None:
    text = isinstance(dtype, pl.String | pl.Categorical | pl.Enum | pl.Null)
    if not (text or dtype.is_numeric()):
        raise CandleInputError(
            f"{where}: column {column!r} is {dtype}; prices and volumes must be numbers, or text "
            "that holds plain numbers; cast the column, or rename it if it is something else"
        )


def _require_key(where: str, column: str | None, schema: Mapping[str, pl.DataType]) -> None:
    if column is None:
        return
    if schema[column].is_nested() or schema[column] in (pl.Object, pl.Boolean):
        raise CandleInputError(
            f"{where}: column {column!r} is {schema[column]}; an instrument must be text or a "
            "whole number; cast the column"
        )


def _missing_message(where: str, columns: Sequence[str], missing: Sequence[str]) -> str:
    columns = [column for column in columns if column != ORIGINAL]
    shown = ", ".join(repr(column[:COLUMNS_SHOWN]) for column in columns[:COLUMNS_SHOWN])
    more = f" and {len(columns) - COLUMNS_SHOWN} more" if len(columns) > COLUMNS_SHOWN else ""
    return (
        f"{where}: columns found: {shown or 'none'}{more}; missing: {', '.join(missing)}; "
        f"{_missing_hint(where, columns, missing)}"
    )


def _missing_hint(where: str, columns: Sequence[str], missing: Sequence[str]) -> str:
    if len(columns) == 1 and any(mark in columns[0] for mark in ";\t|"):
        return "cells must be separated by commas or tabs"
    if columns and sum(_is_number(column) for column in columns) * 2 >= len(columns):
        return "the first line looks like data: add a header line with the column names"
    if not {"instrument", "volume"}.issuperset(missing):
        return _rename(missing)
    hints = []
    if "instrument" in missing:
        hints.append('pass instrument_key="..." if all rows belong to one instrument')
        if where != FRAME:
            pattern = example_pattern(where)
            hints[0] += f", or pass pattern='{pattern}', if file names have them"
    if "volume" in missing:
        hints.append(f"pass no_volume=True if there is none, or {_rename(['volume'])}")
    return "; ".join(hints)


def example_pattern(name: str) -> str:
    """Return a pattern that fits the whole name of a file, for a hint.

    Examples
    --------
    >>> example_pattern("days/RAYMOND.csv.gz")
    '(?P<instrument>.+)[.]csv[.]gz'
    """
    path = Path(name)
    packed = path.suffix.lower() in (".gz", ".zst")
    ending = "".join(path.suffixes[-2:]) if packed else path.suffix
    return "(?P<instrument>.+)" + re.escape(ending).replace("\\.", "[.]")


def _rename(missing: Sequence[str]) -> str:
    names = "; ".join(f"{field}: {', '.join(ALIASES[field])}" for field in missing)
    return f"rename the columns to one of these ({names})"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def time_view(frame: pl.DataFrame, name: str = "timestamp") -> Times:
    """Return a column of times as ``int64`` microseconds, ``(rows,)``; a view of one chunk."""
    return frame[name].to_numpy().view(np.int64)
