"""Two answers to one request, compared: counts, causes and flips of every instrument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from tallow.core.limits import COMPARE_WORST_ROWS
from tallow.migrate.causes import Classifier
from tallow.migrate.compare.counts import (
    ValueCounts,
    WorstRow,
    add_up,
    count_rows,
    find_worst_rows,
    unexplained_rows,
)
from tallow.migrate.compare.flips import DecisionCounts, SeriesDifference, add_decisions, list_rules
from tallow.migrate.compare.matching import Match, Tolerance, decimals_of, match_rows
from tallow.migrate.compare.pairing import (
    Answer,
    InstrumentRows,
    SeriesNames,
    choose_series,
    join_rows,
)
from tallow.migrate.pairs import Cause
from tallow.migrate.protocol import Request

OnInstrument = Callable[[], None]
"""Called when an instrument is done."""

BlockComparer = Callable[[Request, pl.DataFrame, pl.DataFrame, OnInstrument], None]
"""Compares the control's and the candidate's answer to a block, now or later."""


@dataclass(frozen=True)
class ComparisonRules:
    """When two values count as equal, and which causes do not explain a difference."""

    tolerance: Tolerance = field(default_factory=Tolerance)
    rejected: Cause = field(default_factory=lambda: Cause(0))


@dataclass
class ComparisonValues:
    """The result of comparing answers, over all instruments so far."""

    names: SeriesNames = field(default_factory=SeriesNames)
    """The series that were compared, and those that only one side has."""
    rows: tuple[int, int, int] = (0, 0, 0)
    """Bars of both sides, of the control only, of the candidate only."""
    first: int | None = None
    last: int | None = None
    """Earliest and latest bar, microseconds since 1970 in UTC; None without bars."""
    instruments: dict[str, dict[str, ValueCounts]] = field(default_factory=dict)
    """Counts by instrument and series."""
    decimals: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    """The decimals that each side keeps, by series; None where it keeps all."""
    worst: dict[str, list[WorstRow]] = field(default_factory=dict)
    """The worst rows by series, worst first."""
    flips: dict[str, DecisionCounts] = field(default_factory=dict)
    """Decisions by rule."""

    def series(self) -> dict[str, ValueCounts]:
        """Return counts by series, over all instruments."""
        found = {name: ValueCounts() for name in self.names.compared}
        for by_series in self.instruments.values():
            for name, counts in by_series.items():
                found[name].add(counts)
        return found

    def total(self) -> ValueCounts:
        """Return counts over everything."""
        return add_up(self.series().values())

    @property
    def flipped(self) -> int:
        """Decisions that differ, over all rules."""
        return sum(counts.flipped for counts in self.flips.values())

    def decisions(self) -> tuple[int, int, int]:
        """Return the bars with a decision of either side, flips and unexplained ones, in all."""
        flips = self.flips.values()
        unexplained = sum(each.unexplained for each in flips)
        return sum(each.same + each.flipped for each in flips), self.flipped, unexplained

    def add(self, other: ComparisonValues) -> None:
        """Add the values of other instruments."""
        self.names = self.names.merge(other.names)
        both, control, candidate = zip(self.rows, other.rows, strict=True)
        self.rows = (sum(both), sum(control), sum(candidate))
        for time in (other.first, other.last):
            if time is not None:
                self.widen(time, time)
        self.instruments |= other.instruments
        self.decimals = other.decimals | self.decimals
        for series, rows in other.worst.items():
            self.keep_worst(series, rows)
        for name, counts in other.flips.items():
            self.flips.setdefault(name, DecisionCounts(counts.rule)).add(counts)

    def widen(self, first: int, last: int) -> None:
        """Widen the range of times to include these."""
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)

    def keep_worst(self, series: str, rows: list[WorstRow]) -> None:
        """Keep the worst of these and the present rows of a series."""
        ranked = sorted((*self.worst.get(series, ()), *rows), key=WorstRow.rank)
        self.worst[series] = ranked[:COMPARE_WORST_ROWS]


def compare_answers(
    request: Request,
    control: pl.DataFrame,
    candidate: pl.DataFrame,
    rules: ComparisonRules,
    on_instrument: OnInstrument = lambda: None,
) -> ComparisonValues:
    """Compare two answers to a request; `ComparisonError` if one breaks the protocol of engines."""
    left, right = Answer.of("control", control), Answer.of("candidate", candidate)
    found = ComparisonValues(names=choose_series(request, left, right))
    found.decimals = {
        name: (_decimals(left, name), _decimals(right, name)) for name in found.names.compared
    }
    decision_rules = list_rules(request.indicators, found.names.compared)
    found.flips = {rule.name: DecisionCounts(rule) for rule in decision_rules}
    classifier = Classifier(request, control, candidate)
    for rows in join_rows(left, right):
        _add_rows(found, rows)
        compared = {
            name: _compare_series(found, rows, name, classifier, rules)
            for name in found.names.compared
        }
        found.instruments[rows.instrument] = {name: one[0] for name, one in compared.items()}
        differences = {name: one[1] for name, one in compared.items()}
        for counts in found.flips.values():
            add_decisions(counts, rows, differences)
        on_instrument()
    return found


def _decimals(answer: Answer, series: str) -> int | None:
    values = answer.columns.get(series)
    return None if values is None else decimals_of(values)


def _compare_series(
    found: ComparisonValues,
    rows: InstrumentRows,
    series: str,
    classifier: Classifier,
    rules: ComparisonRules,
) -> tuple[ValueCounts, SeriesDifference]:
    pair = rows.pair(series)
    matches = match_rows(pair, rules.tolerance, found.decimals[series])
    causes = np.zeros(len(matches), np.int64)
    if np.any(matches >= Match.DIFFERENT):
        causes = classifier.causes(pair)
        found.keep_worst(series, list(find_worst_rows(pair, matches, causes, rules.rejected, rows)))
    unexplained = (matches >= Match.DIFFERENT) & unexplained_rows(causes, rules.rejected)
    counts = count_rows(pair, matches, causes, rules.rejected)
    return counts, (matches > Match.EQUAL, unexplained)


def _add_rows(found: ComparisonValues, rows: InstrumentRows) -> None:
    both, control, candidate = found.rows
    found.rows = (
        both + int(np.count_nonzero(rows.in_control & rows.in_candidate)),
        control + int(np.count_nonzero(~rows.in_candidate)),
        candidate + int(np.count_nonzero(~rows.in_control)),
    )
    if len(rows.timestamp):
        found.widen(int(rows.timestamp[0]), int(rows.timestamp[-1]))
