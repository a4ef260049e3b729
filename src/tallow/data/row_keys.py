"""Instrument keys as columns have them: text, or numbers that stand for it."""

from __future__ import annotations

import polars as pl

_WHOLE_MAX = 2.0**53


def key_text(column: pl.Series) -> pl.Series:
    """Return keys as text; a code that became a float, 500325.0, is its integer's text.

    Null where it is no key: NaN, a fraction, or a number too large for a float to hold whole.
    """
    if not column.dtype.is_float():
        return column.cast(pl.String)
    value = pl.col(column.name)
    whole = value.is_finite() & (value == value.floor()) & (value.abs() < _WHOLE_MAX)
    code = pl.when(whole).then(value).cast(pl.Int64).cast(pl.String)
    return column.cast(pl.Float64).to_frame().select(code).to_series()
