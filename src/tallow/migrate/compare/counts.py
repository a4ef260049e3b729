"""Counts of a series: rows by their match, causes, the largest differences, the worst rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tallow.core.arrays import Codes, Flags, Floats, Times
from tallow.core.limits import COMPARE_WORST_ROWS
from tallow.migrate.compare.matching import Match, distances
from tallow.migrate.compare.pairing import InstrumentRows
from tallow.migrate.pairs import Cause, CauseFlags, SeriesPair

CHART_BARS = 30
"""Bars on each side of a worst row in its chart; no two worst rows are nearer than that."""


KINDS = ("equal", "rounded", "tolerated", "different", "only_control", "only_candidate")
"""Counts that add up to the values compared: each value is one of these."""


def cause_name(cause: Cause) -> str:
    """Return a cause's name in reports and on the command line.

    Examples
    --------
    >>> cause_name(Cause.LOOK_AHEAD)
    'look-ahead'
    """
    return (cause.name or "").lower().replace("_", "-")


@dataclass
class ValueCounts:
    """Values of one series: of one instrument, or added up."""

    equal: int = 0
    rounded: int = 0
    tolerated: int = 0
    """The same bits; the same after rounding to the coarser side's decimals; within tolerance."""
    different: int = 0
    """Both sides have a value, and not the same one."""
    only_control: int = 0
    only_candidate: int = 0
    """One side has a value where the other has none, or no row."""
    unexplained: int = 0
    """Those of the last three kinds without an accepted cause."""
    causes: Counter[str] = field(default_factory=Counter)
    """Number of values that differ for a cause, by its name; a value may have several."""
    max_absolute: float = 0.0
    max_relative: float = 0.0
    """Largest difference of two values, and as a share of the larger amount."""

    @property
    def compared(self) -> int:
        """Values that at least one side has."""
        return self.same + self.differing

    @property
    def same(self) -> int:
        """Values that count as equal."""
        return self.equal + self.rounded + self.tolerated

    @property
    def differing(self) -> int:
        """Values that do not count as equal: different, or on one side only."""
        return self.different + self.only_control + self.only_candidate

    @property
    def explained(self) -> int:
        """Values that differ for an accepted cause."""
        return self.differing - self.unexplained

    def add(self, other: ValueCounts) -> None:
        """Add other counts."""
        for name in (*KINDS, "unexplained"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.causes.update(other.causes)
        self.max_absolute = max(self.max_absolute, other.max_absolute)
        self.max_relative = max(self.max_relative, other.max_relative)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; an infinite difference is None."""
        names = ("compared", *KINDS, "explained", "unexplained")
        return {name: getattr(self, name) for name in names} | {
            "causes": dict(self.causes.most_common()),
            "max_absolute": finite_or_none(self.max_absolute),
            "max_relative": finite_or_none(self.max_relative),
        }


def add_up(counts: Iterable[ValueCounts]) -> ValueCounts:
    """Return the sum of counts."""
    total = ValueCounts()
    for each in counts:
        total.add(each)
    return total


def finite_or_none(value: float) -> float | None:
    """Return a number for JSON: None if it is missing or infinite."""
    return float(value) if np.isfinite(value) else None


def unexplained_rows(causes: CauseFlags, rejected: Cause) -> Flags:
    """Return which differing rows have no cause, or one that is not accepted."""
    not_accepted = np.int64(Cause.UNEXPLAINED | rejected)
    return np.asarray((causes == 0) | ((causes & not_accepted) != 0))


def count_rows(
    pair: SeriesPair, matches: Codes, causes: CauseFlags, rejected: Cause
) -> ValueCounts:
    """Count one series of one instrument; `causes` are used in rows that differ."""
    number = np.bincount(matches, minlength=len(Match))
    differs = matches >= Match.DIFFERENT
    counts = ValueCounts(
        equal=int(number[Match.EQUAL]),
        rounded=int(number[Match.ROUNDED]),
        tolerated=int(number[Match.TOLERATED]),
        different=int(number[Match.DIFFERENT]),
        only_control=int(number[Match.ONLY_CONTROL]),
        only_candidate=int(number[Match.ONLY_CANDIDATE]),
        unexplained=int(np.count_nonzero(differs & unexplained_rows(causes, rejected))),
    )
    own = causes[differs]
    for cause in Cause:
        has_cause = (own & int(cause)) != 0
        if cause is Cause.UNEXPLAINED:
            has_cause |= own == 0
        if count := int(np.count_nonzero(has_cause)):
            counts.causes[cause_name(cause)] = count
    absolute, share = distances(pair.control, pair.candidate)
    if np.any(valid := ~np.isnan(absolute)):
        counts.max_absolute = float(absolute[valid].max())
        counts.max_relative = float(share[valid].max())
    return counts


@dataclass(frozen=True)
class WorstRow:
    """One of the rows that differ most, at index `at` of the rows around it.

    `weight` is how bad it is: unexplained before explained, then by the difference as a share.
    """

    instrument: str
    series: str
    weight: float
    causes: tuple[str, ...]
    at: int
    timestamps: Times
    control: Floats
    candidate: Floats
    close: Floats

    @property
    def timestamp(self) -> int:
        """The row's time, microseconds since 1970 in UTC."""
        return int(self.timestamps[self.at])

    def rank(self) -> tuple[float, str, int]:
        """Return the sort key: worst first, and the same order in every run."""
        return -self.weight, self.instrument, self.timestamp

    def values(self) -> tuple[float | None, float | None]:
        """Return both sides' values; None where one has none."""
        return finite_or_none(self.control[self.at]), finite_or_none(self.candidate[self.at])


def find_worst_rows(
    pair: SeriesPair, matches: Codes, causes: CauseFlags, rejected: Cause, rows: InstrumentRows
) -> Iterator[WorstRow]:
    """Yield the worst rows of a series of an instrument, worst first, with the rows around them.

    Rows around a chosen one are skipped: they mostly differ for the same reason.
    """
    weight = _weights(pair, matches, unexplained_rows(causes, rejected))
    close = rows.close()
    for _ in range(COMPARE_WORST_ROWS):
        # As many for one instrument as a report has in all: the worst may all belong to one.
        row = int(np.argmax(weight))
        if weight[row] < 0.0:
            return
        around = slice(max(row - CHART_BARS, 0), row + CHART_BARS + 1)
        flags = int(causes[row]) or int(Cause.UNEXPLAINED)
        yield WorstRow(
            pair.instrument,
            pair.series,
            float(weight[row]),
            tuple(cause_name(cause) for cause in Cause if flags & cause),
            row - around.start,
            pair.timestamp[around].copy(),
            pair.control[around].copy(),
            pair.candidate[around].copy(),
            close[around].copy(),
        )
        weight[around] = -1.0


def _weights(pair: SeriesPair, matches: Codes, unexplained: Flags) -> Floats:
    """Return how bad each row is; -1 where it does not differ.

    A value that one side lacks has the least weight of its kind: a chart would show nothing.
    """
    share = np.nan_to_num(distances(pair.control, pair.candidate)[1], posinf=2.0)
    return np.where(matches >= Match.DIFFERENT, share + 10.0 * unexplained, -1.0)
