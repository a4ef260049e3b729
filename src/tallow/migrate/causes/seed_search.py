"""Finds where and how a series begins other than at the first bar in the usual way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.core.spec import Spec
from tallow.core.time import DAY_US
from tallow.migrate.causes.bars import Bars
from tallow.migrate.causes.models import FormulaModel, is_window, warmup_rows
from tallow.migrate.causes.rounding import DECIMALS_MAX, SAME_RELATIVE, SINGLE, Fit, PrintedValues
from tallow.migrate.causes.seeds import Average

ABSENT = "absent"
"""A segment without values: the warm-up of a series that begins again."""

CARRIED = "carried"
"""A segment that continues from a value whose history is not known."""


SEGMENTS_MAX = 64
"""Most segments that are looked for in one series."""

PROBES = 4
"""Rows of which a start must reproduce all but one to become a candidate."""

STARTS_MAX = 64
"""Most candidates that are compared on more rows."""

AHEAD = 48
"""Rows on which candidates are compared."""

DIGITS_USUAL, DIGITS_ANY = 3.0, 5.0
"""Significant digits that a start must reproduce, summed over its rows, before it is accepted: for
one that engines usually choose, and for any other. There are thousands of others, and a value of
few digits matches one of them by chance."""

ROW_DIGITS_MIN = 0.5
"""Fewest digits that a newly reproduced row counts for: a third of them match by chance."""

ROWS_MIN = 2
"""Fewest rows that a start must explain: a single one may be a wrong value."""


class SeedSegment(NamedTuple):
    """A part of a series that begins in its own way.

    It holds from the bar at `since` until the one at `until`, and its recursion begins at the bar
    at `start`. `value` is the value at `since` of a `CARRIED` one.
    """

    since: int
    kind: str
    start: int
    until: int | None = None
    value: float = 0.0


def with_segments(model: FormulaModel, segments: Sequence[SeedSegment], times: Times) -> Floats:
    """Return a model's values with those of its segments; `times` in the order of computation."""
    values = model.plain.copy()
    for segment in segments:
        row = _row_of(times, segment.since)
        if segment.kind == ABSENT:
            until = len(times) if segment.until is None else _row_of(times, segment.until)
            values[row:until] = np.nan
        elif row < len(times):
            values[row:] = _segment_values(model, segment, times, np.arange(row, len(times)))
    return values


def _segment_values(model: FormulaModel, segment: SeedSegment, times: Times, rows: Ints) -> Floats:
    """Return a segment's values at `rows`; the plain ones if the model cannot begin in its way."""
    if segment.kind == CARRIED and isinstance(model.seeds, Average):
        return model.seeds.continue_from(_row_of(times, segment.since), segment.value, rows)
    if model.seeds is None or segment.kind not in model.seeds.kinds:
        return model.plain[rows]
    start = np.array([_row_of(times, segment.start)])
    return np.asarray(model.seeds.values(segment.kind, start, rows)[0])


def _row_of(times: Times, time: int) -> int:
    return int(_rows_of(times, np.array([time]))[0])


def _rows_of(times: Times, wanted: Times) -> Ints:
    """Return the first rows that are not before the wanted times, in the order of computation."""
    if len(times) > 1 and times[0] > times[-1]:
        return np.searchsorted(-times, -wanted)
    return np.searchsorted(times, wanted)


