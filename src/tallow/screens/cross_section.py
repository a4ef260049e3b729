"""Ranks and shares over the instruments of a population at one time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np

from tallow.core.arrays import Codes, Flags, Floats, Ints, Times
from tallow.core.kernel import read_only
from tallow.core.registry import registry
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


def _compare(name: str, values: Floats, sections: Sections) -> Floats:
    """Return what an indicator that compares instruments makes of each section's known members."""
    indicator = registry().find(name)
    known = np.flatnonzero(sections.is_member & ~np.isnan(values))
    order = known[np.argsort(sections.keys[known], kind="stable")]
    keys = sections.keys[order]
    offsets = np.append(np.flatnonzero(np.diff(keys, prepend=-1) != 0), len(order))
    made = np.empty(len(order))
    state = indicator.new_state({}, len(offsets) - 1)
    parameters = indicator.kernel_parameters({})
    indicator.advance(state, parameters, offsets, read_only(values[order]), made)
    column = np.full(len(values), np.nan)
    column[order] = made
    return column


CROSS_SECTIONS: Mapping[str, Callable[[Floats, Sections], Floats]] = MappingProxyType(
    {name: partial(_compare, name) for name in ("cs_rank", "cs_pct_rank", "cs_zscore")}
)
"""Operators over a population, by name: indicators of bars, with the population of a screen."""


def breadth(states: Codes, sections: Sections) -> Floats:
    """Return, on every row of a section, how many of its known members match, as a share."""
    is_counted = sections.is_member & (states != UNKNOWN)
    count = int(sections.keys.max(initial=-1)) + 1
    known = np.bincount(sections.keys[is_counted], minlength=count)
    matched = np.bincount(sections.keys[is_counted & (states == MATCHED)], minlength=count)
    # One more, unknown, for the rows of no section.
    shares = np.append(np.where(known > 0, matched / np.maximum(known, 1), np.nan), np.nan)
    return shares[sections.keys]
