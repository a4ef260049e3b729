"""What was known at a moment, what of it moved, and what that adds up to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Ints
from tallow.core.time import END_OF_TIME, to_us
from tallow.testing.leaks.answers import FINAL, KEYS, differing, has_value, relative_change
from tallow.testing.leaks.distances import MovedValue
from tallow.testing.leaks.futures import CAME, Future
from tallow.testing.leaks.moments import CheckMoment
from tallow.testing.leaks.report import ROWS

THERE, NOT_THERE = "a row", "no row"

LAST: Final = "last candle"
"""When the last candle of a row's bar opened, of any instrument, in microseconds."""

_AT: Final = "position"
_THERE: Final = "is there"
_SECOND: Final = "second after it"


@dataclass(frozen=True)
class KnownRows:
    """The rows that a function answers of the candles before a moment.

    Attributes
    ----------
    moment
        In microseconds since 1970 UTC.
    rows
        Those whose bars opened before it.
    is_closed
        Which rows do not say that their bar is forming.
    is_over
        Which rows may not move: those, and forming ones whose bar ends alone, without a later
        candle.
    has_value
        In which rows each column has a value.
    position
        Where each is in the answer of all candles; -1 where it is not.
    """

    moment: int
    rows: pl.DataFrame
    is_closed: Flags
    is_over: Flags
    has_value: Mapping[str, Flags]
    position: Ints

    @classmethod
    def of(cls, answer: pl.DataFrame, moment: CheckMoment, base: pl.DataFrame) -> KnownRows:
        """Return what is known by an answer.

        `base` has the rows of all candles, and when the last candle of their bars opened: `LAST`.
        """
        rows = opened_before(answer, moment.at)
        closed = np.ones(len(rows), np.bool_)
        if FINAL in rows.columns and rows[FINAL].dtype == pl.Boolean:
            closed = rows[FINAL].fill_null(False).to_numpy()
        places = base.select(*KEYS, LAST).with_row_index(_AT)
        found = rows.select(KEYS).join(places, on=KEYS, how="left", maintain_order="left")
        position = found[_AT].cast(pl.Int64).fill_null(-1).to_numpy()
        over = closed
        if moment.ends_alone:
            over = closed | (found[LAST].fill_null(END_OF_TIME) < moment.at).to_numpy()
        there = {name: has_value(_column(rows, name)) for name in base.columns if name != LAST}
        return cls(moment.at, rows, closed, over, there, position)


def opened_before(answer: pl.DataFrame, moment: int) -> pl.DataFrame:
    """Return the rows of bars that opened before a moment."""
    return answer.filter(pl.col("timestamp") < pl.lit(moment).cast(pl.Datetime("us", "UTC")))


@dataclass
class ColumnTally:
    """What was seen of a column.

    Attributes
    ----------
    moved
        Which rows of the answer of all candles moved.
    elsewhere
        Rows that moved, and are not in that answer.
    values
        Values that were compared.
    changes
        By what rows moved, that of the first seen first.
    largest
        The largest relative change.
    first
        The earliest row that moved.
    """

    moved: Flags
    elsewhere: set[tuple[str, datetime]] = field(default_factory=set)
    values: int = 0
    changes: dict[str, None] = field(default_factory=dict)
    largest: float = 0.0
    first: MovedValue | None = None

    @property
    def rows(self) -> int:
        """How many rows moved."""
        return int(self.moved.sum()) + len(self.elsewhere)

    def note(self, value: MovedValue, is_moved_by_the_change: bool) -> None:
        """Note a value that moved; also if it did so only because later candles came."""
        if is_moved_by_the_change:
            self.changes[value.future.change] = None
        if self.first is None or _order(value) < _order(self.first):
            self.first = value


def _order(value: MovedValue) -> tuple[bool, int, str]:
    """Return by what the first value is chosen: forming rows say less about what is wrong."""
    return value.is_forming, value.at, value.instrument


@dataclass(frozen=True)
class Trial:
    """What is held against each other: rows that are known, and a future that may not move them.

    Attributes
    ----------
    counted
        Which of the known rows may not move.
    is_settled
        Whether forming rows are among them, as no candle of their bar comes any more.
    """

    known: KnownRows
    future: Future
    counted: Flags
    is_settled: bool = False

    def moved(self, column: str, row: tuple[str, datetime], before: Any, after: Any) -> MovedValue:
        """Return a value that moved, in the row of an instrument and time."""
        name, time = row
        forming = self.is_settled
        return MovedValue(
            column, name, to_us(time), self.known.moment, self.future, before, after, forming
        )