@dataclass
class SeedSearch:
    """A search for the segments of one side's values, which are in the order of computation.

    `usual` are the rows at which engines usually begin, int64, rising.
    """

    model: FormulaModel
    bars: Bars
    printed: PrintedValues
    rows: Ints
    """Each value's row among the bars, int64 (values,), rising."""
    bad: Flags
    """Bool (values,): the model does not reproduce it yet."""
    scale: float
    warmup: int
    is_window: bool
    segments: list[SeedSegment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.values = self.printed.values
        self.plain = self.model.plain * self.scale
        self.slack = _slack(self.printed)
        session = self.bars.periods["session"]
        begins = np.flatnonzero(np.diff(session, prepend=np.nan) != 0.0)
        # Also whole days before the first value: a range's warm-up is usually fetched by days.
        days = (self.bars.time - self.bars.time[self.rows[0]]) % DAY_US == 0
        same = np.flatnonzero(days[: self.rows[0] + 1])
        self.usual = np.unique(np.concatenate([[0], begins, same])).astype(np.int64)

    def run(self) -> tuple[SeedSegment, ...]:
        """Explain the rows that are not reproduced, segment by segment."""
        at = 0
        while len(self.segments) < SEGMENTS_MAX and (found := self._next_break(at)) is not None:
            at = self._accept_gap(found) or self._find_start(found) or self._end_of_run(found)
        return tuple(self.segments)

    def _next_break(self, at: int) -> int | None:
        """Return the next value after which most are not reproduced; or the very first bad one."""
        for i in np.flatnonzero(self.bad[at:]) + at:
            ahead = self.bad[i : i + PROBES]
            if at == 0 or ahead.sum() >= PROBES - 1:
                return int(i)
        return None

    def _end_of_run(self, i: int) -> int:
        good = np.flatnonzero(~self.bad[i:])
        return i + int(good[0]) if len(good) else len(self.bad)

    def _accept_gap(self, i: int) -> int | None:
        """Accept missing or zero values as a warm-up if they have its length.

        Before its first value a window may have begun at any bar; a recursion is found by its seed.
        """
        stop = self._first_value(i)
        length = int(self.rows[stop - 1] - self.rows[i] + 1) if stop > i else 0
        is_whole = length == self.warmup and self.rows[i] in self.usual
        is_late = self.is_window and self._is_leading(i) and (~self.bad[stop:]).sum() >= ROWS_MIN
        if not length or not (is_whole or is_late):
            return None
        after = int(self.bars.time[self.rows[stop]]) if stop < len(self.rows) else None
        self._add_absent(i, after)
        self.bad[i:stop] = False
        return stop

    def _add_absent(self, i: int, until: int | None) -> None:
        since = int(self.bars.time[self.rows[i]])
        self.segments.append(SeedSegment(since, ABSENT, since, until))

    def _first_value(self, i: int) -> int:
        """Return the first value from `i` on that is neither missing nor zero."""
        present = ~np.isnan(self.values[i:]) & (self.values[i:] != 0.0)
        return i + (int(np.argmax(present)) if present.any() else len(present))

    def _is_leading(self, i: int) -> bool:
        """Return whether there is no value before `i`."""
        return self._first_value(0) >= i

    def _find_start(self, i: int) -> int | None:
        """Find the start that reproduces the values from `i` on."""
        seeds = self.model.seeds
        bad = np.flatnonzero(self.bad[i:] & np.isfinite(self.values[i:])) + i
        bad = bad[self.values[bad] != 0.0]
        if seeds is None or not len(bad):
            return None
        probes, ahead = bad[:PROBES], np.arange(bad[0], min(bad[0] + AHEAD, len(self.rows)))
        ahead = np.union1d(ahead, bad[:AHEAD])
        starts = seeds.starts(int(self.rows[bad[0]]), self.usual)
        best, most = None, 0
        for kind in seeds.kinds:
            for start in self._candidates(kind, starts, probes):
                matching = ahead[self._matches(kind, np.array([start]), ahead)[0]]
                usual = start in self.usual
                enough = self._digits(matching) >= (DIGITS_USUAL if usual else DIGITS_ANY)
                if enough and 2 * len(matching) + usual > most:
                    best, most = (kind, int(start)), 2 * len(matching) + usual
        return self._find_carried(i) if best is None else self._accept_start(i, *best)

    def _candidates(self, kind: str, starts: Ints, probes: Ints) -> Ints:
        matching = self._matches(kind, starts, probes).sum(axis=1)
        found = starts[matching >= max(1, len(probes) - 1)]
        usual = np.isin(found, self.usual)
        return np.concatenate([found[usual], found[~usual]])[:STARTS_MAX]

    def _matches(self, kind: str, starts: Ints, at: Ints) -> Flags:
        """Return bool ``[starts, at]``: a start gives these values, up to their decimals."""
        assert self.model.seeds is not None
        found = self.model.seeds.values(kind, starts, self.rows[at]) * self.scale
        return np.abs(found - self.values[at]) <= self.slack[at]

    def _digits(self, matching: Ints) -> float:
        """Return how many digits of matching values the usual start does not give."""
        new = matching[self.bad[matching]]
        off = np.abs(self.values[new] - self.plain[self.rows[new]])
        off = np.where(np.isnan(off), np.abs(self.values[new]) / 100.0, off)
        digits = np.log10(np.maximum(off / self.slack[new], 1.0))
        return float(np.maximum(digits, ROW_DIGITS_MIN).sum()) if len(new) >= ROWS_MIN else 0.0

    def _find_carried(self, i: int) -> int | None:
        """Find the value from which an average continues, where no start reproduces it.

        Each later value bounds it to an interval, which widens with the distance. All intervals
        must overlap.
        """
        seeds, first = self.model.seeds, self._first_value(i)
        if not isinstance(seeds, Average) or not self._is_leading(i) or first == len(self.rows):
            return None
        ahead = np.arange(first, min(first + AHEAD, len(self.rows)))
        rows = self.rows[ahead]
        weight = np.power(seeds.decay, (rows - rows[0]).astype(np.float64))
        middle = (
            self.values[ahead] / self.scale - seeds.continue_from(rows[0], 0.0, rows)
        ) / weight
        half = self.slack[ahead] / self.scale / weight
        low, high = np.maximum.accumulate(middle - half), np.minimum.accumulate(middle + half)
        overlapping = int(np.argmin(np.append(low <= high, False)))
        if self._digits(ahead[1:overlapping]) < DIGITS_ANY:
            return None
        value = float(low[overlapping - 1] + high[overlapping - 1]) / 2.0
        since = int(self.bars.time[rows[0]])
        return self._add(i, SeedSegment(since, CARRIED, since, value=value))

    def _accept_start(self, i: int, kind: str, start: int) -> int:
        """Add the segment of a start, whose values show from the first value after `i` on."""
        time, first = self.bars.time, self._first_value(i)
        if self._is_leading(i) and self.rows[i] < start:
            self._add_absent(i, int(time[start]))
        since = max(int(self.rows[i]), start) if first > i else int(self.rows[i])
        return self._add(i, SeedSegment(int(time[since]), kind, int(time[start])))

    def _add(self, i: int, segment: SeedSegment) -> int:
        self.segments.append(segment)
        rest = np.arange(i, len(self.rows))
        found = _segment_values(self.model, segment, self.bars.time, self.rows[rest]) * self.scale
        self.bad[rest] = ~self.printed.select(rest).fit(found).explained
        self.plain[self.rows[rest]] = found
        return i + 1


def find_segments(
    model: FormulaModel,
    bars: Bars,
    times: Times,
    printed: PrintedValues,
    fit: Fit,
    scale: float,
    spec: Spec,
) -> tuple[SeedSegment, ...]:
    """Return the segments that begin in another way, as far as they reproduce the values.

    `bars` are in the order of computation; `times`, `printed` and `fit` rise in time.
    """
    rising = len(bars) < 2 or bars.time[0] < bars.time[-1]
    order = np.argsort(times if rising else -times)
    at = _rows_of(bars.time, times[order])
    known = at < len(bars)
    known[known] = bars.time[at[known]] == times[order][known]
    order, at = order[known], at[known]
    if not len(order):
        return ()
    bad = ~fit.explained[order]
    some, reach = printed.select(order), (warmup_rows(spec), is_window(spec))
    return SeedSearch(model, bars, some, at, bad, scale, *reach).run()


def _slack(printed: PrintedValues) -> Floats:
    """Return how far the exact value may be from each printed one."""
    values = printed.values
    exact = SAME_RELATIVE * np.abs(values) + printed.noise
    few = printed.decimals <= DECIMALS_MAX
    # All but a few, which may be wrong values that have many decimals by chance.
    most = np.quantile(printed.decimals[few], 0.95, method="higher") if few.any() else 0.0
    unit = 10.0 ** -float(most)
    if printed.is_single:
        return exact + SINGLE * np.abs(values)
    return np.where(few, unit / 2.0 + exact, exact)
