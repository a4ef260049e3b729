"""Whether one series is another one, to the last bits or to the decimals it was printed with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints

DECIMALS_MAX = 10
"""Most decimals that count as rounding: ratios are kept with so many."""

SAME_RELATIVE = 1e-11
"""What another order of the same arithmetic may change; far below any rounding and any cause."""

SINGLE = 2.0**-24
"""Largest relative error of a number kept in single precision."""

PATTERN_ROWS = 3
"""Fewest rows that must be rounded, or cut off, alike to accept it, where as many differ."""

PATTERN_SHARE = 0.2
"""Share of the rows with few decimals that must be rounded: means of few prices have few, too."""

_UNROUNDED = 99


@dataclass(frozen=True)
class Fit:
    """How a model reproduces a side's values; each array bool, shape (rows,) or (models, rows)."""

    same: Flags
    """The same value."""
    missing: Flags
    """No value in either."""
    rounded: Flags
    """The model, rounded."""
    zero: Flags
    """Zero, where the model has no value."""
    capped: Flags
    """The largest, or the smallest, of all values, where the model goes beyond it."""
    tolerance: Floats
    """Float64 of the same shape: how far the value may be from the model and still count as the
    same."""
    unit: Floats
    """What the values were rounded to, one number for each model; 0 where they were not."""

    @cached_property
    def explained(self) -> Flags:
        """Rows that the model reproduces in one of these ways."""
        return self.same | self.missing | self.rounded | self.zero | self.capped


def has_decimals(values: Floats, digits: int) -> Flags:
    """Return which values have at most so many decimals; False where one is missing."""
    scale = 10.0**digits
    # Two units in the last place: some divide by the scale, some multiply by its inverse.
    error = 2.0 * np.spacing(np.abs(values))
    return np.asarray(np.abs(np.rint(values * scale) / scale - values) <= error)


class PrintedValues:
    """A side's values of one series, and how they were rounded.

    `values` are float64 (rows,), NaN where there is none; `noise` is the absolute error of a sum of
    prices of this size.
    """

    def __init__(self, values: Floats, noise: float) -> None:
        self.values = values
        self.noise = noise

    @cached_property
    def decimals(self) -> Ints:
        """Each value's decimals, 0..`DECIMALS_MAX`; larger where it has more, or is missing."""
        found = np.full(len(self.values), _UNROUNDED)
        for digits in range(DECIMALS_MAX, -1, -1):
            found[has_decimals(self.values, digits)] = digits
        return found

    @cached_property
    def is_single(self) -> bool:
        """Whether all values fit into single precision, and not only because of few decimals."""
        with np.errstate(over="ignore"):
            narrow = self.values.astype(np.float32).astype(np.float64)
        fits = (narrow == self.values) | np.isnan(self.values)
        return bool(fits.all() and (self.decimals[~np.isnan(self.values)] == _UNROUNDED).any())

    def select(self, rows: Ints) -> PrintedValues:
        """Return some of the rows."""
        selected = PrintedValues(self.values[rows], self.noise)
        selected.decimals = self.decimals[rows]
        selected.is_single = self.is_single
        return selected

    def fit(self, model: Floats, undefined: Flags | None = None) -> Fit:
        """Return where `model` reproduces the values: one of (rows,), or many of (models, rows).

        `undefined` are rows where the model's value is only a convention, such as the relative
        strength of a price that never moved: zero is as good there.
        """
        values = self.values
        size, distance = np.abs(model), np.abs(values - model)
        tolerance = SAME_RELATIVE * size + self.noise
        no_model, no_value = np.isnan(model), np.isnan(values)
        same, missing = distance <= tolerance, no_model & no_value
        zero = (values == 0.0) & (no_model if undefined is None else no_model | undefined) & ~same
        rest = ~(same | zero | no_model | no_value)
        rounded, unit = self._find_rounded(model, distance, rest, tolerance)
        units = unit[..., None]
        if self.is_single:
            tolerance = tolerance + units * size
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                near = np.abs(np.rint(values / units) * units - values) <= tolerance
            tolerance = np.where(near, units / 2.0 + tolerance, tolerance)
        capped = self._find_capped(model, rest & ~rounded)
        return Fit(same, missing, rounded, zero, capped, tolerance, unit)

    def _find_capped(self, model: Floats, rest: Flags) -> Flags:
        """Return the rows that a limit cuts off: they repeat the extreme value."""
        found = np.zeros(rest.shape, dtype=np.bool_)
        for beyond, extreme in ((model > self.values, np.fmax), (model < self.values, np.fmin)):
            at = rest & beyond & (self.values == extreme.reduce(self.values, initial=np.nan))
            found |= at & (at.sum(axis=-1, keepdims=True) >= PATTERN_ROWS)
        return found

    def _find_rounded(
        self, model: Floats, distance: Floats, rest: Flags, tolerance: Floats
    ) -> tuple[Flags, Floats]:
        """Return the rows that are rounded in the way that fits most of them, and their unit."""
        if self.is_single:
            single = rest & (distance <= SINGLE * np.abs(model) + tolerance)
            return single, np.full(rest.shape[:-1], SINGLE)
        best, finest = np.zeros(rest.shape, dtype=np.bool_), np.zeros(rest.shape[:-1])
        most = np.zeros(rest.shape[:-1], dtype=np.int64)
        few = rest & (self.decimals <= DECIMALS_MAX)
        # Zero is printed the same with any decimals, and is no evidence.
        is_evidence = self.values != 0.0
        # Cut off, not rounded: toward zero, by less than one unit.
        less = (np.abs(self.values) <= np.abs(model) + tolerance) & (self.values * model >= 0.0)
        for digits in np.unique(self.decimals[np.atleast_2d(few).any(axis=0)])[::-1]:
            unit = 10.0 ** -float(digits)
            has_some = (few & (self.decimals == digits)).any(axis=-1, keepdims=True)
            printable = few & (self.decimals <= digits) & has_some
            near = printable & (distance <= unit / 2.0 + tolerance)
            for found in (near, printable & less & (distance < unit)):
                count = (found & is_evidence).sum(axis=-1)
                is_better = count > most
                best = np.where(is_better[..., None], found, best)
                finest, most = np.where(is_better, unit, finest), np.where(is_better, count, most)
        # One value with few decimals may be wrong; a pattern takes several, and a share of all.
        fewest = np.minimum(PATTERN_ROWS, rest.sum(axis=-1))
        enough = most >= np.maximum(fewest, PATTERN_SHARE * few.sum(axis=-1))
        return best & enough[..., None], np.where(enough, finest, 0.0)


def is_finer(values: Floats, unit: Floats) -> bool:
    """Return whether most values have digits below `unit`: only then can others round them."""
    present = values[~np.isnan(values)]
    if not unit or not len(present):
        return False
    off = np.abs(np.rint(present / unit) * unit - present)
    return bool((off > SAME_RELATIVE * np.abs(present)).sum() * 2 > len(present))
