"""Two answers to one request, compared: counts, causes and flips of every instrument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tallow.core.limits import COMPARE_PLACES
from tallow.migrate.compare.counts import (
    Causes,
    Counts,
    Place,
    count_rows,
    total_of,
    unexplained_rows,
    worst_places,
)
from tallow.migrate.compare.flips import Account, Decided, add_decisions, rules_for
from tallow.migrate.compare.matching import Match, Tolerance, decimals_of, match_rows
from tallow.migrate.compare.pairing import Answer, Joined, SeriesNames, join_rows, series_names
from tallow.migrate.pairs import Cause, SeriesPair
from tallow.migrate.protocol import Request

OnInstrument = Callable[[], None]
"""Called when an instrument is done."""


class Classifies(Protocol):
    """Whatever tells why rows differ: `tallow.migrate.causes.Classifier`."""

    def causes(self, pair: SeriesPair) -> NDArray[np.int64]:
        """Return each row's `Cause` flags."""


@dataclass(frozen=True)
class Rules:
    """When two values count as one, and which causes do not explain a difference."""

    tolerance: Tolerance = field(default_factory=Tolerance)
    rejected: Cause = field(default_factory=lambda: Cause(0))


@dataclass
class Values:
    """What comparing answers found, over all instruments so far.

    Attributes
    ----------
    names
        The series that were compared, and those that only one side tells.
    rows
        Bars of both sides, of the control alone, of the candidate alone.
    first, last
        Earliest and latest bar, microseconds since 1970 in UTC; None without bars.
    instruments
        Counts by instrument and series.
    decimals
        The decimals that each side was found to keep, by series; None where it keeps all.
    places
        The worst rows by series, worst first.
    flips
        Decisions by rule.
    """

    names: SeriesNames = field(default_factory=SeriesNames)
    rows: tuple[int, int, int] = (0, 0, 0)
    first: int | None = None
    last: int | None = None
    instruments: dict[str, dict[str, Counts]] = field(default_factory=dict)
    decimals: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    places: dict[str, list[Place]] = field(default_factory=dict)
    flips: dict[str, Decided] = field(default_factory=dict)

    def series(self) -> dict[str, Counts]:
        """Return counts by series, over all instruments."""
        found = {name: Counts() for name in self.names.compared}
        for by_series in self.instruments.values():
            for name, counts in by_series.items():
                found[name].add(counts)
        return found

    def total(self) -> Counts:
        """Return counts over everything."""
        return total_of(self.series().values())

    @property
    def flipped(self) -> int:
        """Decisions that differ, over all rules."""
        return sum(decided.flipped for decided in self.flips.values())

    def decisions(self) -> tuple[int, int]:
        """Return bars with a decision of either side, and unexplained flips, over all rules."""
        flips = self.flips.values()
        return sum(each.same + each.flipped for each in flips), sum(
            each.unexplained for each in flips
        )

    def add(self, other: Values) -> None:
        """Add what was found for other instruments."""
        self.names = self.names.merged(other.names)
        both, control, candidate = zip(self.rows, other.rows, strict=True)
        self.rows = (sum(both), sum(control), sum(candidate))
        for moment in (other.first, other.last):
            if moment is not None:
                self.widen(moment, moment)
        self.instruments |= other.instruments
        self.decimals = other.decimals | self.decimals
        for series, places in other.places.items():
            self.keep_places(series, places)
        for name, decided in other.flips.items():
            self.flips.setdefault(name, Decided(decided.rule)).add(decided)

    def widen(self, first: int, last: int) -> None:
        """Take the times of bars into the span."""
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)

    def keep_places(self, series: str, places: list[Place]) -> None:
        """Keep the worst places of a series."""
        ranked = sorted((*self.places.get(series, ()), *places), key=Place.rank)
        self.places[series] = ranked[:COMPARE_PLACES]


def compare_answers(
    request: Request,
    control: pl.DataFrame,
    candidate: pl.DataFrame,
    rules: Rules,
    on_instrument: OnInstrument = lambda: None,
) -> Values:
    """Compare two answers to one request.

    Raises
    ------
    ComparisonError
        If one of them is not what an engine must answer.
    """
    left, right = Answer.of("control", control), Answer.of("candidate", candidate)
    found = Values(names=series_names(request, left, right))
    found.decimals = {
        name: (_decimals(left, name), _decimals(right, name)) for name in found.names.compared
    }
    deciding = rules_for(request.indicators, found.names.compared)
    found.flips = {rule.name: Decided(rule) for rule in deciding}
    classifier = _Lazy(request, control, candidate)
    for rows in join_rows(left, right):
        _add_rows(found, rows)
        compared = {
            name: _compare_series(found, rows, name, classifier, rules)
            for name in found.names.compared
        }
        found.instruments[rows.instrument] = {name: one[0] for name, one in compared.items()}
        accounts = {name: one[1] for name, one in compared.items()}
        for decided in found.flips.values():
            add_decisions(decided, rows, accounts)
        on_instrument()
    return found


class _Lazy:
    """A classifier that is made when the first row differs: equal answers cost nothing."""

    def __init__(self, *given: Any) -> None:
        self._given = given

    @cached_property
    def _classifier(self) -> Classifies:
        from tallow.migrate.causes import Classifier

        return cast("Classifies", Classifier(*self._given))

    def causes(self, pair: SeriesPair) -> Causes:
        return self._classifier.causes(pair)


def _decimals(answer: Answer, series: str) -> int | None:
    values = answer.columns.get(series)
    return None if values is None else decimals_of(values)


def _compare_series(
    found: Values, rows: Joined, series: str, classifier: Classifies, rules: Rules
) -> tuple[Counts, Account]:
    pair = rows.pair(series)
    matches = match_rows(pair, rules.tolerance, found.decimals[series])
    causes = np.zeros(len(matches), np.int64)
    if np.any(matches >= Match.DIFFERENT):
        causes = classifier.causes(pair)
        found.keep_places(series, list(worst_places(pair, matches, causes, rules.rejected, rows)))
    lacking = (matches >= Match.DIFFERENT) & unexplained_rows(causes, rules.rejected)
    return count_rows(pair, matches, causes, rules.rejected), (matches > Match.EQUAL, lacking)


def _add_rows(found: Values, rows: Joined) -> None:
    both, control, candidate = found.rows
    found.rows = (
        both + int(np.count_nonzero(rows.in_control & rows.in_candidate)),
        control + int(np.count_nonzero(~rows.in_candidate)),
        candidate + int(np.count_nonzero(~rows.in_control)),
    )
    if len(rows.timestamp):
        found.widen(int(rows.timestamp[0]), int(rows.timestamp[-1]))
