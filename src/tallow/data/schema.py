"""The candle frame's columns, and the names that people give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.core.limits import COLUMN_NAMES_KNOWN

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

NUMBERS = ("open", "high", "low", "close", "volume")
OPEN_INTEREST = "open_interest"

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
not show it. It holds no field, and goes to the quarantine with a row that is set aside."""

COLUMNS_SHOWN = 40
"""Most column names that an error prints."""


@dataclass(frozen=True)
class Layout:
    """Which column of an input holds which field.

    `time_columns` has two names where a date and a time of day stand apart; `instrument` is None
    where the input has no such column.
    """

    instrument: str | None
    time_columns: tuple[str, ...]
    numbers: Mapping[str, str]
    ignored: tuple[str, ...]


@lru_cache(maxsize=COLUMN_NAMES_KNOWN)
def plain_name(column: str) -> str:
    r"""Return a column's name without case, spaces, underscores, quotes and byte-order mark.

    Examples
    --------
    >>> plain_name('\ufeff"Open Interest"')
    'openinterest'
    """
    kept = (letter for letter in column.casefold() if letter not in "\ufeff\"'_" and letter.strip())
    return "".join(kept)


def find_column(field: str, columns: Sequence[str]) -> str | None:
    """Return the column that holds a field: the best alias wins, then the leftmost column."""
    plain = [plain_name(column) for column in columns]
    for alias in ALIASES[field]:
        if plain_name(alias) in plain:
            return columns[plain.index(plain_name(alias))]
    return None


SEQUENCE = ("sequence", "sequence_number", "seq")
"""Names of a number that rises by one with each row of an instrument."""


def find_sequence(columns: Sequence[str]) -> str | None:
    """Return the column that numbers the rows, by the best of its names."""
    by_name = {plain_name(column): column for column in reversed(columns)}
    return next((by_name[name] for name in map(plain_name, SEQUENCE) if name in by_name), None)


def resolve_layout(schema: Mapping[str, pl.DataType], where: str, instrument: str | None) -> Layout:
    """Find the columns of an input.

    Parameters
    ----------
    schema
        The input's columns and their types.
    where
        What the input is called in an error.
    instrument
        The key of an input without an instrument column, if the caller gave one.

    Raises
    ------
    CandleInputError
        If a field is missing, or a column's type cannot hold it.
    """
    columns = list(schema)
    found = {field: find_column(field, columns) for field in ALIASES}
    optional = {OPEN_INTEREST} | ({"instrument"} if instrument is not None else set())
    missing = [name for name, column in found.items() if column is None and name not in optional]
    if missing:
        raise CandleInputError(_missing_message(where, columns, missing))
    numbers = {name: found[name] for name in (*NUMBERS, OPEN_INTEREST)}
    held = {name: column for name, column in numbers.items() if column is not None}
    for column in held.values():
        _require_number(where, column, schema[column])
    _require_key(where, found["instrument"], schema)
    times = time_columns(schema, str(found["timestamp"]))
    used = {found["instrument"], *times, *held.values(), ORIGINAL}
    ignored = tuple(column for column in columns if column not in used)
    return Layout(found["instrument"], times, held, ignored)


def time_columns(schema: Mapping[str, pl.DataType], best: str) -> tuple[str, ...]:
    """Pair a date with a time of day, where nothing better than these two is there."""
    by_name = {plain_name(column): column for column in reversed(list(schema))}
    if plain_name(best) != "time" or "date" not in by_name:
        return (best,)
    date = by_name["date"]
    apart = schema[date] in (pl.String, pl.Date) and schema[best] in (pl.String, pl.Time)
    return (date, best) if apart else (best,)


def _require_number(where: str, column: str, dtype: pl.DataType) -> None:
    text = isinstance(dtype, pl.String | pl.Categorical | pl.Enum | pl.Null)
    if not (text or dtype.is_numeric()):
        raise CandleInputError(
            f"{where}: column {column!r} is {dtype}; prices and volumes must be numbers, or text "
            "that holds plain numbers; cast the column, or rename it if it is something else"
        )


def _require_key(where: str, column: str | None, schema: Mapping[str, pl.DataType]) -> None:
    if column is not None and (schema[column].is_nested() or schema[column] == pl.Object):
        raise CandleInputError(
            f"{where}: column {column!r} is {schema[column]}; an instrument must be text or a "
            "whole number; cast the column"
        )


def _missing_message(where: str, columns: Sequence[str], missing: Sequence[str]) -> str:
    shown = ", ".join(repr(column[:COLUMNS_SHOWN]) for column in columns[:COLUMNS_SHOWN])
    more = f" and {len(columns) - COLUMNS_SHOWN} more" if len(columns) > COLUMNS_SHOWN else ""
    return (
        f"{where}: columns found: {shown or 'none'}{more}; missing: {', '.join(missing)}; "
        f"{_missing_hint(columns, missing)}"
    )


def _missing_hint(columns: Sequence[str], missing: Sequence[str]) -> str:
    if len(columns) == 1 and any(mark in columns[0] for mark in ";\t|"):
        return "cells must be separated by commas (.csv) or tabs (.tsv)"
    if columns and sum(_is_number(column) for column in columns) * 2 >= len(columns):
        return "the first line looks like data: add a header line with the column names"
    if list(missing) == ["instrument"]:
        return 'pass instrument="..." if all rows belong to one instrument'
    names = "; ".join(f"{field}: {', '.join(ALIASES[field])}" for field in missing)
    return f"rename the columns to one of these ({names})"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
