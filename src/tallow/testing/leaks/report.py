"""What a leak check found: a verdict for each column, and where it leaks first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal

from tallow.core.text import counted

Verdict = Literal["ok", "leaks", "not checked"]

ROWS: Final = "(rows)"
"""Stands for a column where the rows themselves come or go."""


@dataclass(frozen=True)
class Leak:
    """Where a column looks ahead, by its earliest row that something later moved.

    Attributes
    ----------
    instrument, timestamp
        The row: its bar's open, in UTC.
    known_at
        The moment at which the row was known: candles from then on moved it.
    moved_by
        What had to change of the later candles, in words; of the first row first.
    before, after
        The value as it was known, and as it became; None where there is none.
    rows
        Rows that moved at all.
    nearest, farthest
        How many bars ahead the nearest and the farthest candle is that moves the row; 0 is a later
        candle of its own bar. None where that was not measured.
    until
        The open of the farthest of these candles.
    largest
        The largest relative change of a value; infinite where one came or went.
    reason
        What it looks like, and what to do.
    """

    instrument: str
    timestamp: datetime
    known_at: datetime
    moved_by: tuple[str, ...]
    before: Any
    after: Any
    rows: int
    nearest: int | None
    farthest: int | None
    until: datetime | None
    largest: float
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {name: _plain(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class ColumnCheck:
    """A column of the answer.

    Attributes
    ----------
    values
        Values that were compared and were there: with none, the check could not have failed.
    leak
        None where nothing moved.
    """

    column: str
    values: int
    leak: Leak | None

    @property
    def verdict(self) -> Verdict:
        """``ok``, ``leaks``, or ``not checked`` where the column has no value in any row."""
        if self.leak is not None:
            return "leaks"
        return "ok" if self.values else "not checked"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        leak = self.leak and self.leak.to_dict()
        return {"column": self.column, "verdict": self.verdict, "values": self.values, "leak": leak}


@dataclass(frozen=True)
class LeakReport:
    """The answer of `tallow.testing.check_leaks`.

    Attributes
    ----------
    columns
        Each column's check; the last one, ``(rows)``, says if rows came or went.
    moments, moments_there
        At how many moments the past was held against what came later, of how many.
    futures
        How often: at each moment, with several futures.
    values
        Values that were compared.
    candles, instruments
        What the function was given.
    """

    columns: tuple[ColumnCheck, ...]
    moments: int
    moments_there: int
    futures: int
    values: int
    candles: int
    instruments: int

    @property
    def leaks(self) -> dict[str, Leak]:
        """What leaks, by column."""
        return {each.column: each.leak for each in self.columns if each.leak is not None}

    @property
    def not_checked(self) -> tuple[str, ...]:
        """Columns without any value."""
        return tuple(each.column for each in self.columns if each.verdict == "not checked")

    @property
    def is_clean(self) -> bool:
        """Whether every column was checked, and none leaks."""
        return not (self.leaks or self.not_checked)

    def __str__(self) -> str:
        return "\n".join(self.sentences())

    def sentences(self) -> Iterator[str]:
        """Yield what a person should know, the worst first."""
        for column, leak in self.leaks.items():
            yield f"{column}: {leak_text(leak)}"
        for column in self.not_checked:
            yield f"{column}: not checked: it has no value in any row; give it more candles"
        yield f"checked: {self.extent}"

    @property
    def extent(self) -> str:
        """How much was checked."""
        of_all = "" if self.moments == self.moments_there else f" of {self.moments_there:,}"
        moments = f"{self.moments:,}{of_all} moments" if of_all else counted(self.moments, "moment")
        return (
            f"{counted(self.values, 'value')}, {moments}, {counted(self.futures, 'future')}, "
            f"{counted(self.candles, 'candle')} of {counted(self.instruments, 'instrument')}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        counts = {each.name: getattr(self, each.name) for each in fields(self)}
        columns = [each.to_dict() for each in counts.pop("columns")]
        return {"is_clean": self.is_clean, "columns": columns, "checked": counts}


def leak_text(leak: Leak, show: Callable[[datetime], str] = datetime.isoformat) -> str:
    """Return what there is to say of a leak; `show` writes its times."""
    rows = counted(leak.rows, "row")
    first = "in" if leak.rows == 1 else "first in"
    return (
        f"leaks in {rows}, {first} that of {leak.instrument} at {show(leak.timestamp)}: known as "
        f"{_value(leak.before)} at {show(leak.known_at)}, it became {_value(leak.after)} by "
        f"{leak.moved_by[0]}; {_ahead(leak, show)}{leak.reason}"
    )


def _ahead(leak: Leak, show: Callable[[datetime], str]) -> str:
    """Say how far a leak looks ahead, where that was measured."""
    if leak.nearest is None or leak.farthest is None or leak.until is None:
        return ""
    if not leak.farthest:
        return "it looks ahead within its own bar; "
    span = str(leak.farthest)
    if leak.nearest != leak.farthest:
        span = f"{leak.nearest} to {leak.farthest}"
    bars = "bar" if leak.farthest == 1 else "bars"
    return f"it looks {span} {bars} ahead, as far as the candle of {show(leak.until)}; "


def _value(value: Any) -> str:
    if value is None or value != value:
        return "no value"
    return str(value)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: no infinite numbers, and times as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else str(value)
