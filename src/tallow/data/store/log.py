"""The log of candle revisions: its columns, what can be asked of it, and its backends.

A row is never overwritten. The row of a key with the highest revision is the candle; a deletion is
a revision without prices. Everything that writes goes through `tallow.data.store.store.Store`,
which classifies rows under a backend's lock; a backend only keeps them, and finds them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import index
from typing import Any

import polars as pl

from tallow.core.errors import RangeError, excerpt
from tallow.core.limits import STORE_FILTER_INSTRUMENTS
from tallow.core.timeframe import parse_timeframe
from tallow.data.kernels.rows import TIME_MAX_US, TIME_MIN_US
from tallow.data.reading.schema import NUMBERS, OPEN_INTEREST, TIME_TYPE, time_view

LOG_SCHEMA: dict[str, pl.DataType] = {
    "timeframe": pl.String(),
    "adjustment": pl.String(),
    "instrument": pl.String(),
    "timestamp": TIME_TYPE,
    **dict.fromkeys(NUMBERS, pl.Float64()),
    OPEN_INTEREST: pl.Float64(),
    "revision": pl.Int32(),
    "received_at": TIME_TYPE,
    "source": pl.String(),
    "deleted": pl.Boolean(),
}
"""Columns of the log, in order. A deletion has null prices; `revision` counts a key's rows from 1;
all rows of one write have one `received_at`, later than that of every write before."""

ACTION = "action"
"""The timeframe of rows that are corporate actions; their adjustment is the kind of the action."""

SYMBOL = "symbol"
"""The timeframe and the adjustment of rows that say which symbol a key has."""

UNIVERSE = "universe"
"""The timeframe of rows that say which instruments a universe has; their adjustment is its name."""

TIMELESS = (SYMBOL, UNIVERSE)
"""Timeframes of rows whose times are no candles': a pruning of old ones leaves them alone."""

SERIES_KEY = ("timeframe", "adjustment", "instrument")
KEY = (*SERIES_KEY, "timestamp")
LOG_ORDER = (*KEY, "revision")
"""The order of rows in every file, and of every scan."""

VALUES = (*NUMBERS, OPEN_INTEREST)


UNFINISHED = (
    "store: {}: is a copy of another store, and is not whole; begin it again, with tallow store "
    "backup or restore, or remove what is there"
)
"""What is said of a place that a backup, or a restore, was cut off in."""


@dataclass(frozen=True)
class Selection:
    """Which rows of the log: of one timeframe and adjustment, or all where these are None.

    Attributes
    ----------
    instruments
        Sorted names, or None for all.
    start, end
        ``start <= timestamp < end``, in microseconds since 1970 UTC; None means no limit.
    received_from, received_before
        ``received_from <= received_at < received_before``, in the same unit; None means no limit.
    """

    instruments: tuple[str, ...] | None = None
    timeframe: str | None = "1m"
    adjustment: str | None = "raw"
    start: int | None = None
    end: int | None = None
    received_from: int | None = None
    received_before: int | None = None

    @classmethod
    def of(
        cls,
        instruments: str | Sequence[str] | None,
        timeframe: str | None,
        adjustment: str | None,
        start: int | None,
        end: int | None,
        known_at: int | None,
    ) -> Selection:
        """Return what a caller asks for: any order of names, any spelling of a timeframe.

        `RangeError` if a time is not a whole number.
        """
        start, end, known_at = (
            None if given is None else _within_years(name, given)
            for name, given in (("start", start), ("end", end), ("known_at", known_at))
        )
        given_names = [instruments] if isinstance(instruments, str) else instruments
        names = None if given_names is None else tuple(sorted(set(given_names)))
        size = None if timeframe is None else parse_timeframe(timeframe).text
        before = None if known_at is None else known_at + 1
        return cls(names, size, adjustment, start, end, None, before)

    def where(self) -> pl.Expr:
        """Return the condition that a row of the log must meet."""
        parts: list[pl.Expr] = []
        for name, wanted in (("timeframe", self.timeframe), ("adjustment", self.adjustment)):
            if wanted is not None:
                parts.append(pl.col(name) == wanted)
        if self.instruments is not None:
            column = pl.col("instrument")
            one = len(self.instruments) == 1
            # Plain comparisons are what Parquet's statistics are looked at for.
            if self.instruments and not one:
                parts += [column >= self.instruments[0], column <= self.instruments[-1]]
            parts.append(
                column == self.instruments[0] if one else column.is_in(list(self.instruments))
            )
        limits = (
            ("timestamp", self.start, self.end),
            ("received_at", self.received_from, self.received_before),
        )
        for name, low, high in limits:
            if low is not None:
                parts.append(pl.col(name) >= moment(low))
            if high is not None:
                parts.append(pl.col(name) < moment(high))
        return pl.all_horizontal(parts) if parts else pl.lit(True)

    def up_to(self, received: int) -> Selection:
        """Return this selection without what was received later."""
        before = received + 1
        known = self.received_before
        return self.replace(received_before=before if known is None else min(before, known))

    def replace(self, **changes: Any) -> Selection:
        """Return a copy with some fields changed."""
        return replace(self, **changes)


def _within_years(name: str, given: int) -> int:
    """Return a time in microseconds; what lies before or after all that a log has, at its end."""
    try:
        return min(max(index(given), TIME_MIN_US), TIME_MAX_US + 1)
    except TypeError as error:
        raise RangeError(
            f"{name}: {excerpt(given)}; must be whole microseconds since 1970 UTC; for an instant, "
            "int(instant.timestamp() * 1_000_000)"
        ) from error


def moment(microseconds: int) -> pl.Expr:
    """Return an instant as a literal of the log's time type."""
    return pl.lit(microseconds, pl.Int64).cast(TIME_TYPE)


def constant(name: str, value: object, count: int) -> pl.Series:
    """Return a column of the log with one value for all rows; a query for it takes longer."""
    one = _single(name, value)
    return one if count == 1 else one.new_from_index(0, count)


@lru_cache(maxsize=256)
def _single(name: str, value: object) -> pl.Series:
    return pl.Series(name, [value], LOG_SCHEMA[name])


def current_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Return each key's row with the highest revision, deletions left out.

    `rows` are in `LOG_ORDER`; a column of the key that they do not have is the same for all.
    """
    if len(rows) < 2:
        return rows.filter(~pl.col("deleted"))
    return rows.filter(~is_superseded(rows.columns).fill_null(False) & ~pl.col("deleted"))


def latest_revisions(rows: pl.DataFrame) -> pl.DataFrame:
    """Do as `current_rows`, with the deletions."""
    if len(rows) < 2:
        return rows
    return rows.filter(~is_superseded(rows.columns).fill_null(False))


def is_superseded(columns: Sequence[str]) -> pl.Expr:
    """Return whether the row after one in `LOG_ORDER` has the same key, as far as in `columns`."""
    follows = pl.lit(True)
    for name in reversed(KEY):
        if name in columns:
            follows &= pl.col(name) == pl.col(name).shift(-1)
    return follows


def selection_around(
    rows: pl.DataFrame, names: Sequence[str], timeframe: str, adjustment: str
) -> Selection:
    """Return what the log may know of the keys of rows: their span, and few names one by one."""
    if not len(rows):
        return Selection((), timeframe, adjustment)
    times = time_view(rows)
    few = tuple(sorted(set(names))) if len(names) <= STORE_FILTER_INSTRUMENTS else None
    return Selection(few, timeframe, adjustment, int(times.min()), int(times.max()) + 1)
