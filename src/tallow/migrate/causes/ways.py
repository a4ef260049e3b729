"""The simplest way of computing a side's series that reproduces its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product

import numpy as np

from tallow.core.arrays import Flags, Floats, Times
from tallow.core.spec import Spec
from tallow.migrate.causes.bars import Bars
from tallow.migrate.causes.formulas import list_formulas
from tallow.migrate.causes.models import Formula, FormulaModel, takes_one_price
from tallow.migrate.causes.rounding import Fit, PrintedValues
from tallow.migrate.causes.seed_search import ABSENT, SeedSegment, find_segments, with_segments

DEPARTURES_MAX = 3
"""Most departures from the textbook that are tried together, on each history of bars."""

SAMPLE_ROWS = 256
"""Rows on which every way is tried; the best ones are then tried on all rows."""

WAYS_TRIED = 12
"""Ways that are tried on all rows: the best ones of the sample."""

WAYS_SEEDED, WAYS_SEEDED_FEW = 20, 4
"""Ways whose segments are searched; fewer if one already reproduces `NEARLY_ALL` rows."""

NEARLY_ALL = 0.75

ROW_DIGITS = 9.0
"""Most digits that one reproduced row counts for; see `_score`."""

DEPARTURE_DIGITS = 5.0
"""Cost of one departure: the digits that must speak for it."""

ABSENT_DIGITS = 0.5
"""Cost of a segment without values, where a row without one counts for 1."""

LAGS = (0, 1, -1, 2, -2, 3, -3)
SCALES = (1.0, 100.0, 0.01)


@dataclass(frozen=True)
class Way:
    """One way of computing a series."""

    bars: int = 0
    """Which of the side's histories it computes from."""
    backward: bool = False
    typical: bool = False
    formula: int = 0
    """Which of the series' formulas it uses."""
    scale: float = 1.0
    """Factor of its values."""
    lag: int = 0
    """Rows by which they are late."""
    segments: tuple[SeedSegment, ...] = ()
    """Where it begins in another way than at the first bar in the usual one."""

    @property
    def departures(self) -> int:
        """Number of fields that are not as in the textbook."""
        usual = Way()
        names = ("bars", "backward", "typical", "formula", "scale", "lag")
        return sum(getattr(self, name) != getattr(usual, name) for name in names)


@dataclass(frozen=True)
class FittedWay:
    """A way to compute a side's series, and how well it reproduces its rows."""

    way: Way
    fit: Fit


