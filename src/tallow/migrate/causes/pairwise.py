"""Two series whose formula is not known: causes that follow from their values alone."""

from __future__ import annotations

import numpy as np

from tallow.core.arrays import Flags, Floats
from tallow.migrate.causes.rounding import SAME_RELATIVE, PrintedValues, is_finer
from tallow.migrate.pairs import Cause, CauseFlags, SeriesPair

ROWS_MIN = 5
"""Fewest rows with different values that must agree before another unit or label is accepted."""

CONVERGING_MIN = 8
"""Fewest rows in sequence whose difference must shrink by the same factor: another seed."""

RATIO_SAME = 1e-6
"""Largest relative difference of these factors."""

SHIFTS = (1, -1, 2, -2, 3, -3)


def explain_pairwise(pair: SeriesPair, rows: Flags, bars: CauseFlags | None) -> CauseFlags:
    """Return the causes of the given rows, `Cause.UNEXPLAINED` where none is found.

    `rows` are bool (rows,). `bars` are why the bars differ there, int64 (rows,), or None where they
    cannot be the reason.
    """
    control, candidate = pair.control, pair.candidate
    found = np.zeros(len(rows), dtype=np.int64)
    for test in (_find_rounded, _find_zeros, _find_scaled, _find_shifted, _find_converging):
        open_rows = rows & (found == 0)
        if open_rows.any():
            found = np.where(open_rows, test(control, candidate, open_rows), found)
    if bars is not None:
        found = np.where(rows & (found == 0), _spread_bar_causes(rows, bars), found)
    return np.where(rows & (found == 0), int(Cause.UNEXPLAINED), found)


def _find_rounded(control: Floats, candidate: Floats, rows: Flags) -> CauseFlags:
    """Find the rows in which one side is the other one, rounded."""
    return np.where(_is_rounding(control, candidate, rows), int(Cause.ROUNDING), 0)


def _is_rounding(control: Floats, candidate: Floats, rows: Flags) -> Flags:
    found = np.zeros(len(rows), dtype=np.bool_)
    numbers = np.flatnonzero(rows)
    for one, other in ((control, candidate), (candidate, control)):
        fit = PrintedValues(one[numbers], 0.0).fit(other[numbers])
        # If both have few decimals, neither is the rounded other.
        if is_finer(other, fit.unit):
            found[numbers] |= fit.rounded
    return found


def _find_zeros(control: Floats, candidate: Floats, rows: Flags) -> CauseFlags:
    """Find the leading rows in which one side is zero and the other one has no value."""
    found = np.zeros(len(rows), dtype=np.int64)
    for one, other in ((control, candidate), (candidate, control)):
        present = np.flatnonzero(~np.isnan(other))
        leading = np.arange(len(rows)) < (present[0] if len(present) else len(rows))
        found[rows & leading & (one == 0.0)] = int(Cause.ZERO_IN_WARM_UP)
    return found


def _find_scaled(control: Floats, candidate: Floats, rows: Flags) -> CauseFlags:
    """Find the rows in which one side is a hundred times the other, if they are many."""
    best, most = np.zeros(len(rows), dtype=np.int64), 0
    # It matters for the decimals which side is multiplied.
    for scale in (100.0, 0.01):
        for one, other in ((control, candidate), (candidate, control)):
            same, rounded = _find_agreement(one, other * scale, rows)
            count = int((same | rounded).sum())
            if count > most and _is_no_chance(same | rounded, rows, one):
                best, most = _flags(same | rounded, Cause.RATIO_AGAINST_PERCENT, rounded), count
    return best


def _find_shifted(control: Floats, candidate: Floats, rows: Flags) -> CauseFlags:
    """Find the rows in which one side has the value that the other has a few rows away."""
    for shift in SHIFTS:
        moved = np.roll(candidate, shift)
        moved[: max(shift, 0)] = np.nan
        moved[len(moved) + min(shift, 0) :] = np.nan
        same, rounded = _find_agreement(control, moved, rows)
        if _is_no_chance(same | rounded, rows, control):
            neither = np.isnan(control) & np.isnan(moved)
            edge = rows & (neither | np.isnan(moved) & _edge_rows(len(rows), shift))
            return _flags(same | rounded | edge, Cause.SHIFTED_LABEL, rounded)
    return np.zeros(len(rows), dtype=np.int64)


def _flags(rows: Flags, cause: Cause, rounded: Flags) -> CauseFlags:
    found = np.zeros(len(rows), dtype=np.int64)
    found[rows] = int(cause)
    found[rounded] |= int(Cause.ROUNDING)
    return found


def _edge_rows(count: int, shift: int) -> Flags:
    """Return the rows whose value would come from outside the series."""
    rows = np.arange(count)
    return rows < shift if shift > 0 else rows >= count + shift


def _find_agreement(control: Floats, candidate: Floats, rows: Flags) -> tuple[Flags, Flags]:
    """Return the rows whose values are the same, and those in which one rounds the other."""
    distance = np.abs(control - candidate)
    same = rows & (distance <= SAME_RELATIVE * np.abs(candidate))
    return same, _is_rounding(control, candidate, rows & ~same)


def _is_no_chance(agreeing: Flags, rows: Flags, values: Floats) -> bool:
    """Return whether agreement in these rows is no chance: most rows, and different values."""
    different = len(np.unique(values[agreeing]))
    return different >= ROWS_MIN and int(agreeing.sum()) * 2 > int(rows.sum())


def _find_converging(control: Floats, candidate: Floats, rows: Flags) -> CauseFlags:
    """Find the rows in which the difference shrinks by one factor from row to row."""
    found = np.zeros(len(rows), dtype=np.int64)
    difference = np.where(rows, control - candidate, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = difference[1:] / difference[:-1]
    # The effect of both sides' last bits on the ratio of two small differences.
    noise = 4.0 * np.spacing(np.abs(control[1:])) / np.abs(difference[1:])
    steady = np.abs(ratio[1:] - ratio[:-1]) <= (RATIO_SAME + noise[1:]) * np.abs(ratio[:-1])
    steady &= (ratio[1:] > 0.0) & (ratio[1:] < 1.0) & (noise[1:] < RATIO_SAME * 100.0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], steady, [False]]).astype(np.int8)))
    for first, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - first >= CONVERGING_MIN:
            found[first : stop + 2] = int(Cause.OTHER_SEED)
            _extend(found, control, candidate, float(ratio[stop]), int(stop) + 2)
    return found


def _extend(found: CauseFlags, control: Floats, candidate: Floats, ratio: float, row: int) -> None:
    """Extend the rows to where the difference disappears in the last bits."""
    expected = abs(control[row - 1] - candidate[row - 1])
    while row < len(found):
        expected *= ratio
        off = abs(abs(control[row] - candidate[row]) - expected)
        if not off <= 8.0 * np.spacing(abs(control[row])) + RATIO_SAME * expected:
            return
        found[row] = int(Cause.OTHER_SEED)
        row += 1


def _spread_bar_causes(rows: Flags, bars: CauseFlags) -> CauseFlags:
    """Explain a run of differing rows by the causes of the differing bars in it so far."""
    found = np.zeros(len(rows), dtype=np.int64)
    running = 0
    for row in np.flatnonzero(rows):
        running = running if row > 0 and rows[row - 1] else 0
        running |= int(bars[row])
        found[row] = running
    return found
