"""What a side's series is: the simplest way of computing it that reproduces its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product

import numpy as np

from tallow.core.spec import Spec
from tallow.migrate.causes.bars import Bars, Flags, Floats, Times
from tallow.migrate.causes.formulas import Formula, Model, formulas, takes_one_price
from tallow.migrate.causes.rounding import Fit, Printed
from tallow.migrate.causes.search import ABSENT, Segment, begin_again, with_segments

DEPARTURES_MAX = 3
"""Departures from the textbook that are tried together, on each history of bars."""

SAMPLE_ROWS = 256
"""Rows on which every way is tried; the best of them are tried on all."""

WAYS_TRIED = 12
"""Ways, of those that came out best on the sample, that are tried on all rows."""

WAYS_BEGUN, WAYS_BEGUN_FEW = 20, 4
"""Ways of which a start is sought; fewer where one reproduces `NEARLY_ALL` rows already."""

NEARLY_ALL = 0.75

ROW_DIGITS = 9.0
"""What reproducing one row counts at most; see `_score`."""

DEPARTURE_DIGITS = 5.0
"""What one departure costs: so many digits a value must tell to speak for it."""

ABSENT_DIGITS = 0.5
"""What a stretch without values costs: a row without one counts for 1."""

LAGS = (0, 1, -1, 2, -2, 3, -3)
SCALES = (1.0, 100.0, 0.01)


@dataclass(frozen=True)
class Way:
    """One way of computing a series.

    Attributes
    ----------
    bars
        From which of the side's histories.
    formula
        Which of `formulas`.
    scale
        What its values are multiplied by.
    lag
        Rows by which they are late.
    segments
        Where it begins anew, if not at the first bar in the usual way.
    """

    bars: int = 0
    backward: bool = False
    typical: bool = False
    formula: int = 0
    scale: float = 1.0
    lag: int = 0
    segments: tuple[Segment, ...] = ()

    @property
    def departures(self) -> int:
        """Count what is not as in the textbook."""
        usual = Way()
        names = ("bars", "backward", "typical", "formula", "scale", "lag")
        return sum(getattr(self, name) != getattr(usual, name) for name in names)


@dataclass(frozen=True)
class Identity:
    """The way that a side was computed, and how well it reproduces the side's rows."""

    way: Way
    fit: Fit


@dataclass
class Series:
    """One series of one instrument: computes it in any way, from any bars, and remembers.

    Parameters
    ----------
    spec, output
        The indicator, and which of its outputs.
    """

    spec: Spec
    output: str
    formulas: tuple[Formula, ...] = field(init=False)
    _models: dict[tuple[bytes, bool, bool, int], Model] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.formulas = formulas(self.spec, self.output)

    def model(self, bars: Bars, way: Way) -> Model:
        """Return what a way makes of bars, begun in the usual way, in the order of computing."""
        key = (bars.key, way.backward, way.typical, way.formula)
        if key not in self._models:
            seen = bars.typical if way.typical else bars
            seen = seen.backward if way.backward else seen
            self._models[key] = self.formulas[way.formula].compute(seen)
        return self._models[key]

    def values(self, bars: Bars, way: Way, times: Times) -> tuple[Floats, Flags]:
        """Return the values that a way gives at `times`, and where they are mere conventions."""
        model = self.model(bars, way)
        plain = model.plain
        if way.segments:
            plain = with_segments(model, way.segments, _ordered(bars, way).time)
        undefined = model.undefined if model.undefined is not None else np.isnan(plain)
        if way.backward:
            plain, undefined = plain[::-1], undefined[::-1]
        places = bars.places(times)
        here = (places >= 0) & (places - way.lag >= 0) & (places - way.lag < len(bars))
        rows = np.where(here, places - way.lag, 0)
        return np.where(here, plain[rows] * way.scale, np.nan), np.where(
            here, undefined[rows], False
        )

    def fit(self, bars: Bars, way: Way, times: Times, printed: Printed) -> Fit:
        """Return how a way reproduces a side's values at `times`."""
        return printed.fit(*self.values(bars, way, times))


