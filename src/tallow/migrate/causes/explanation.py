"""Both sides of one series explained, and the causes where the explanations differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.data.reading.schema import NUMBERS
from tallow.migrate.causes.bar_causes import BarCauses
from tallow.migrate.causes.bars import Bars, ReportedBars
from tallow.migrate.causes.models import input_names, is_window, warmup_rows
from tallow.migrate.causes.rounding import Fit, PrintedValues
from tallow.migrate.causes.ways import FittedWay, SeriesModels, find_explanation
from tallow.migrate.pairs import Cause, CauseFlags, SeriesPair

NOISE = 1e-14
"""Error of a sum of prices, relative to the price: what remains where such sums cancel out."""

EXPLANATIONS_MAX = 3
"""Most explanations of one side: different rows may have been computed in different ways."""

ROWS_MIN = 3
"""Fewest rows that a further explanation must reproduce to be accepted."""


@dataclass(frozen=True)
class InstrumentBars:
    """What both sides reported of one instrument, why their bars differ, and its highest price."""

    control: ReportedBars
    candidate: ReportedBars
    bars: BarCauses
    price: float


@dataclass
class SideSeries:
    """One side's values of one series, and the explanations found for them.

    `rows` are those of its values among the pair's; `times` the opens of the bars that the values
    belong to, with corrected labels.
    """

    series: SeriesModels
    reported: ReportedBars
    rows: Ints
    times: Times
    printed: PrintedValues

    @cached_property
    def explanations(self) -> list[FittedWay]:
        """Explain as many rows as possible, then as many as possible of the others."""
        found: list[FittedWay] = []
        unexplained = np.ones(len(self.times), dtype=np.bool_)
        while unexplained.sum() >= (ROWS_MIN if found else 1) and len(found) < EXPLANATIONS_MAX:
            rest = np.flatnonzero(unexplained)
            histories = self.reported.histories
            part = find_explanation(
                self.series, histories, self.times[rest], self.printed.select(rest)
            )
            fit = self.series.fit(histories[part.way.bars], part.way, self.times, self.printed)
            fit = self._excuse_edge(fit, part.way.lag)
            if found and (fit.same | fit.rounded)[rest].sum() < ROWS_MIN:
                break
            found.append(FittedWay(part.way, fit))
            unexplained &= ~fit.explained
        return found

    def _excuse_edge(self, fit: Fit, lag: int) -> Fit:
        """Accept missing values where the answer's range cuts off those that are late or early."""
        rows = np.arange(len(self.rows))
        edge = rows < lag if lag > 0 else rows >= len(rows) + lag
        absent = edge & np.isnan(self.printed.values)
        return replace(fit, missing=fit.missing | absent) if absent.any() else fit

    @cached_property
    def explained_by(self) -> Ints:
        """Number of each row's explanation, an exact one if possible; -1 where there is none."""
        numbers, ranked = np.full(len(self.rows), -1), list(enumerate(self.explanations))[::-1]
        for i, explanation in ranked:
            numbers[explanation.fit.explained] = i
        for i, explanation in ranked:
            numbers[explanation.fit.same | explanation.fit.missing] = i
        return numbers

    def bars(self, explanation: FittedWay) -> Bars:
        """Return the bars from which an explanation computes."""
        return self.reported.histories[explanation.way.bars]


class SeriesComparison:
    """Why the rows of one series differ.

    `pair` is the series as both sides report it, `reported` what they reported of the instrument;
    both with some history of bars.
    """

    def __init__(self, pair: SeriesPair, reported: InstrumentBars, series: SeriesModels) -> None:
        self.series, self.reported, self.count = series, reported, len(pair.timestamp)
        self.time = pair.timestamp
        self.inputs = [name for name in input_names(series.spec) if name in NUMBERS]
        self.control = self._side(reported.control, pair.control, pair.in_control)
        self.candidate = self._side(reported.candidate, pair.candidate, pair.in_candidate)

    def _side(self, reported: ReportedBars, values: Floats, present: Flags) -> SideSeries:
        rows = np.flatnonzero(present)
        printed = PrintedValues(values[rows], NOISE * self.reported.price)
        return SideSeries(self.series, reported, rows, self.time[rows] - reported.lag, printed)

    def causes(self) -> CauseFlags:
        """Return the causes of each row; only those of rows that differ are meaningful."""
        found = np.full(self.count, int(Cause.UNEXPLAINED))
        numbers = [self._spread(side, side.explained_by) for side in (self.control, self.candidate)]
        for i, control in enumerate(self.control.explanations):
            for j, candidate in enumerate(self.candidate.explanations):
                rows = (numbers[0] == i) & (numbers[1] == j)
                if rows.any():
                    pair = ExplanationPair(self, control, candidate)
                    found[rows] = pair.causes()[rows]
        return found

    def _spread(self, side: SideSeries, values: Ints) -> Ints:
        """Return values at their positions among the pair's rows, -1 elsewhere."""
        whole = np.full(self.count, -1)
        whole[side.rows] = values
        return whole


Swap = Mapping[str, Any]
"""Fields of a `Way`, with other values; ``bars`` are those of the other side."""


