"""Two sides of one series, each accounted for, and the rows in which the accounts part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tallow.core.operator import WINDOW
from tallow.migrate.causes.bars import COLUMNS, Bars, Flags, Floats, Times
from tallow.migrate.causes.defects import BarCauses
from tallow.migrate.causes.formulas import inputs_of, warmup
from tallow.migrate.causes.identity import Identity, Series, identify
from tallow.migrate.causes.rounding import Fit, Printed
from tallow.migrate.causes.told import Told
from tallow.migrate.pairs import Cause, SeriesPair

NOISE = 1e-14
"""Error of a sum of prices, relative to the price: what is left where such sums cancel out."""

ACCOUNTS_MAX = 3
"""Ways in which different rows of one side may have been computed."""

ROWS_MIN = 3
"""Rows that another way must reproduce to be believed."""


@dataclass(frozen=True)
class Instrument:
    """What both sides told of one instrument, why their bars differ, and its highest price."""

    control: Told
    candidate: Told
    bars: BarCauses
    price: float


@dataclass
class Side:
    """One side's values of one series, and the ways that they were computed in.

    Attributes
    ----------
    rows
        Places of its values among the pair's rows.
    times
        When the bars open that these belong to, labels put right.
    """

    series: Series
    told: Told
    rows: Times
    times: Times
    printed: Printed

    @cached_property
    def accounts(self) -> list[Identity]:
        """Identify what most rows are, then what most of the others are."""
        accounts: list[Identity] = []
        lost = np.ones(len(self.times), dtype=np.bool_)
        while lost.sum() >= (ROWS_MIN if accounts else 1) and len(accounts) < ACCOUNTS_MAX:
            rest = np.flatnonzero(lost)
            some = identify(
                self.series, self.told.choices, self.times[rest], self.printed.part(rest)
            )
            bars = self.told.choices[some.way.bars]
            whole = self._with_edge(self.series.fit(bars, some.way, self.times, self.printed), some)
            gained = (whole.same | whole.rounded)[rest].sum()
            if accounts and gained < ROWS_MIN:
                break
            accounts.append(Identity(some.way, whole))
            lost &= ~whole.explained
        return accounts

    def _with_edge(self, fit: Fit, identity: Identity) -> Fit:
        """Excuse the rows whose late, or early, values the answer's range cut off."""
        lag, rows = identity.way.lag, np.arange(len(self.rows))
        edge = rows < lag if lag > 0 else rows >= len(rows) + lag
        absent = edge & np.isnan(self.printed.values)
        return replace(fit, missing=fit.missing | absent) if absent.any() else fit

    @cached_property
    def owner(self) -> NDArray[np.int64]:
        """Each row's account, sooner one that gives its very value; -1 where none reproduces it."""
        owner, ranked = np.full(len(self.rows), -1), list(enumerate(self.accounts))[::-1]
        for i, account in ranked:
            owner[account.fit.explained] = i
        for i, account in ranked:
            owner[account.fit.same | account.fit.missing] = i
        return owner

    def bars(self, account: Identity) -> Bars:
        """Return the bars from which an account computes."""
        return self.told.choices[account.way.bars]


