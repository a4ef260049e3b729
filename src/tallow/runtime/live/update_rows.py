"""The rows of a live update: from arrays, checked, each instrument's in order of time."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from numbers import Real
from operator import index
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tallow.core.arrays import Floats, Ints, Times
from tallow.core.errors import CandleInputError
from tallow.core.kernel import read_only
from tallow.data.kernels.live_rows import ascends
from tallow.data.kernels.rows import TIME_MAX_US, rows_hold
from tallow.data.reading.row_keys import WHOLE_MAX
from tallow.data.reading.rules import first_broken
from tallow.data.reading.schema import NUMBERS, TIME_TYPE
from tallow.runtime.live.machine import Candle
from tallow.runtime.live.memory import FIELDS, INTEREST, TIME

_AS_TIMES = "; of times, .astype('datetime64[us]').astype('int64') makes microseconds"


@dataclass(frozen=True)
class UpdateRows:
    """Rows of a live update, by instrument and time, each key once.

    Attributes
    ----------
    which
        int64, the instruments' numbers, ascending; rows ``offsets[i]:offsets[i + 1]`` are the
        ``i``-th one's.
    rows
        float64 ``[rows, fields]``; without prices where a candle is deleted.
    repeated
        Rows of a key that came again later; the last one counts.
    is_complete
        Whether a candle without open interest has none: so rows of the store say. Else it keeps
        that of the candle before it.
    """

    which: Ints
    offsets: Ints
    rows: Floats
    repeated: int
    is_complete: bool = False

    def without(self, numbers: Collection[int]) -> UpdateRows:
        """Return the rows of all instruments but some."""
        if not numbers:
            return self
        kept = ~np.isin(self.which, list(numbers))
        sizes = np.diff(self.offsets)
        rows = self.rows[np.repeat(kept, sizes)]
        offsets = np.concatenate(([0], np.cumsum(sizes[kept])))
        return replace(self, which=self.which[kept], offsets=offsets, rows=rows)

    def of(self, index: int) -> Floats:
        """Return the rows of instrument ``which[index]``."""
        return self.rows[self.offsets[index] : self.offsets[index + 1]]


_PLAIN = (np.dtype(np.float64), np.dtype(np.int64))
"""Types that need no conversion: of floats, and of whole numbers."""


def candle_of(values: Candle) -> Candle:
    """Return a caller's plain numbers as a candle's row.

    Raises
    ------
    CandleInputError
        If a value is not a number, or the time not a whole one.
    """
    timestamp, *prices_and_volume, interest = values
    try:
        first, high, low, last, volume = map(float, prices_and_volume)
        # As in reading: what is not a finite number is missing.
        known = float(interest) if math.isfinite(interest) else math.nan
        return index(timestamp), first, high, low, last, volume, known
    except (TypeError, ValueError, OverflowError) as error:
        raise CandleInputError(f"update: {error}; must be numbers, a whole one as time") from error


def tick_of(
    timestamp: object, price: object, quantity: object, day_volume: object, sequence: object
) -> tuple[int, float, float, bool, int]:
    """Return a caller's plain numbers as a tick.

    That is its time, price and quantity, whether that is the day's, and its sequence number.

    Raises
    ------
    CandleInputError
        If a value is not a number, or there is not one quantity.
    """
    if (quantity is None) == (day_volume is None):
        raise CandleInputError(
            f"update_tick: quantity={quantity}, day_volume={day_volume}; must be one of both"
        )
    amount = day_volume if quantity is None else quantity
    try:
        values = _whole(timestamp), float(price), float(amount)  # type: ignore[arg-type]
        number = _whole(sequence)
    except (TypeError, ValueError, OverflowError) as error:
        raise CandleInputError(
            f"update_tick: {error}; must be numbers, int64 as time and sequence"
        ) from error
    return *values, quantity is None, number


def _whole(value: object) -> int:
    number = index(value)  # type: ignore[arg-type]
    if number.bit_length() > 63:
        raise OverflowError(f"{number} is no int64")
    return number


def candle_table(instrument: object, *columns: object) -> tuple[Ints, Floats]:
    """Return a caller's arrays as instruments' numbers and candles ``[rows, fields]``.

    Raises
    ------
    CandleInputError
        If they cannot be arrays of numbers, of one length; or numbers and times are not whole.
    """
    numbers = _array("instrument", instrument, whole=True)
    missing = np.empty(len(numbers))
    missing.fill(np.nan)
    given = [
        missing if column is None and place == INTEREST else _array(name, column, place == TIME)
        for place, (name, column) in enumerate(zip(FIELDS, columns, strict=True))
    ]
    for name, column in zip(FIELDS, given, strict=True):
        if column.shape != numbers.shape:
            raise CandleInputError(
                f"update: {name}: shape={column.shape}; must be {numbers.shape}, a value for "
                "each of the instruments"
            )
    if columns[-1] is not None:
        # As in reading: no rule asks for open interest, and what is not a finite number is missing.
        given[-1] = np.where(np.isfinite(given[-1]), given[-1], np.nan)
    # One call: to fill an array column by column takes three times as long.
    table = np.concatenate(given, dtype=np.float64, casting="unsafe").reshape(len(FIELDS), -1)
    # A view with rows first: kernels take columns, so these stay contiguous.
    return np.ascontiguousarray(numbers, dtype=np.int64), table.T


def _array(name: str, column: object, whole: bool) -> NDArray[Any]:
    """Return a column as an array of numbers, or of whole numbers; an array stays as it is."""
    if type(column) is np.ndarray and column.dtype is _PLAIN[whole] and column.ndim == 1:
        return column
    try:
        found = np.asarray(column)
        if found.dtype.kind == "O" and all(isinstance(one, Real | None) for one in found.flat):
            found = found.astype(np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise CandleInputError(f"update: {name}: {error}; must be numbers") from error
    if found.ndim != 1 or found.dtype.kind not in "iuf":
        raise CandleInputError(
            f"update: {name}: {found.dtype} of shape {found.shape}; must be numbers in one row, "
            f"{'int64' if whole else 'float64'}{_AS_TIMES if found.dtype.kind == 'M' else ''}"
        )
    if whole and found.dtype.kind == "f":
        for place in np.flatnonzero(~(np.abs(found) < WHOLE_MAX) | (found != np.floor(found))):
            raise CandleInputError(
                f"update: {name}[{place}]={found[place]}; must be a whole number, as int64"
            )
    return found


def sort_rows(numbers: Ints, rows: Floats) -> UpdateRows:
    """Sort rows by instrument and time; of equal keys keep the last."""
    if ascends(read_only(numbers)):
        # One row of each instrument: what a feed sends every minute.
        return UpdateRows(numbers, np.arange(len(numbers) + 1), rows, 0)
    order = np.lexsort((rows[:, TIME], numbers))
    numbers, rows = numbers[order], rows[order]
    last = np.append((np.diff(numbers) != 0) | (np.diff(rows[:, TIME]) != 0), True)
    repeated = len(last) - int(last.sum())
    if repeated:
        numbers, rows = numbers[last], rows[last]
    offsets = np.concatenate(([0], np.flatnonzero(np.diff(numbers)) + 1, [len(numbers)]))
    return UpdateRows(numbers[offsets[:-1]], offsets, rows, repeated)


def broken_rules(rows: Floats) -> list[str | None] | None:
    """Return the first rule that each row breaks; None where no row breaks one."""
    columns = read_only(np.ascontiguousarray(rows.T))
    times = read_only(columns[TIME].astype(np.int64))
    opens, high, low, close, volume = columns[1:6]
    if rows_hold(opens, high, low, close, volume, times, True, TIME_MAX_US):
        return None
    frame = pl.DataFrame([pl.Series(name, columns[k + 1]) for k, name in enumerate(NUMBERS)])
    frame = frame.with_columns(
        pl.lit("known").alias("instrument"), pl.Series("timestamp", times).cast(TIME_TYPE)
    )
    rules: list[str | None] = frame.select(first_broken(on_grid=True)).to_series().to_list()
    return rules


def deletion_rows(numbers: Ints, times: Times) -> Floats:
    """Return the rows that delete candles: without prices."""
    rows = np.full((len(numbers), len(FIELDS)), np.nan)
    rows[:, TIME] = times
    return rows
