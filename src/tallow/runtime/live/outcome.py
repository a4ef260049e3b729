"""What changes of a live engine's state say: an instrument's past, and the outcome of an update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from tallow.core.arrays import Floats
from tallow.runtime.live.bar_rows import BarRows, join_rows, latest_rows


@dataclass(frozen=True)
class Past:
    """An instrument's candles from a moment on, ``[rows, fields]``, and the states before them.

    The states of all timeframes are one row of float64.
    """

    states: Floats
    rows: Floats

    def without_rows(self) -> Past:
        """Return the states alone."""
        return replace(self, rows=self.rows[:0])


@dataclass
class Outcome:
    """The rows that an update changed, per timeframe, and where its own rows went.

    Attributes
    ----------
    quarantine
        Rows that break a rule.
    too_old
        Instruments, times and rules of rows older than all that an engine without a store knows.
    unread
        Instruments that stay as they were, as what lies before their rows cannot be read; and why.
    """

    rows: list[list[BarRows]]
    appended: int = 0
    late: int = 0
    revised: int = 0
    deleted: int = 0
    repeated: int = 0
    too_old: list[tuple[int, int, str]] = field(default_factory=list)
    quarantine: pl.DataFrame | None = None
    unread: list[tuple[int, Exception]] = field(default_factory=list)

    def add(self, rows: Sequence[BarRows]) -> None:
        """Add the rows that a part of the update changed, per timeframe."""
        for kept, new in zip(self.rows, rows, strict=True):
            kept.append(new)

    def extend(self, other: Outcome) -> None:
        """Add the changed rows of other instruments."""
        for kept, new in zip(self.rows, other.rows, strict=True):
            kept.extend(new)

    def after(self, earlier: Outcome | None) -> Outcome:
        """Return this with the rows of an earlier outcome; of each bar, keep the last row."""
        return self if earlier is None else replace(self, rows=_last_of(earlier, self))

    def then(self, later: Outcome) -> Outcome:
        """Return this with the rows of a later outcome; of each bar, keep the last row."""
        return replace(self, rows=_last_of(self, later))


def _last_of(earlier: Outcome, later: Outcome) -> list[list[BarRows]]:
    both = [[*old, *new] for old, new in zip(earlier.rows, later.rows, strict=True)]
    return [[latest_rows(join_rows(rows))] if rows else [] for rows in both]