class Comparison:
    """Why the rows of one series differ.

    Parameters
    ----------
    pair
        The series as both sides tell it.
    told
        What they told of the instrument; both with some history of bars.
    """

    def __init__(self, pair: SeriesPair, told: Instrument, series: Series) -> None:
        self.series, self.told, self.count = series, told, len(pair.timestamp)
        self.time = pair.timestamp
        self.inputs = [name for name in inputs_of(series.spec) if name in COLUMNS]
        self.one = self._side(told.control, pair.control, pair.in_control)
        self.other = self._side(told.candidate, pair.candidate, pair.in_candidate)

    def _side(self, told: Told, values: Floats, here: Flags) -> Side:
        rows = np.flatnonzero(here)
        printed = Printed(values[rows], NOISE * self.told.price)
        return Side(self.series, told, rows, self.time[rows] - told.lag, printed)

    def causes(self) -> NDArray[np.int64]:
        """Return the causes of each row; only those of rows that differ are to be used."""
        found = np.full(self.count, int(Cause.UNEXPLAINED))
        ours, theirs = (
            self._spread(self.one, self.one.owner),
            self._spread(self.other, self.other.owner),
        )
        for i, mine in enumerate(self.one.accounts):
            for j, yours in enumerate(self.other.accounts):
                rows = (ours == i) & (theirs == j)
                if rows.any():
                    parted = _Parting(self, mine, yours)
                    found[rows] = parted.causes()[rows]
        return found

    def _spread(self, side: Side, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return values at their places among the pair's rows, -1 elsewhere."""
        whole = np.full(self.count, -1)
        whole[side.rows] = values
        return whole


class _Parting:
    """Where two accounts, one of each side, part, and why."""

    def __init__(self, comparison: Comparison, mine: Identity, yours: Identity) -> None:
        self.all = comparison
        self.sides = ((comparison.one, mine), (comparison.other, yours))
        self.mine, self.yours = mine, yours
        self.bars = (comparison.one.bars(mine), comparison.other.bars(yours))

    def causes(self) -> NDArray[np.int64]:
        """Return the causes of each of the pair's rows."""
        departures = list(self._departures())
        found = self._printing(bool(departures))
        showing, departing = np.zeros((2, self.all.count), dtype=np.int64)
        if self.all.told.control.lag != self.all.told.candidate.lag:
            found |= int(Cause.SHIFTED_LABEL)
        for flags, names in departures:
            acts = self._acts(0, names), self._acts(1, names)
            found |= np.where(acts[0] & acts[1], flags, 0)
            showing |= np.where(acts[0] | acts[1], flags, 0)
            departing |= flags
        # What shows from one side only: the other one's decimals, or another cause, hide it. What
        # shows from none is too small for the price, though not for the value.
        for flags in (showing, departing):
            found = np.where(found == 0, flags, found)
        return found

    def _spread(self, side: int, values: Flags) -> Flags:
        whole = np.zeros(self.all.count, dtype=np.bool_)
        whole[self.sides[side][0].rows] = values
        return whole

    def _printing(self, parted: bool) -> NDArray[np.int64]:
        """Return where one side is rounded, cut off, or zero for want of a value."""
        one, other = self.mine.fit, self.yours.fit
        found = np.zeros(self.all.count, dtype=np.int64)
        found[self._spread(0, one.zero) ^ self._spread(1, other.zero)] |= Cause.ZERO_IN_WARM_UP
        found[self._spread(0, one.capped) | self._spread(1, other.capped)] |= Cause.CAPPED
        # Of two that are rounded alike, rounding explains what nothing else does: a tie.
        if one.unit != other.unit or not parted:
            rounded = self._spread(0, one.rounded) | self._spread(1, other.rounded)
            found[rounded] |= Cause.ROUNDING
        return found

    def _departures(self) -> Iterator[tuple[NDArray[np.int64] | int, tuple[str, ...]]]:
        """Yield what the two ways differ in: the causes that it stands for, and its names."""
        one, other = self.mine.way, self.yours.way
        if not self.bars[0].holds(self.bars[1], self.all.inputs):
            yield self._bar_causes(), ("bars",)
        for name, cause in _CAUSES.items():
            if getattr(one, name) != getattr(other, name):
                yield int(cause), (name,)
        if one.backward != other.backward:
            # Where it begins goes with the direction, and is no cause of its own.
            yield int(Cause.LOOK_AHEAD), ("backward", "segments")
        elif one.segments != other.segments:
            yield int(Cause.OTHER_SEED), ("segments",)
        if one.formula != other.formula:
            formulas = self.all.series.formulas
            flags = formulas[one.formula].causes ^ formulas[other.formula].causes
            yield int(flags or formulas[one.formula].causes), ("formula",)

    def _acts(self, place: int, names: tuple[str, ...]) -> Flags:
        """Return the rows of a side that change if one thing is done as on the other side."""
        (side, mine), (_, yours) = self.sides[place], self.sides[1 - place]
        swapped = {n: getattr(yours.way, n) for n in names if n != "bars"}
        bars = self.bars[1 - place] if "bars" in names else self.bars[place]
        model, undefined = self.all.series.values(bars, replace(mine.way, **swapped), side.times)
        values = side.printed.values
        same = np.abs(values - model) <= mine.fit.tolerance
        same |= np.isnan(model) & np.isnan(values)
        same |= (values == 0.0) & (undefined | np.isnan(model))
        top = values == np.fmax.reduce(values, initial=np.nan)
        same |= mine.fit.capped & np.where(top, model > values, model < values)
        return self._spread(place, ~same)

    def _bar_causes(self) -> NDArray[np.int64]:
        """Return why the bars differ that each row's values were made of."""
        times = np.union1d(self.bars[0].time, self.bars[1].time)
        flags = self.all.told.bars.between(*self.bars, times, self.all.inputs)
        flags = flags[::-1] if self.mine.way.backward else flags
        spec = self.all.series.spec
        reach = warmup(spec) + 1 if spec.indicator.memory == WINDOW else len(times)
        seen = _seen(flags, reach)
        seen = seen[::-1] if self.mine.way.backward else seen
        opens = self.all.time - self.all.told.control.lag
        return seen[np.minimum(np.searchsorted(times, opens), len(times) - 1)]


_CAUSES = {
    "typical": Cause.CLOSE_AGAINST_TYPICAL,
    "scale": Cause.RATIO_AGAINST_PERCENT,
    "lag": Cause.SHIFTED_LABEL,
}
"""What a departure is called, by the name in `Way`."""


def _seen(flags: NDArray[np.int64], reach: int) -> NDArray[np.int64]:
    """Return for each row all flags of itself and the rows before it, `reach` in all."""
    seen, rows = np.zeros_like(flags), np.arange(len(flags))
    for cause in Cause:
        count = np.concatenate([[0], np.cumsum((flags & cause) != 0)])
        recent = count[rows + 1] > count[np.maximum(rows + 1 - reach, 0)]
        seen |= np.where(recent, int(cause), 0)
    return seen
