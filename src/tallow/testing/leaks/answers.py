"""What a function answers: rows by instrument and time, and where two answers differ."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl

from tallow.core.arrays import Flags
from tallow.core.errors import LeakCheckError, TallowError
from tallow.core.text import counted
from tallow.data.reading.interchange import from_native
from tallow.data.reading.schema import TIME_TYPE
from tallow.testing.bits import differing_bits

KEYS: Final = ("instrument", "timestamp")
FINAL: Final = "is_final"


def read_answer(answer: Any, given: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of an answer, sorted by instrument and time, and each of them once.

    Parameters
    ----------
    answer
        A frame of any library, or a result with a `frame`. Without times it has a row for each of
        the rows that were given, in their order; without instruments, those of the only one.
    given
        The rows that were given: `instrument`, `timestamp` and others.

    Raises
    ------
    LeakCheckError
        If it is no frame, or its rows cannot be told apart by instrument and time.
    """
    try:
        frame, _ = from_native(getattr(answer, "frame", answer))
    except TallowError as error:
        raise LeakCheckError(
            f"leak check: the answer is {type(answer).__name__}; must be a frame of Polars, pandas "
            "or Arrow: a row for each bar, with instrument and timestamp"
        ) from error
    if "timestamp" not in frame.columns:
        frame = _beside(frame, given)
    elif "instrument" not in frame.columns:
        frame = _of_the_only_one(frame, given)
    times = frame["timestamp"]
    if times.dtype.base_type() not in (pl.Datetime, pl.Date) or times.null_count():
        raise LeakCheckError(
            f"leak check: timestamp is {times.dtype}; must be the bar's open in each row, a "
            "datetime in UTC; take it from the candles"
        )
    if [frame[name].dtype for name in KEYS] != [pl.String, TIME_TYPE]:
        casts = (pl.col("instrument").cast(pl.String), pl.col("timestamp").cast(TIME_TYPE))
        frame = frame.with_columns(*casts)
    if not _is_in_order(frame):
        frame = frame.sort(KEYS)
        _require_unique(frame)
    return frame


def _beside(frame: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    if len(frame) != len(given):
        raise LeakCheckError(
            f"leak check: the answer has {counted(len(frame), 'row')} without a timestamp, "
            "of "
            f"{len(given):,} that were given; must have a row for each, or say instrument and "
            "timestamp"
        )
    others = [name for name in frame.columns if name not in KEYS]
    return given.select(KEYS).hstack(frame.select(others))


def _of_the_only_one(frame: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    names = given["instrument"].unique()
    if len(names) > 1:
        raise LeakCheckError(
            f"leak check: the answer has no column instrument; {len(names):,} were given; say in "
            "each row whose it is"
        )
    return frame.with_columns(pl.lit(names[0] if len(names) else "").alias("instrument"))


def _is_in_order(frame: pl.DataFrame) -> bool:
    """Say whether rows come by instrument, then time, each pair once: so they mostly do."""
    names, times = frame["instrument"], frame["timestamp"].to_numpy()
    same = (names[1:] == names[:-1]).to_numpy()
    return names.is_sorted() and bool((~same | (times[1:] > times[:-1])).all())


def _require_unique(frame: pl.DataFrame) -> None:
    repeated = frame.select(KEYS).is_duplicated()
    if repeated.any():
        name, time = frame.filter(repeated).select(KEYS).row(0)
        raise LeakCheckError(
            f"leak check: the answer has {name} at {time.isoformat()} more than once; must have "
            "one row for each instrument and time"
        )


def differing(before: pl.Series, after: pl.Series) -> Flags:
    """Say where two columns differ: numbers by their bits; what is missing equals itself."""
    if before.dtype != after.dtype:
        before, after = _of_one_type(before, after)
    if before.dtype.is_float():
        return differing_bits(before.to_numpy(), after.to_numpy())
    if before.dtype.is_nested() or before.dtype == pl.Object:
        texts = (
            pl.Series([str(each) for each in column], dtype=pl.String) for column in (before, after)
        )
        return differing(*texts)
    return before.ne_missing(after).to_numpy()


def _of_one_type(one: pl.Series, other: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return columns in a type that both fit: of few rows, types are guessed otherwise."""
    numeric = all(each.dtype.is_numeric() or each.dtype == pl.Null for each in (one, other))
    kind = pl.Float64() if numeric else pl.String()
    return one.cast(kind, strict=False), other.cast(kind, strict=False)


def has_value(column: pl.Series) -> Flags:
    """Say in which rows a column has a value: null and NaN are none."""
    if column.dtype.is_float():
        there: Flags = ~np.isnan(column.to_numpy())
        return there
    return column.is_not_null().to_numpy()


def relative_change(before: pl.Series, after: pl.Series, where: Flags) -> float:
    """Return the largest change by the larger value's size; infinite if a value came or went."""
    if not (before.dtype.is_numeric() and after.dtype.is_numeric()):
        return float("inf")
    one, other = (each.filter(where).cast(pl.Float64).to_numpy() for each in (before, after))
    if not (np.isfinite(one) & np.isfinite(other)).all():
        return float("inf")
    largest = np.maximum(np.abs(one), np.abs(other))
    return float((np.abs(one - other) / np.where(largest, largest, 1.0)).max())
