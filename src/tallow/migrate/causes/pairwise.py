"""Two series whose formula is not known: what can be told from their values alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tallow.migrate.causes.bars import Flags, Floats
from tallow.migrate.causes.rounding import SAME_RELATIVE, Printed, is_finer
from tallow.migrate.pairs import Cause, SeriesPair

Causes = NDArray[np.int64]

ROWS_MIN = 5
"""Rows that must agree, with values of their own, before another unit or label is believed."""

CONVERGING_MIN = 8
"""Rows in a row whose difference must shrink by the same factor to be one of the seed."""

RATIO_SAME = 1e-6
"""How equal these factors must be, relative."""

SHIFTS = (1, -1, 2, -2, 3, -3)


def pairwise(pair: SeriesPair, rows: Flags, bars: Causes | None) -> Causes:
    """Return the causes of the given rows, `Cause.UNEXPLAINED` where the values tell none.

    Parameters
    ----------
    rows
        Bool (rows,): those to explain.
    bars
        Int64 (rows,): why the bars differ there; None where it is known that this is not why.
    """
    control, candidate = pair.control, pair.candidate
    found = np.zeros(len(rows), dtype=np.int64)
    for test in (_rounded, _zero, _scaled, _shifted, _converging):
        open_rows = rows & (found == 0)
        if open_rows.any():
            found = np.where(open_rows, test(control, candidate, open_rows), found)
    if bars is not None:
        found = np.where(rows & (found == 0), _after_bars(rows, bars), found)
    return np.where(rows & (found == 0), int(Cause.UNEXPLAINED), found)


def _rounded(control: Floats, candidate: Floats, rows: Flags) -> Causes:
    """Find the rows in which one side is the other one, rounded."""
    return np.where(_prints(control, candidate, rows), int(Cause.ROUNDING), 0)


def _prints(control: Floats, candidate: Floats, rows: Flags) -> Flags:
    found = np.zeros(len(rows), dtype=np.bool_)
    places = np.flatnonzero(rows)
    for one, other in ((control, candidate), (candidate, control)):
        fit = Printed(one[places], 0.0).fit(other[places])
        # Of two that both have few decimals, neither is the other one, rounded.
        if is_finer(other, fit.unit):
            found[places] |= fit.rounded
    return found


def _zero(control: Floats, candidate: Floats, rows: Flags) -> Causes:
    """Find the leading rows in which one side is zero where the other one has no value."""
    found = np.zeros(len(rows), dtype=np.int64)
    for one, other in ((control, candidate), (candidate, control)):
        told = np.flatnonzero(~np.isnan(other))
        leading = np.arange(len(rows)) < (told[0] if len(told) else len(rows))
        found[rows & leading & (one == 0.0)] = int(Cause.ZERO_IN_WARM_UP)
    return found


def _scaled(control: Floats, candidate: Floats, rows: Flags) -> Causes:
    """Find the rows in which one side is a hundred times the other, if they are many."""
    best, most = np.zeros(len(rows), dtype=np.int64), 0
    # Which side is multiplied matters to the other one's decimals.
    for scale in (100.0, 0.01):
        for one, other in ((control, candidate), (candidate, control)):
            same, rounded = _agreeing(one, other * scale, rows)
            count = int((same | rounded).sum())
            if count > most and _speaks(same | rounded, rows, one):
                best, most = _flags(same | rounded, Cause.RATIO_AGAINST_PERCENT, rounded), count
    return best


def _shifted(control: Floats, candidate: Floats, rows: Flags) -> Causes:
    """Find the rows in which one side has the value that the other has a few rows away."""
    for shift in SHIFTS:
        moved = np.roll(candidate, shift)
        moved[: max(shift, 0)] = np.nan
        moved[len(moved) + min(shift, 0) :] = np.nan
        same, rounded = _agreeing(control, moved, rows)
        if _speaks(same | rounded, rows, control):
            both = np.isnan(control) & np.isnan(moved)
            edge = rows & (both | np.isnan(moved) & _near_edge(len(rows), shift))
            return _flags(same | rounded | edge, Cause.SHIFTED_LABEL, rounded)
    return np.zeros(len(rows), dtype=np.int64)


def _flags(rows: Flags, cause: Cause, rounded: Flags) -> Causes:
    found = np.zeros(len(rows), dtype=np.int64)
    found[rows] = int(cause)
    found[rounded] |= int(Cause.ROUNDING)
    return found


def _near_edge(count: int, shift: int) -> Flags:
    """Return the rows whose value would come from beyond the series."""
    rows = np.arange(count)
    return rows < shift if shift > 0 else rows >= count + shift


def _agreeing(control: Floats, candidate: Floats, rows: Flags) -> tuple[Flags, Flags]:
    distance = np.abs(control - candidate)
    same = rows & (distance <= SAME_RELATIVE * np.abs(candidate))
    return same, _prints(control, candidate, rows & ~same)


def _speaks(agreeing: Flags, rows: Flags, values: Floats) -> bool:
    """Say whether agreement in these rows can be no chance: most of them, and unlike values."""
    unlike = len(np.unique(values[agreeing]))
    return unlike >= ROWS_MIN and int(agreeing.sum()) * 2 > int(rows.sum())


def _converging(control: Floats, candidate: Floats, rows: Flags) -> Causes:
    """Find the rows in which the difference shrinks by one factor from row to row."""
    found = np.zeros(len(rows), dtype=np.int64)
    difference = np.where(rows, control - candidate, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = difference[1:] / difference[:-1]
    # What the last bits of both sides do to the ratio of two small differences.
    noise = 4.0 * np.spacing(np.abs(control[1:])) / np.abs(difference[1:])
    steady = np.abs(ratio[1:] - ratio[:-1]) <= (RATIO_SAME + noise[1:]) * np.abs(ratio[:-1])
    steady &= (ratio[1:] > 0.0) & (ratio[1:] < 1.0) & (noise[1:] < RATIO_SAME * 100.0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], steady, [False]]).astype(np.int8)))
    for first, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - first >= CONVERGING_MIN:
            found[first : stop + 2] = int(Cause.OTHER_SEED)
            _extend(found, control, candidate, float(ratio[stop]), int(stop) + 2)
    return found


def _extend(found: Causes, control: Floats, candidate: Floats, ratio: float, row: int) -> None:
    """Go on to where the difference is lost among the last bits."""
    expected = abs(control[row - 1] - candidate[row - 1])
    while row < len(found):
        expected *= ratio
        off = abs(abs(control[row] - candidate[row]) - expected)
        if not off <= 8.0 * np.spacing(abs(control[row])) + RATIO_SAME * expected:
            return
        found[row] = int(Cause.OTHER_SEED)
        row += 1


def _after_bars(rows: Flags, bars: Causes) -> Causes:
    """Explain a run of rows that begins at a bar that differs by why that bar differs."""
    found = np.zeros(len(rows), dtype=np.int64)
    running = 0
    for row in np.flatnonzero(rows):
        running = running if row > 0 and rows[row - 1] else 0
        running |= int(bars[row])
        found[row] = running
    return found