def identify(series: Series, choices: Sequence[Bars], times: Times, printed: Printed) -> Identity:
    """Return the simplest way that reproduces most of a side's values.

    Parameters
    ----------
    choices
        The histories of bars that the side may have seen; the likeliest first.
    times
        Shape (rows,), int64: the bars' opens that the values belong to, rising.
    """
    best = Identity(Way(), series.fit(choices[0], Way(), times, printed))
    if best.fit.explained.all():
        return best
    ranked = _ranked(series, choices, times, printed)
    for way in ranked[:WAYS_TRIED]:
        best = _better(best, Identity(way, series.fit(choices[way.bars], way, times, printed)))
    if best.fit.explained.all():
        return best
    few = best.fit.explained.mean() > NEARLY_ALL
    for way in _seedable(series, choices, [best.way, *ranked])[
        : WAYS_BEGUN_FEW if few else WAYS_BEGUN
    ]:
        ordered = _ordered(choices[way.bars], way)
        model = series.model(choices[way.bars], way)
        fit = series.fit(choices[way.bars], way, times, printed)
        segments = begin_again(model, ordered, times, printed, fit, way.scale, series.spec)
        if segments:
            begun = replace(way, segments=segments)
            found = series.fit(choices[way.bars], begun, times, printed)
            best = _better(best, Identity(begun, found))
        if best.fit.explained.all():
            break
    return best


def _ranked(series: Series, choices: Sequence[Bars], times: Times, printed: Printed) -> list[Way]:
    """Return the ways to try, those that reproduce most of a sample first, the simpler first."""
    rows = np.unique(np.linspace(0, len(times) - 1, SAMPLE_ROWS).astype(np.int64))
    some = printed.part(rows)
    prices = 2 if takes_one_price(series.spec) else 1
    ways = _ways(len(choices), prices, len(series.formulas))
    scored = [
        (_score(series.fit(choices[way.bars], way, times[rows], some), way), i, way)
        for i, way in enumerate(ways)
    ]
    return [way for _, _, way in sorted(scored, key=lambda each: (-each[0], each[1]))]


@lru_cache
def _ways(choices: int, prices: int, formulas: int) -> tuple[Way, ...]:
    """Return every way with few departures, the simplest first."""
    places = (range(choices), (False, True), (False, True)[:prices], range(formulas))
    every = [Way(*each) for each in product(*places, SCALES, LAGS)]
    few = [way for way in every if way.departures - (way.bars > 0) <= DEPARTURES_MAX]
    return tuple(sorted(few, key=lambda way: way.departures))


def _seedable(series: Series, choices: Sequence[Bars], ways: Sequence[Way]) -> list[Way]:
    """Return the ways of which a start can be sought, each once, in their order."""
    unlike = dict.fromkeys(way for way in ways if not way.lag)
    return [way for way in unlike if series.model(choices[way.bars], way).seeds is not None]


def _better(best: Identity, other: Identity) -> Identity:
    return max(best, other, key=lambda each: _score(each.fit, each.way))


def _score(fit: Fit, way: Way) -> float:
    """Return the digits that speak for a way, less what its departures cost.

    A row that is reproduced to twelve digits says more than one that is reproduced to two decimals;
    one that has no value, or whose zero stands for none, says next to nothing.
    """
    exact = float(fit.same.sum()) * ROW_DIGITS
    rough = float(fit.rounded.sum()) * ROW_DIGITS / 3.0
    begun = sum(segment.kind != ABSENT for segment in way.segments)
    absent = len(way.segments) - begun
    cost = DEPARTURE_DIGITS * (way.departures + begun) + ABSENT_DIGITS * absent
    return exact + rough + float((fit.zero | fit.missing).sum()) - cost


def _ordered(bars: Bars, way: Way) -> Bars:
    return bars.backward if way.backward else bars