class Tallies:
    """The tally of each column of an answer, and of its rows."""

    def __init__(self, base: pl.DataFrame) -> None:
        self._base = base
        self.columns = [name for name in base.columns if name not in (*KEYS, LAST)]
        rows = len(base)
        self.of = {name: ColumnTally(np.zeros(rows, np.bool_)) for name in (*self.columns, ROWS)}

    def hold(self, trial: Trial, answer: pl.DataFrame) -> None:
        """Hold what was known against the answer of a future."""
        before, counted = trial.known.rows, trial.counted
        after = opened_before(answer, trial.known.moment)
        if not _have_same_keys(before, after):
            self._hold_rows(trial, after, answer)
            after = before.select(KEYS).join(
                after.with_columns(pl.lit(True).alias(_THERE)),
                on=KEYS,
                how="left",
                maintain_order="left",
            )
            counted = counted & after[_THERE].fill_null(False).to_numpy()
        self.of[ROWS].values += int(trial.counted.sum())
        for name in self.columns:
            # A forming row says in the future that it is final.
            may_move = counted & trial.known.is_closed if name == FINAL else counted
            self._hold_column(trial, name, after, may_move)

    def _hold_column(self, trial: Trial, name: str, answer: pl.DataFrame, counted: Flags) -> None:
        before, after = _column(trial.known.rows, name), _column(answer, name)
        tally = self.of[name]
        tally.values += int((counted & trial.known.has_value[name]).sum())
        moved = counted & differing(before, after)
        if not moved.any():
            return
        position = trial.known.position[moved]
        tally.moved[position[position >= 0]] = True
        keys = trial.known.rows.select(KEYS)
        if (position < 0).any():
            tally.elsewhere |= set(_row_keys(keys.filter(moved & (trial.known.position < 0))))
        tally.largest = max(tally.largest, relative_change(before, after, moved))
        first = int(np.flatnonzero(moved)[keys.filter(moved)["timestamp"].arg_min()])
        value = trial.moved(name, keys.row(first), before[first], after[first])
        tally.note(value, self._is_moved_by_the_change(trial, name, after, moved))

    def _is_moved_by_the_change(
        self, trial: Trial, name: str, after: pl.Series, moved: Flags
    ) -> bool:
        """Say whether rows moved by what is changed, not only because later candles came at all."""
        if trial.future.change == CAME:
            return True
        position = trial.known.position
        came = self._base[name].gather(np.maximum(position, 0))
        return bool((moved & ((position < 0) | differing(came, after))).any())

    def _hold_rows(self, trial: Trial, after: pl.DataFrame, answer: pl.DataFrame) -> None:
        """Note rows that were known and are gone, or that are there only now."""
        before = trial.known.rows.select(KEYS)
        gone = before.filter(trial.counted).join(after, on=KEYS, how="anti")
        come = _of_bars_over(after, answer, trial.known.moment).join(before, on=KEYS, how="anti")
        tally = self.of[ROWS]
        for rows, was, became in ((gone, THERE, NOT_THERE), (come, NOT_THERE, THERE)):
            if rows.is_empty():
                continue
            tally.elsewhere |= set(_row_keys(rows))
            tally.largest = math.inf
            first = rows.sort("timestamp", "instrument").row(0)
            tally.note(trial.moved(ROWS, first, was, became), True)


def _of_bars_over(rows: pl.DataFrame, answer: pl.DataFrame, moment: int) -> pl.DataFrame:
    """Return the keys of rows whose instrument has two more rows before a moment.

    Later ones may have come late: a bar is final once its instrument has a candle of the next one,
    which may have begun without a candle before the moment.
    """
    following = answer.select(
        *KEYS, pl.col("timestamp").shift(-2).over("instrument").alias(_SECOND)
    )
    over = following.filter(pl.col(_SECOND) < pl.lit(moment).cast(pl.Datetime("us", "UTC")))
    return rows.select(KEYS).join(over, on=KEYS, how="semi")


def _row_keys(keys: pl.DataFrame) -> list[tuple[str, datetime]]:
    return keys.rows()


def _have_same_keys(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    return len(one) == len(other) and all(one[key].equals(other[key]) for key in KEYS)


def _column(frame: pl.DataFrame, name: str) -> pl.Series:
    """Return a column; of few candles an answer may lack it: then it has no value."""
    if name in frame.columns:
        return frame[name]
    return pl.repeat(None, len(frame), eager=True).alias(name)
