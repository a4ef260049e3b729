"""A question of screens about bars: of which bars it is asked, and among whom they are compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Ints
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ScreenError
from tallow.core.moments import Moment, read_limit
from tallow.core.timeframe import Timeframe
from tallow.data.reading.schema import TIME_TYPE
from tallow.data.universe import APART, Universe
from tallow.runtime.operations import to_series
from tallow.runtime.ranges import Range
from tallow.runtime.screens.sources import Source
from tallow.runtime.spans import calendar_buckets
from tallow.runtime.universes import dates_of
from tallow.screens.answers import Screen, ScreenResult, judge_moment, judge_range
from tallow.screens.evaluation import Evaluation, Population
from tallow.screens.needs import leaves, population_names
from tallow.screens.panels import Panel
from tallow.screens.series import MATCHED, UNKNOWN
from tallow.screens.text import FORMING


@dataclass(frozen=True)
class ScreenQuestion:
    """Screens about the bars of a timeframe, which are computed once for all of them."""

    screens: Sequence[Screen]
    size: Timeframe
    calendars: CalendarAssignment
    source: Source

    def at(
        self, at: Moment | None, known_at: int | None, over: Range, universe: Universe | None
    ) -> list[ScreenResult]:
        """Judge the newest closed bar of each instrument; return the answer of each screen."""
        until = None if at is None else closed_by(at, self.calendars)
        names = self._names(over, universe)
        if known_at is None and self.source.has_receipts:
            known_at = until
        self.source.begin(names, until, known_at)
        first = None if self.source.is_whole else self.source.until
        evaluation, base = self._evaluation(first, universe, is_moment=True)
        named = self.source.instruments() if names is None else names
        if universe is not None and len(base.closed.rows):
            named = self._members_then(base, universe, named)
        nobody = "" if universe is None or named else _nobody(universe)
        return [
            self._noted(judge_moment(screen, evaluation, base, named), nobody)
            for screen in self.screens
        ]

    def newest(self) -> tuple[Evaluation, Panel]:
        """Return what trees are asked of: the newest bars that the source gives, of everybody."""
        self.source.begin(None, None, None)
        return self._evaluation(None, None, is_moment=True)

    def over(
        self, over: Range, known_at: int | None, universe: Universe | None
    ) -> list[ScreenResult]:
        """Judge all bars of a range; return the answer of each screen."""
        self._require_closed()
        limits = [over.limits(each) for each in self.calendars.calendars]
        until = None if over.end is None else max(last for _, last in limits)
        self.source.begin(self._names(over, universe), until, known_at)
        # What begins after all candles has no time that a calendar knows.
        begins = min(low for low, _ in limits)
        first = None if over.start is None else min(begins, self.source.until)
        evaluation, base = self._evaluation(first, universe, is_moment=False)
        low, high = np.array(limits).T[:, self._calendar_of(base)]
        wanted = (base.opens >= low) & (base.opens < high)
        if universe is not None:
            wanted &= self._is_member(universe, base)
        nobody = "" if universe is None or wanted.any() or not len(wanted) else _nobody(universe)
        return [
            self._noted(judge_range(screen, evaluation, base, wanted), nobody)
            for screen in self.screens
        ]

    def bars(self, universe: Universe | None) -> pl.DataFrame:
        """Return all closed bars, of members, with what the first screen says of each.

        `matched` is 1 or 0, null where it is unknown; then a number for each of its columns.
        """
        screen = self.screens[0]
        self.source.begin(None, None, None)
        evaluation, base = self._evaluation(None, universe, is_moment=False)
        matches = evaluation.condition(screen.condition)
        matched = np.where(matches.states == UNKNOWN, np.nan, matches.states == MATCHED)
        numbers = {name: evaluation.number(tree) for name, tree in screen.columns.items()}
        names = np.array(base.names, dtype=object)[base.codes]
        columns = {
            "instrument": pl.Series(names.tolist(), dtype=pl.String),
            "timestamp": pl.Series(base.opens).cast(TIME_TYPE),
            "matched": to_series("matched", matched),
        }
        columns |= {name: to_series(name, each) for name, each in numbers.items()}
        asked = base.is_final
        if universe is not None:
            asked = asked & self._is_member(universe, base)
        return pl.DataFrame(columns).filter(pl.Series(asked))

    def _evaluation(
        self, first: int | None, universe: Universe | None, *, is_moment: bool
    ) -> tuple[Evaluation, Panel]:
        """Return the bars that are needed from a base bar on, of which the trees are asked."""
        trees = [tree for screen in self.screens for tree in screen.trees]
        source = self.source
        needs = leaves(*trees, base=self.size.text)
        if is_moment and first is not None:
            # The newest closed bar opens a whole bar earlier.
            first = self._before(first)
        panels = source.panels(needs, self.size.text, first, self.calendars)
        opens = panels[self.size.text].closed.opens
        newest = None if not len(opens) else int(opens.max())
        if is_moment and first is not None and (newest is None or newest < first):
            # The newest bars are not the calendar's.
            panels = source.panels(needs, self.size.text, newest, self.calendars)
        populations: dict[str | None, Population] = {}
        for name in population_names(*trees):
            if name is not None:
                populations[name] = self._population(name)
        if universe is not None:
            populations[None] = partial(self._is_member, universe)
        return Evaluation(panels, self.size.text, populations), panels[self.size.text]

    def _require_closed(self) -> None:
        """Raise `ScreenError` if a bar that is open is looked at, as each bar sees another one."""
        trees = [tree for screen in self.screens for tree in screen.trees]
        if any(each.has_forming for each in leaves(*trees, base=self.size.text).values()):
            raise ScreenError(
                "screen: forming; is seen at one moment, and not over a range; give at= in the "
                "place of start= and end=, or ask for closed bars"
            )

    def _before(self, moment: int) -> int:
        """Return when the last bar but one opens that opens before a moment."""
        source = self.source.size
        buckets = [calendar_buckets(each, self.size, source) for each in self.calendars.calendars]
        return min(each.start(max(each.before(moment) - 2, 0)) for each in buckets)

    # Who is asked, and compared

    def _names(self, over: Range, universe: Universe | None) -> list[str] | None:
        return names_asked(self.source, over, universe)

    def _members_then(self, base: Panel, universe: Universe, names: Sequence[str]) -> list[str]:
        """Return the members on the date of the newest bar."""
        newest = np.array([base.closed.opens.max()])
        calendar_of = np.maximum(self.calendars.indices(list(names)), 0)
        days = dates_of(self.calendars, calendar_of, np.repeat(newest, len(names)))
        is_member = universe.is_member(list(names), days)
        return [name for name, member in zip(names, is_member.tolist(), strict=True) if member]

    def _is_member(self, universe: Universe, base: Panel) -> Flags:
        return are_members(universe, base, self.calendars)

    def _calendar_of(self, base: Panel) -> Ints:
        return _calendars_of(base, self.calendars)

    def _population(self, name: str) -> Population:
        """Return the population of a name: a universe, or each of its groups by itself."""
        universe = self.source.universe(name)
        assert universe is not None
        if not universe.groups:
            return partial(self._is_member, universe)
        return partial(self._group_of, [universe.group(each) for each in universe.groups])

    def _group_of(self, groups: Sequence[Universe], base: Panel) -> Ints:
        """Return the number of each bar's group; -1 for none. `ScreenError` where it has two."""
        found = np.full(len(base.opens), -1)
        for number, group in enumerate(groups):
            own = self._is_member(group, base)
            if (twice := np.flatnonzero(own & (found >= 0))).size:
                row = twice[0]
                raise ScreenError(
                    f"in={group.name.partition(APART)[0]}: {base.names[base.codes[row]]} is in "
                    f"{groups[found[row]].name} and {group.name} on the same day, and can be "
                    "ranked in one; name that group, or end one of the two memberships earlier"
                )
            found[own] = number
        return found

    def _noted(self, found: ScreenResult, nobody: str) -> ScreenResult:
        """Return an answer with what a person should know of it; `nobody` is why none is asked."""
        why = ""
        if not found.counts["matched"] and not found.counts["not"]:
            why = (
                nobody
                or self.source.why_empty
                or _not_open(found.why_unknown)
                or (
                    f"no bar of {self.size.text} could be judged; is the timeframe longer than the "
                    "history, or the moment before it?"
                )
            )
        left_out = self.source.quarantined
        return replace(found, notes=self.source.notes, why_empty=why, quarantined=left_out)