@dataclass
class SeriesModels:
    """Computes one series of one instrument in any way, from any bars, and caches the results.

    The series is an `output` of the indicator of `spec`.
    """

    spec: Spec
    output: str
    formulas: tuple[Formula, ...] = field(init=False)
    _models: dict[tuple[bytes, bool, bool, int], FormulaModel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.formulas = list_formulas(self.spec, self.output)

    def model(self, bars: Bars, way: Way) -> FormulaModel:
        """Return a way's model of bars, without its segments, in the order of computation."""
        key = (bars.key, way.backward, way.typical, way.formula)
        if key not in self._models:
            used = bars.typical if way.typical else bars
            used = used.backward if way.backward else used
            self._models[key] = self.formulas[way.formula].compute(used)
        return self._models[key]

    def values(self, bars: Bars, way: Way, times: Times) -> tuple[Floats, Flags]:
        """Return a way's values at `times`, and where they are only conventions."""
        return self._values_in(bars, way, bars.find_rows(times))

    def _values_in(self, bars: Bars, way: Way, rows: Times) -> tuple[Floats, Flags]:
        model = self.model(bars, way)
        plain = model.plain
        if way.segments:
            plain = with_segments(model, way.segments, _order_bars(bars, way).time)
        undefined = model.undefined if model.undefined is not None else np.isnan(plain)
        if way.backward:
            plain, undefined = plain[::-1], undefined[::-1]
        exists = (rows >= 0) & (rows - way.lag >= 0) & (rows - way.lag < len(bars))
        rows = np.where(exists, rows - way.lag, 0)
        values = np.where(exists, plain[rows] * way.scale, np.nan)
        return values, np.where(exists, undefined[rows], False)

    def fit(self, bars: Bars, way: Way, times: Times, printed: PrintedValues) -> Fit:
        """Return how well a way reproduces a side's values at `times`."""
        return printed.fit(*self.values(bars, way, times))

    def scores(
        self, histories: Sequence[Bars], ways: Sequence[Way], times: Times, printed: PrintedValues
    ) -> list[float]:
        """Return the score of each way, all of which are fitted at once."""
        rows = [bars.find_rows(times) for bars in histories]
        found = [self._values_in(histories[way.bars], way, rows[way.bars]) for way in ways]
        values, undefined = (np.array(each) for each in zip(*found, strict=True))
        return _scores(printed.fit(values, undefined), ways)


def find_explanation(
    series: SeriesModels, histories: Sequence[Bars], times: Times, printed: PrintedValues
) -> FittedWay:
    """Return the simplest way that reproduces most of a side's values.

    `histories` are the bars that the side may have used, the likeliest first; `times` the opens of
    the bars that the values belong to, int64 (rows,), rising.
    """
    best = FittedWay(Way(), series.fit(histories[0], Way(), times, printed))
    if best.fit.explained.all():
        return best
    ranked = _rank_ways(series, histories, times, printed)
    few = [best.way, *ranked[:WAYS_TRIED]]
    scores = series.scores(histories, few, times, printed)
    if (way := few[scores.index(max(scores))]) != best.way:
        best = FittedWay(way, series.fit(histories[way.bars], way, times, printed))
    if best.fit.explained.all():
        return best
    most = WAYS_SEEDED_FEW if best.fit.explained.mean() > NEARLY_ALL else WAYS_SEEDED
    for way in _list_seedable(series, histories, [best.way, *ranked])[:most]:
        bars = histories[way.bars]
        model, fit = series.model(bars, way), series.fit(bars, way, times, printed)
        ordered = _order_bars(bars, way)
        segments = find_segments(model, ordered, times, printed, fit, way.scale, series.spec)
        if segments:
            seeded = replace(way, segments=segments)
            fit = series.fit(bars, seeded, times, printed)
            found = (best, FittedWay(seeded, fit))
            best = max(found, key=lambda each: _scores(each.fit, [each.way])[0])
        if best.fit.explained.all():
            break
    return best


def _rank_ways(
    series: SeriesModels, histories: Sequence[Bars], times: Times, printed: PrintedValues
) -> list[Way]:
    """Return the ways to try, those that reproduce most of a sample first, the simpler first."""
    rows = np.unique(np.linspace(0, len(times) - 1, SAMPLE_ROWS).astype(np.int64))
    sample = printed.select(rows)
    prices = 2 if takes_one_price(series.spec) else 1
    ways = _list_ways(len(histories), prices, len(series.formulas))
    scores = series.scores(histories, ways, times[rows], sample)
    order = sorted(range(len(ways)), key=lambda i: -scores[i])
    return [ways[i] for i in order]


@lru_cache
def _list_ways(histories: int, prices: int, formulas: int) -> tuple[Way, ...]:
    """Return every way with few departures, the simplest first."""
    fields = (range(histories), (False, True), (False, True)[:prices], range(formulas))
    every = [Way(*each) for each in product(*fields, SCALES, LAGS)]
    few = [way for way in every if way.departures - (way.bars > 0) <= DEPARTURES_MAX]
    return tuple(sorted(few, key=lambda way: way.departures))


def _list_seedable(
    series: SeriesModels, histories: Sequence[Bars], ways: Sequence[Way]
) -> list[Way]:
    """Return the ways that can begin elsewhere, each once, in their order."""
    different = dict.fromkeys(way for way in ways if not way.lag)
    return [way for way in different if series.model(histories[way.bars], way).make_seeds]


def _scores(fit: Fit, ways: Sequence[Way]) -> list[float]:
    """Return the digits that speak for each way, less the cost of its departures.

    A row that is reproduced to twelve digits is more evidence than one that is reproduced to two
    decimals; a row without a value, or with a zero instead of one, is nearly none.
    """
    exact = fit.same.sum(axis=-1) * ROW_DIGITS
    rough = fit.rounded.sum(axis=-1) * ROW_DIGITS / 3.0
    gained = exact + rough + (fit.zero | fit.missing).sum(axis=-1)
    return [
        float(each) - _cost_of(way) for each, way in zip(np.atleast_1d(gained), ways, strict=True)
    ]


def _cost_of(way: Way) -> float:
    seeded = sum(segment.kind != ABSENT for segment in way.segments)
    absent = len(way.segments) - seeded
    return DEPARTURE_DIGITS * (way.departures + seeded) + ABSENT_DIGITS * absent


def _order_bars(bars: Bars, way: Way) -> Bars:
    return bars.backward if way.backward else bars