class ExplanationPair:
    """One explanation of each side: where they differ, and why."""

    def __init__(
        self, comparison: SeriesComparison, control: FittedWay, candidate: FittedWay
    ) -> None:
        self.comparison = comparison
        self.sides = ((comparison.control, control), (comparison.candidate, candidate))
        self.control, self.candidate = control, candidate
        self.bars = (comparison.control.bars(control), comparison.candidate.bars(candidate))

    def causes(self) -> CauseFlags:
        """Return the causes of each of the pair's rows."""
        departures = list(self._departures())
        found = self._printing_causes(bool(departures))
        visible, existing = np.zeros((2, self.comparison.count), dtype=np.int64)
        reported = self.comparison.reported
        if reported.control.lag != reported.candidate.lag:
            found |= int(Cause.SHIFTED_LABEL)
        for flags, swaps in departures:
            changed = self._changed_rows(0, swaps[0]), self._changed_rows(1, swaps[1])
            found |= np.where(changed[0] & changed[1], flags, 0)
            visible |= np.where(changed[0] | changed[1], flags, 0)
            existing |= flags
        # Visible on one side only: the other one's decimals, or another cause, hide it. Visible on
        # neither: too small for the price, though not for the value.
        for flags in (visible, existing):
            found = np.where(found == 0, flags, found)
        return found

    def _spread(self, side: int, values: Flags) -> Flags:
        whole = np.zeros(self.comparison.count, dtype=np.bool_)
        whole[self.sides[side][0].rows] = values
        return whole

    def _printing_causes(self, has_departures: bool) -> CauseFlags:
        """Return where one side is rounded, capped, or zero because it has no value."""
        one, other = self.control.fit, self.candidate.fit
        found = np.zeros(self.comparison.count, dtype=np.int64)
        found[self._spread(0, one.zero) ^ self._spread(1, other.zero)] |= Cause.ZERO_IN_WARM_UP
        found[self._spread(0, one.capped) | self._spread(1, other.capped)] |= Cause.CAPPED
        # Where both are rounded alike, rounding explains what nothing else does: a tie.
        if one.unit != other.unit or not has_departures:
            rounded = self._spread(0, one.rounded) | self._spread(1, other.rounded)
            found[rounded] |= Cause.ROUNDING
        return found

    def _departures(self) -> Iterator[tuple[CauseFlags | int, tuple[Swap, Swap]]]:
        """Yield each difference of the two ways: its causes, and what undoes it on each side."""
        one, other = self.control.way, self.candidate.way
        if not self.bars[0].equals(self.bars[1], self.comparison.inputs):
            yield self._bar_causes(), self._swaps("bars")
        for name, cause in _CAUSES.items():
            if getattr(one, name) != getattr(other, name):
                yield int(cause), self._swaps(name)
        if one.backward != other.backward:
            # Where the computation begins follows from its direction, and is no cause by itself.
            yield int(Cause.LOOK_AHEAD), self._swaps("backward", "segments")
        elif one.segments != other.segments:
            yield int(Cause.OTHER_SEED), self._swaps("segments")
        if one.formula != other.formula:
            yield from self._formula_departures(one.formula, other.formula)

    def _formula_departures(
        self, one: int, other: int
    ) -> Iterator[tuple[CauseFlags | int, tuple[Swap, Swap]]]:
        """Yield each cause by itself where one formula differs in it alone; else all together."""
        of = [formula.causes for formula in self.comparison.series.formulas]
        flags = of[one] ^ of[other]
        single = {c: (of[one] ^ c, of[other] ^ c) for c in Cause if c & flags}
        parts = [part for each in single.values() for part in each]
        if len(single) > 1 and all(of.count(part) == 1 for part in parts):
            for cause, (control, candidate) in single.items():
                swaps = {"formula": of.index(control)}, {"formula": of.index(candidate)}
                yield int(cause), swaps
        else:
            yield int(flags or of[one]), self._swaps("formula")

    def _swaps(self, *names: str) -> tuple[Swap, Swap]:
        """Return each side's fields as the other side has them."""
        ways = self.candidate.way, self.control.way
        one, other = ({name: getattr(way, name) for name in names} for way in ways)
        return one, other

    def _changed_rows(self, number: int, swap: Swap) -> Flags:
        """Return the rows of a side that change if some fields of its way are others."""
        side, own = self.sides[number]
        swapped = {name: value for name, value in swap.items() if name != "bars"}
        bars = self.bars[1 - number] if "bars" in swap else self.bars[number]
        series = self.comparison.series
        model, undefined = series.values(bars, replace(own.way, **swapped), side.times)
        values = side.printed.values
        same = np.abs(values - model) <= own.fit.tolerance
        same |= np.isnan(model) & np.isnan(values)
        same |= (values == 0.0) & (undefined | np.isnan(model))
        top = values == np.fmax.reduce(values, initial=np.nan)
        same |= own.fit.capped & np.where(top, model > values, model < values)
        return self._spread(number, ~same)

    def _bar_causes(self) -> CauseFlags:
        """Return why the bars differ that each row's values were computed from."""
        times = np.union1d(self.bars[0].time, self.bars[1].time)
        reported, backward = self.comparison.reported, self.control.way.backward
        flags = reported.bars.between(*self.bars, times, self.comparison.inputs)
        flags = flags[::-1] if backward else flags
        spec = self.comparison.series.spec
        reach = warmup_rows(spec) + 1 if is_window(spec) else len(times)
        recent = _recent_flags(flags, reach)
        recent = recent[::-1] if backward else recent
        opens = self.comparison.time - reported.control.lag
        return recent[np.minimum(np.searchsorted(times, opens), len(times) - 1)]


_CAUSES = {
    "typical": Cause.CLOSE_AGAINST_TYPICAL,
    "scale": Cause.RATIO_AGAINST_PERCENT,
    "lag": Cause.SHIFTED_LABEL,
}
"""The cause that a departure stands for, by its field in `Way`."""


def _recent_flags(flags: CauseFlags, reach: int) -> CauseFlags:
    """Return for each row all flags of the last `reach` rows, itself included."""
    found, rows = np.zeros_like(flags), np.arange(len(flags))
    for cause in Cause:
        count = np.concatenate([[0], np.cumsum((flags & cause) != 0)])
        recent = count[rows + 1] > count[np.maximum(rows + 1 - reach, 0)]
        found |= np.where(recent, int(cause), 0)
    return found