def closed_by(at: Moment, calendars: CalendarAssignment) -> int:
    """Return by when bars have closed of which is asked at a moment, in microseconds."""
    moment = Range(end=read_limit("at", at)).checked(calendars)
    return max(moment.limits(each)[1] for each in calendars.calendars)


def names_asked(source: Source, over: Range, universe: Universe | None) -> list[str] | None:
    """Return of whom bars are needed; None is all."""
    if universe is None:
        return None if over.instruments is None else sorted(over.instruments)
    there = source.instruments()
    universe.require_among(there, "the input")
    listed = universe.instruments.intersection(there)
    return sorted(listed if over.instruments is None else listed & over.instruments)


def are_members(universe: Universe, base: Panel, calendars: CalendarAssignment) -> Flags:
    """Say which bars are of members on the dates of their sessions."""
    numbers = universe.numbers(base.names)[base.codes]
    days = dates_of(calendars, _calendars_of(base, calendars), base.opens)
    return universe.has(numbers, days)


def _calendars_of(base: Panel, calendars: CalendarAssignment) -> Ints:
    places: Ints = np.maximum(calendars.indices(list(base.names)), 0)[base.codes]
    return places


def _not_open(why_unknown: Iterable[str]) -> str:
    """Return why a bar that is still open has no value, where a screen asks for one."""
    forming = next((text for text in why_unknown if text.startswith(FORMING)), None)
    if forming is None:
        return ""
    closed = forming.removeprefix(FORMING)
    return (
        f"{forming}: no such bar is open, as between its close and the next first candle; of the "
        f"last closed one it is {closed}"
    )


def _nobody(universe: Universe) -> str:
    """Return why a question to a universe is asked of nobody."""
    return (
        f"no bars: of whom is asked, nobody was a member of universe {universe.name} then; tallow "
        "universe show lists its dates"
    )
