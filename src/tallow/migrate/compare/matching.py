"""How two values of one row match: the same, the same after rounding, or different."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from tallow.core.arrays import Codes, Flags, Floats
from tallow.core.errors import ParameterError
from tallow.migrate.causes.rounding import has_decimals
from tallow.migrate.pairs import SeriesPair

DIGITS = 6
"""Most decimals that are looked for; a side that keeps more is taken to keep all."""

ENOUGH_VALUES = 8
"""Different values needed to find the decimals: by chance, one value in ten ends in a zero."""

HALF = 0.5 + 1e-9
"""Half a unit of the last decimal, and the rounding error of a tie."""


class Match(enum.IntEnum):
    """What a row counts as: each row as one thing, the first that applies."""

    NOTHING = 0
    EQUAL = enum.auto()
    ROUNDED = enum.auto()
    TOLERATED = enum.auto()
    DIFFERENT = enum.auto()
    ONLY_CANDIDATE = enum.auto()
    ONLY_CONTROL = enum.auto()


@dataclass(frozen=True)
class Tolerance:
    """How far apart two values may be and still count as equal; any of the three is enough.

    Parameters
    ----------
    absolute
        Largest difference, in the unit of the series.
    relative
        Largest difference, as a share of the larger of both amounts.
    ulps
        Most representable doubles from one to the other.
    """

    absolute: float = 1e-9
    relative: float = 1e-9
    ulps: int = 4

    def __post_init__(self) -> None:
        for name, value in (("absolute", self.absolute), ("relative", self.relative)):
            if not 0.0 <= value < np.inf:
                raise ParameterError(f"tolerance: {name}={value}; must be 0 or more, and finite")
        if self.ulps < 0:
            raise ParameterError(f"tolerance: ulps={self.ulps}; must be 0 or more")

    def holds(self, left: Floats, right: Floats) -> Flags:
        """Return for each row whether its values count as equal; False where one is missing."""
        absolute, share = distances(left, right)
        near = (absolute <= self.absolute) | (share <= self.relative)
        return near | (_count_ulps(left, right) <= self.ulps)


def distances(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Return absolute differences, and these as shares of the larger amount, 0 to 2.

    NaN where a value is missing; the share is infinite where a value is.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        absolute = np.where(left == right, 0.0, np.abs(left - right))
    larger = np.maximum(np.abs(left), np.abs(right))
    share = np.zeros_like(absolute)
    np.divide(absolute, larger, out=share, where=(absolute > 0.0) & np.isfinite(larger))
    share[np.isinf(absolute)] = np.inf
    share[np.isnan(absolute)] = np.nan
    return absolute, share


def match_rows(
    pair: SeriesPair, tolerance: Tolerance, decimals: tuple[int | None, int | None]
) -> Codes:
    """Return each row's `Match`; `decimals` are those that each side keeps, from `decimals_of`."""
    left, right = pair.control, pair.candidate
    no_left, no_right = np.isnan(left), np.isnan(right)
    found = np.full(len(left), Match.DIFFERENT, dtype=np.int8)
    found[tolerance.holds(left, right)] = Match.TOLERATED
    found[_rounds_to(left, right, decimals)] = Match.ROUNDED
    found[left.view(np.int64) == right.view(np.int64)] = Match.EQUAL
    found[no_left] = Match.ONLY_CANDIDATE
    found[no_right] = Match.ONLY_CONTROL
    found[no_left & no_right] = Match.NOTHING
    return found


def decimals_of(values: Floats) -> int | None:
    """Return the decimals that all values are rounded to; None where they are not, or too few.

    Examples
    --------
    >>> decimals_of(np.arange(20) / 4)
    2
    >>> decimals_of(np.array([700.25, 701.5])) is None
    True
    """
    usable = values[np.isfinite(values) & (values != 0.0)]
    for digits in range(DIGITS + 1):
        if has_decimals(usable, digits).all():
            return digits if len(np.unique(usable[:1_000])) >= ENOUGH_VALUES else None
    return None


def _rounds_to(left: Floats, right: Floats, decimals: tuple[int | None, int | None]) -> Flags:
    """Return where the finer side, rounded, is the coarser one; ties count in both directions."""
    fine, coarse = (DIGITS + 1 if digits is None else digits for digits in decimals)
    if fine == coarse:
        return np.zeros(len(left), dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        difference = np.abs(left - right)
    # The error of a tie depends on its larger value, not on the difference.
    error = 4.0 * np.spacing(np.maximum(np.abs(left), np.abs(right)))
    return difference <= HALF * 10.0 ** -min(fine, coarse) + error


def _count_ulps(left: Floats, right: Floats) -> Floats:
    """Return how many doubles lie between two of the same sign; infinite for all others."""
    count = np.full(len(left), np.inf)
    same = (np.signbit(left) == np.signbit(right)) & np.isfinite(left) & np.isfinite(right)
    count[same] = np.abs(left[same].view(np.int64) - right[same].view(np.int64))
    return count
