"""How far ahead a leaking row looks, and what that looks like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import polars as pl

from tallow.core.arrays import Times
from tallow.testing.leaks.futures import CAME, MOVES, PRICES_CHANGE, VOLUMES_CHANGE, Future, Futures
from tallow.testing.leaks.report import ROWS

Ask = Callable[[pl.DataFrame], pl.DataFrame]
"""Asks the function, and reads what it answers."""

WINDOW: Final = "a centred window, or a shift backwards? use rows up to its own"
OWN_BAR: Final = (
    "a forming bar taken as closed? leave it out, or say is_final=False in its row until it ends"
)
WHOLE: Final = (
    "something of all rows, such as their mean, largest or last? use those up to its own row"
)
LONGER_BAR: Final = "a longer bar joined on its open? join it on its end"
FILLED: Final = "filled backward? leave it without a value"
OTHER_ROWS: Final = "ranked or joined over others' later rows? use rows of the same time"
MEMBERS: Final = "chosen by what was known later, as today's members are? choose by the row's time"


@dataclass(frozen=True)
class MovedValue:
    """A column's value in a row of an answer, which moved.

    Attributes
    ----------
    instrument, at
        The row; its bar's open in microseconds since 1970 UTC.
    moment
        When it was known, in microseconds: candles from then on moved it.
    future
        The first that moved it.
    before, after
        Its value as known, and as moved.
    is_forming
        Whether its bar had not ended at that moment, and the row said so.
    """

    column: str
    instrument: str
    at: int
    moment: int
    future: Future
    before: Any
    after: Any
    is_forming: bool = False


@dataclass(frozen=True)
class Distance:
    """How far a value looks ahead, in bars and up to which candle; and what that looks like."""

    nearest: int
    farthest: int
    until: int
    reason: str


class Distances:
    """Measures how far ahead rows look, by changing fewer and fewer of the later candles.

    Parameters
    ----------
    ask, futures
        The function and its candles.
    base
        What it answers of all of them.
    """

    def __init__(self, ask: Ask, futures: Futures, base: pl.DataFrame) -> None:
        self._ask, self._futures, self._base = ask, futures, base
        self._candle_times: Times = np.unique(futures.times)

    def measure(self, moved: MovedValue) -> Distance:
        """Return how far a value looks ahead: it takes some thirty answers."""
        bars = self._bars(moved.instrument)
        start = self._known(moved, bars)
        moved = self._changed_where_it_is(moved, start)
        times = self._candle_times[self._candle_times >= start]
        ends = [*times.tolist(), None]
        # From `ends[last]` on a change moves it, and from the next one on none does.
        last = _last(len(times), lambda i: self._moves(moved, int(times[i])))
        # Before `ends[first]` no change moves it, and before the next one some does.
        first = _last(len(times), lambda i: not self._moves(moved, start, ends[i]))
        # Of a condition, a change of more candles may undo that of few.
        nearest, until = min(ends[first], ends[last]), ends[last]
        ahead = [int(np.sum((bars > moved.at) & (bars <= time))) for time in (nearest, until)]
        beyond = int(np.sum(bars > until))
        reason = self._reason(moved, start, ahead, beyond, (until, ends[last + 1]))
        return Distance(ahead[0], ahead[1], until, reason)

    def _bars(self, instrument: str) -> Times:
        """Return the opens of an instrument's rows; of one without any, those of all rows."""
        own = self._base.filter(pl.col("instrument") == instrument)
        rows = self._base if own.is_empty() else own
        bars: Times = rows["timestamp"].unique().sort().dt.epoch("us").to_numpy()
        return bars

    def _known(self, moved: MovedValue, bars: Times) -> int:
        """Return when the row was known first: as its instrument's next bar opened."""
        opened = min([moved.moment, *bars[bars > moved.at].tolist()])
        return opened if self._moves(moved, opened) else moved.moment

    def _changed_where_it_is(self, moved: MovedValue, start: int) -> MovedValue:
        """Return the value with a future that moves it, and leaves every candle where it is.

        One left out would move what counts rows.
        """
        if moved.future.change == CAME:
            moves = (Future(PRICES_CHANGE, variant) for variant in range(len(MOVES)))
            for future in (*moves, Future(VOLUMES_CHANGE)):
                if self._moves(replace(moved, future=future), start):
                    return replace(moved, future=future)
        return moved

    def _reason(
        self,
        moved: MovedValue,
        start: int,
        ahead: Sequence[int],
        beyond: int,
        ends: tuple[int, int | None],
    ) -> str:
        """Say what it looks like; `beyond` counts its instrument's bars that do not move it."""
        if moved.column == ROWS:
            return MEMBERS
        if ahead[0] == 0:
            return OWN_BAR
        if not self._moves(moved, start, only=moved.instrument):
            return OTHER_ROWS
        if beyond <= 1:
            return WHOLE
        if self._ends_as_the_next_row(moved, ends):
            return FILLED if is_missing(moved.before) else LONGER_BAR
        return WINDOW

    def _ends_as_the_next_row(self, moved: MovedValue, ends: tuple[int, int | None]) -> bool:
        """Say whether the same candle is the last to move its instrument's next row, too."""
        bars = self._bars(moved.instrument)
        following = replace(moved, at=int(bars[bars > moved.at][0]))
        last, after = ends
        return self._moves(following, last) and not self._moves(following, after)

    def _moves(
        self, moved: MovedValue, start: int | None, end: int | None = None, only: str | None = None
    ) -> bool:
        """Say whether changing the candles from `start` on, and before `end`, moves a row.

        No `start` is after all of them; `only` those of one instrument are changed.
        """
        if start is None or start == end:
            return False
        times = self._futures.times
        where = times >= start
        if end is not None:
            where &= times < end
        if only is not None:
            where &= (self._futures.candles["instrument"] == only).to_numpy()
        came = moved.future.change == CAME
        answer = self._ask(
            self._futures.candles.filter(~where)
            if came
            else self._futures.changed(moved.future, where)
        )
        return not are_same(value_of(moved, answer), value_of(moved, self._base))


def value_of(moved: MovedValue, answer: pl.DataFrame) -> Any:
    """Return what a value is in an answer; of `ROWS`, whether the row is there."""
    time = pl.lit(moved.at).cast(pl.Datetime("us", "UTC"))
    row = answer.filter(pl.col("instrument") == moved.instrument, pl.col("timestamp") == time)
    if moved.column == ROWS:
        return bool(len(row))
    return row[moved.column][0] if len(row) else None


def is_missing(value: Any) -> bool:
    """Say whether there is no value: null or NaN."""
    return value is None or value != value


def are_same(one: Any, other: Any) -> bool:
    """Say whether two values are the same; a missing one is the same as itself."""
    return one == other or (is_missing(one) and is_missing(other))


def _last(count: int, holds: Callable[[int], bool]) -> int:
    """Return the last of `count` numbers from 0 for which something holds, as it does for 0."""
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low
