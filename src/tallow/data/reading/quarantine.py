"""Quarantined rows: where they stood, which rule they broke, and their original text."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from tallow.data.reading.rules import RULES
from tallow.data.reading.schema import ORIGINAL, TIME_TYPE

QUARANTINE_SCHEMA: dict[str, pl.DataType] = {
    "source": pl.String(),
    "row": pl.UInt64(),
    "rule": pl.String(),
    "instrument": pl.String(),
    "timestamp": TIME_TYPE,
    "record": pl.String(),
}
"""Columns of the quarantine, in order; `row` counts a source's data rows from 1."""


_EMPTY = pl.DataFrame(schema=QUARANTINE_SCHEMA)


def empty_quarantine() -> pl.DataFrame:
    """Return a quarantine without rows."""
    # A clone: making one takes a hundred times as long, and every live update has one.
    return _EMPTY.clone()


def as_quarantine(frame: pl.DataFrame, source: str) -> pl.DataFrame:
    """Return a quarantine from a frame that has all its columns but `source`, in any order."""
    named = frame.with_columns(source=pl.lit(source, dtype=pl.String))
    return named.select(pl.col(name).cast(dtype) for name, dtype in QUARANTINE_SCHEMA.items())


def records(rows: pl.DataFrame) -> pl.Series:
    """Return each row as JSON text, with the input's own column names and values.

    JSON has no NaN, no infinities and no bytes: the first two are written as text, bytes in
    hexadecimal. A row that brings its `ORIGINAL` is that.

    Examples
    --------
    >>> records(pl.DataFrame({"o": [float("nan")], "Symbol": ["A"]})).to_list()
    ['{"o":"NaN","Symbol":"A"}']
    """
    if ORIGINAL in rows.columns:
        others = records(rows.drop(ORIGINAL))
        return rows.select(pl.coalesce(ORIGINAL, others).alias("record")).to_series()
    # Polars has no expressions for objects; they come from other libraries' frames, and rarely.
    texts = {
        name: [None if value is None else str(value) for value in rows[name]]
        for name, dtype in rows.schema.items()
        if dtype == pl.Object
    }
    rows = rows.with_columns(pl.Series(name, values, pl.String) for name, values in texts.items())
    fields = [_field(name, dtype) for name, dtype in rows.schema.items()]
    line = pl.concat_str(pl.lit("{"), pl.concat_str(fields, separator=","), pl.lit("}"))
    return rows.select(line.alias("record")).to_series()


def count_by_rule(quarantine: pl.DataFrame) -> dict[str, int]:
    """Return how many rows broke each rule, without the zeros.

    In the order of the rules; after them those of live updates and feeds, by name. A quarantine as
    a store keeps it says how often a row came.
    """
    if not len(quarantine):
        return {}
    often = pl.col("times").fill_null(1).sum() if "times" in quarantine.columns else pl.len()
    counted = dict(quarantine.group_by("rule").agg(often).sort("rule").iter_rows())
    known = [rule.name for rule in RULES if rule.name in counted]
    return {name: counted[name] for name in dict.fromkeys([*known, *counted])}


def count_rows(quarantine: pl.DataFrame) -> int:
    """Return how many rows a quarantine stands for: the same of a feed's rows is in it once."""
    return (
        int(quarantine["times"].fill_null(1).sum())
        if "times" in quarantine.columns
        else len(quarantine)
    )


def gather(parts: Iterable[tuple[int, pl.DataFrame]]) -> pl.DataFrame:
    """Join quarantines, each with its source's place in the input, in that order and by row."""
    placed = [part.with_columns(_place=pl.lit(place)) for place, part in parts if len(part)]
    if not placed:
        return empty_quarantine()
    return pl.concat(placed).sort("_place", "row").drop("_place")


def _field(name: str, dtype: pl.DataType) -> pl.Expr:
    """Return ``"name":value`` as JSON, without the braces."""
    value = pl.col(name)
    if dtype.is_float():
        plain = value.is_finite() | value.is_null()
        return (
            pl.when(plain)
            .then(_encode(name, value))
            .otherwise(_encode(name, value.cast(pl.String)))
        )
    if dtype == pl.Binary:
        value = value.bin.encode("hex")
    return _encode(name, value)


def _encode(name: str, value: pl.Expr) -> pl.Expr:
    # A struct of one field per column, because one struct for the whole row could not hold a number
    # in one row and the text "NaN" in the next.
    braced = pl.struct(value.alias(name)).struct.json_encode()
    return braced.str.head(-1).str.tail(-1)
