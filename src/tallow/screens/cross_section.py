"""Ranks and shares over the instruments of a population at one time.

What is computed depends on the values alone, never on the order of the instruments: rows are
sorted by value, equal ones share a rank, and sums are exact (`math.fsum`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from tallow.core.arrays import Codes, Flags, Floats, Ints, Times
from tallow.screens.series import MATCHED, UNKNOWN


@dataclass(frozen=True, eq=False)
class Sections:
    """Which bars are judged together: those of one open, and of one group of the population.

    `keys` numbers the section of each row; -1 where it is in none. `is_member`: whether a row is in
    the population of its section.
    """

    keys: Ints
    is_member: Flags


def sections_of(opens: Times, population: Flags | Ints | None) -> Sections:
    """Return the sections of rows.

    A population of flags is one group; whole numbers are a group for each, but negative ones, which
    are in none. None is all rows.
    """
    _, keys = np.unique(opens, return_inverse=True)
    if population is None:
        return Sections(keys, np.ones(len(keys), np.bool_))
    if population.dtype == np.bool_:
        return Sections(keys, population.astype(np.bool_))
    is_member = population >= 0
    groups, numbers = np.unique(population, return_inverse=True)
    return Sections(np.where(is_member, keys * len(groups) + numbers, -1), is_member)


@dataclass(frozen=True, eq=False)
class _Order:
    """The known rows of members by section and value, and where each section begins and ends."""

    rows: Ints
    values: Floats
    starts: Ints
    counts: Ints

    @classmethod
    def of(cls, values: Floats, sections: Sections) -> _Order:
        known = np.flatnonzero(sections.is_member & ~np.isnan(values))
        order = known[np.lexsort((values[known], sections.keys[known]))]
        keys = sections.keys[order]
        starts = np.flatnonzero(np.diff(keys, prepend=-1) != 0)
        return cls(order, values[order], starts, np.diff(starts, append=len(order)))

    def each(self, per_section: Ints) -> Ints:
        """Return a number of each section for each of its rows."""
        return np.repeat(per_section, self.counts)

    def spread(self, values: Floats, rows: int) -> Floats:
        """Return values of the ordered rows as a column; all other rows are unknown."""
        column = np.full(rows, np.nan)
        column[self.rows] = values
        return column


def _ranks(ordered: _Order) -> Floats:
    """Return each row's rank in its section, from 1; equal values have the mean of their ranks."""
    numbers = np.arange(len(ordered.rows))
    is_new = np.diff(ordered.values, prepend=np.nan) != 0
    is_new[ordered.starts] = True
    first = np.flatnonzero(is_new)
    last = np.append(first[1:], len(numbers)) - 1
    ranks: Floats = np.repeat((first + last) / 2, last - first + 1)
    return ranks - ordered.each(ordered.starts) + 1


def _rank(values: Floats, sections: Sections) -> Floats:
    ordered = _Order.of(values, sections)
    return ordered.spread(_ranks(ordered), len(values))


def _pct_rank(values: Floats, sections: Sections) -> Floats:
    """Return ranks from 0 to 1; 0.5 for one that is alone."""
    ordered = _Order.of(values, sections)
    others = ordered.each(ordered.counts) - 1
    shares = np.where(others > 0, (_ranks(ordered) - 1) / np.maximum(others, 1), 0.5)
    return ordered.spread(shares, len(values))


def _zscore(values: Floats, sections: Sections) -> Floats:
    ordered = _Order.of(values, sections)
    scores = [
        _scores(ordered.values[start : start + count])
        for start, count in zip(ordered.starts, ordered.counts, strict=True)
    ]
    return ordered.spread(np.concatenate([*scores, np.empty(0)]), len(values))


def _scores(values: Floats) -> Floats:
    """Return how many population deviations each value is from the mean; unknown if that is 0."""
    unknown = np.full(len(values), np.nan)
    try:
        mean = math.fsum(values.tolist()) / len(values)
        distances = values - mean
        deviation = math.sqrt(math.fsum((distances * distances).tolist()) / len(values))
    except OverflowError:
        return unknown
    return distances / deviation if 0 < deviation < math.inf else unknown


CROSS_SECTIONS: Mapping[str, Callable[[Floats, Sections], Floats]] = MappingProxyType(
    {
        "cs_rank": _rank,
        "cs_pct_rank": _pct_rank,
        "cs_zscore": _zscore,
    }
)
"""Operators over a population, by name."""


def breadth(states: Codes, sections: Sections) -> Floats:
    """Return, on every row of a section, how many of its known members match, as a share."""
    is_counted = sections.is_member & (states != UNKNOWN)
    count = int(sections.keys.max(initial=-1)) + 1
    known = np.bincount(sections.keys[is_counted], minlength=count)
    matched = np.bincount(sections.keys[is_counted & (states == MATCHED)], minlength=count)
    # One more, unknown, for the rows of no section.
    shares = np.append(np.where(known > 0, matched / np.maximum(known, 1), np.nan), np.nan)
    return shares[sections.keys]
