"""Values a second time, by the textbook versions: plain Python that shares nothing with kernels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from tallow.core.arrays import Floats, Ints
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.limits import EXPLAINED_ROWS_MAX
from tallow.core.operator import CROSS, OF_CALENDAR, SINCE, WINDOW, Indicator, Value
from tallow.core.spec import Spec
from tallow.core.text import counted
from tallow.core.timeframe import Timeframe
from tallow.data.kernels.anchors import (
    anchor_columns,
    anchor_table,
    moment_columns,
    moment_starts,
)
from tallow.data.reading.schema import NUMBERS, time_view
from tallow.explain.explanation import Beside
from tallow.textbook import ORACLES, Column
from tallow.textbook.crosses import COMPARED


@dataclass(frozen=True)
class History:
    """All bars of an instrument up to the one that is explained, which is the last."""

    name: str
    frame: pl.DataFrame
    size: Timeframe
    calendars: CalendarAssignment

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def columns(self) -> Mapping[str, Floats]:
        """Prices, volume, and what the calendar says of each bar; float64."""
        found = {name: self.frame[name].cast(pl.Float64).to_numpy() for name in NUMBERS}
        where = time_view(self.frame), np.array([0, len(self.frame)]), self._calendar
        anchors = anchor_table(self.calendars.calendars, self.size)
        return found | anchor_columns(anchors, OF_CALENDAR, *where)

    def since(self, moment: str) -> Floats:
        """Return 1 in each bar from a moment on, NaN before it."""
        starts = moment_starts([moment], self.calendars.calendars)
        where = time_view(self.frame), np.array([0, len(self.frame)]), self._calendar
        return moment_columns([moment], starts, *where)[f"{SINCE} {moment}"]

    def bars_of_first_period(self, period: str | None, values: Iterable[tuple[str, Value]]) -> int:
        """Return how many bars are in the first session, week or month; 0 for no period."""
        if period is None:
            return 0
        numbers = self.columns[period.format(**dict(values))]
        later = np.flatnonzero(numbers != numbers[0])
        return int(later[0]) if len(later) else len(numbers)

    @property
    def _calendar(self) -> Ints:
        return self.calendars.indices([self.name])


def beside(spec: Spec, history: History) -> Beside:
    """Return the last value of a spec's output by its textbook version, or why there is none."""
    why = _why_not(spec, len(history))
    if why:
        return Beside(note=why)
    column, rows = _column(spec, history, last_only=True)
    value = column[-1] if column else None
    return Beside(None if value is None else float(value), rows)


def beside_compared(spec: Spec, values: Sequence[float], which: int | None) -> Beside:
    """Return a value that compares an instrument with all others, in the same way."""
    formula = COMPARED.get(spec.indicator.name)
    if formula is None:
        return Beside(note=_none_for(spec))
    if which is None:
        return Beside(rows=len(values))
    return Beside(formula(values, which), len(values))


def _why_not(spec: Spec, rows: int) -> str:
    if rows > EXPLAINED_ROWS_MAX and not _is_short(spec):
        return (
            f"not computed: {counted(rows, 'bar')}; the textbook version is plain Python, and "
            f"takes {EXPLAINED_ROWS_MAX:,} at most"
        )
    each: Spec | str | None = spec
    while isinstance(each, Spec):
        if each.indicator.memory == CROSS:
            return (
                f"not computed: its source {each.text} compares instruments, and the textbook "
                "version of that knows one bar time alone"
            )
        if each.indicator.name not in ORACLES:
            return _none_for(each)
        each = each.source
    return ""


def _none_for(spec: Spec) -> str:
    return f"{spec.indicator.name} has no textbook version in the package"


def _is_short(spec: Spec) -> bool:
    """Say whether a value is a function of its last rows alone."""
    indicator = spec.indicator
    is_plain = indicator.period_before is None and indicator.waits is None
    return indicator.memory == WINDOW and is_plain and not isinstance(spec.source, Spec)


def _column(spec: Spec, history: History, *, last_only: bool = False) -> tuple[Column, int]:
    """Return a spec's output, and of how many bars; rows without a source are skipped."""
    values, indicator = dict(spec.values), spec.indicator
    first = 0
    if last_only and _is_short(spec):
        first = max(0, len(history) - max(indicator.warmup(values)) - 1)
    given = _inputs(spec, indicator, values, history, first)
    rows = len(history) - first
    output = [each.name for each in indicator.outputs].index(spec.outputs[0])
    if not isinstance(spec.source, Spec):
        return list(ORACLES[indicator.name](values, *given)[output]), rows
    own = given[indicator.input_names(values).index(str(indicator.source_input(values)))]
    known = [k for k, value in enumerate(own) if value is not None]
    found = ORACLES[indicator.name](values, *([column[k] for k in known] for column in given))
    column: Column = [None] * rows
    for k, value in zip(known, found[output], strict=True):
        column[k] = value
    return column, rows


def _inputs(
    spec: Spec, indicator: Indicator, values: Mapping[str, Value], history: History, first: int
) -> list[Column]:
    """Return what the textbook version takes: lists, None where a value is missing."""
    own = indicator.source_input(values)
    given: list[Column] = []
    for name in indicator.input_names(values):
        if name == own and isinstance(spec.source, Spec):
            given.append(_column(spec.source, history)[0])
            continue
        column = spec.source if name == own and isinstance(spec.source, str) else name
        is_moment = column == SINCE
        found = history.since(str(values["moment"])) if is_moment else history.columns[column]
        given.append([None if x != x else x for x in found[first:].tolist()])
    return given
