"""Instrument keys as columns have them: text, or numbers that stand for it."""

from __future__ import annotations

import polars as pl

from tallow.core.errors import CandleInputError, excerpt
from tallow.data.reading.interchange import from_native
from tallow.data.reading.schema import find_column, require_apart
from tallow.data.reading.times import to_utc

WHOLE_MAX = 2.0**53


def key_text(column: pl.Series) -> pl.Series:
    """Return keys as text; a code that became a float, 500325.0, is its integer's text.

    Null where it is not a key: NaN, a fraction, or a number too large for a float to hold whole.
    """
    if not column.dtype.is_float():
        return column.cast(pl.String)
    value = pl.col(column.name)
    whole = value.is_finite() & (value == value.floor()) & (value.abs() < WHOLE_MAX)
    code = pl.when(whole).then(value).cast(pl.Int64).cast(pl.String)
    return column.cast(pl.Float64).to_frame().select(code).to_series()


def candle_keys(keys: object, what: str) -> pl.DataFrame:
    """Return keys of candles, given as a frame, as `instrument` and `timestamp`, in their order.

    `what` is what they are for, as it begins the message of an error. `CandleInputError` if it is
    no frame, a column is missing, or a row has no name or no time. `NaiveTimeError` if times carry
    no zone.
    """
    frame, _ = from_native(keys)
    instrument, timestamp = (find_column(n, frame.columns) for n in ("instrument", "timestamp"))
    if instrument is None or timestamp is None:
        raise CandleInputError(
            f"{what}: columns={', '.join(frame.columns)}; must be instrument and timestamp; rename "
            "or add them"
        )
    require_apart(frame.columns, (instrument, timestamp), what)
    try:
        names = key_text(frame[instrument])
    except pl.exceptions.PolarsError as error:
        raise CandleInputError(
            f"{what}: column {instrument!r} is {frame[instrument].dtype}; must be text; cast it"
        ) from error
    times = to_utc(frame[timestamp], None, what)
    for column, given in ((names, instrument), (times, timestamp)):
        for row in column.is_null().arg_true().head(1):
            raise CandleInputError(
                f"{what}: row={row + 1}, {given}={excerpt(frame[given][row])}; every key has a "
                "name and a time; correct it, or leave the row out"
            )
    return pl.DataFrame([names.alias("instrument"), times.alias("timestamp")])
