"""Screens of an engine: over candles that are given, or over its store; at a moment, or a range."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from tallow.core.arrays import Flags, Ints
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ParameterError, RangeError, ScreenError, excerpt
from tallow.core.moments import Moment
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.output_zone import require_output_zone
from tallow.data.reading.candles import Candles
from tallow.data.reading.options import ReadKeywords
from tallow.data.reading.readers import open_candles
from tallow.data.universe import Universe
from tallow.runtime.ranges import Range, moment_us
from tallow.runtime.spans import calendar_buckets
from tallow.runtime.universes import dates_of
from tallow.screens.answers import (
    Screen,
    ScreenResult,
    judge_moment,
    judge_range,
)
from tallow.screens.bars import panel_of, panels_of
from tallow.screens.evaluation import Evaluation, Population
from tallow.screens.needs import leaves, population_names
from tallow.screens.nodes import CONDITION, NUMBER, Node
from tallow.screens.panels import Panel
from tallow.screens.parser import parse_screen
from tallow.screens.sources import GivenSource, Source, StoreSource

if TYPE_CHECKING:
    from tallow.runtime.query import StoreQueries


class ScreenRequests:
    """The part of an engine that answers screens."""

    calendars: CalendarAssignment
    convention: str
    process_candles: Callable[..., Any]
    query: Callable[..., Any]
    _queries: StoreQueries | None

    def screen(
        self,
        condition: str | Node,
        timeframe: str | Timeframe = "15m",
        *,
        candles: Any = None,
        at: Moment | None = None,
        known_at: str | datetime | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        columns: Sequence[str] | Mapping[str, str] = (),
        sort: str | None = None,
        ascending: bool = False,
        instruments: str | list[str] | None = None,
        universe: str | Path | Universe | None = None,
        saved: Mapping[str, str] | None = None,
        source_timeframe: str | Timeframe | None = None,
        adjustment: str = "raw",
        output_zone: str | None = None,
        **reading: Unpack[ReadKeywords],
    ) -> ScreenResult:
        """Ask a condition of every instrument: of its last closed bar, or of all bars of a range.

        Parameters
        ----------
        condition, timeframe
            In the language of screens: ``close > ema(20) and rsi(14)@1h < 30``; of whose bars.
        candles
            What `process_candles` takes; without, the candles of the engine's store.
        at
            Judge the bars that had closed by this moment, a bare date at its end; now by default.
        known_at
            With a store: what it knew then; `at` by default, else what it knows now. First
            versions of candles count as known at their bar's close, later ones by receipt.
        start, end
            Judge all bars of a range instead: a row for each match.
        columns
            Numbers to show beside each match: texts, or texts by the name of the column.
        sort, ascending
            A number to sort matches by, the highest first, or the lowest.
        instruments, universe
            Of whom it is asked; of a universe, the members on the date of the bar. Populations
            without a name are these.
        saved
            Texts of screens that others may name, by name.
        source_timeframe, adjustment, output_zone, reading
            As in `process_candles` and `query`.

        Raises
        ------
        ScreenError
            If a text cannot be read; the message points at the place.
        TallowError
            As `process_candles` and `query`.
        """
        asked = read_screen(condition, columns, sort, ascending, saved, self.convention)
        given: Any = {"source_timeframe": source_timeframe, **reading}
        source = self._source(candles, given, adjustment)
        zone = require_output_zone(output_zone)
        question = _Question(asked, parse_timeframe(timeframe), self.calendars, source)
        known = None if known_at is None else moment_us("known_at", known_at)
        list_ = source.universe(universe)
        over = Range.of(start, end, instruments).checked(self.calendars)
        if start is None and end is None:
            found = question.at(at, known, over, list_)
        elif at is None:
            found = question.over(over, known, list_)
        else:
            raise RangeError("screen: at, start; are two questions; give at, or start and end")
        return found.in_zone(zone)

    def _source(self, candles: Any, given: Any, adjustment: str) -> Source:
        if candles is not None:
            opened = open_candles(candles, calendar=self.calendars, **given)
            read = opened if isinstance(opened, Candles) else opened.read()
            return GivenSource(self.process_candles, read)
        if self._queries is None:
            raise ParameterError(
                "screen: candles=None, and the engine has no store; give candles=, or "
                'AnalyticsEngine(store="folder")'
            )
        asking = (self.process_candles, self.query, self._queries)
        return StoreSource(*asking, given["source_timeframe"] or "1m", adjustment)


def read_screen(
    condition: str | Node,
    columns: Sequence[str] | Mapping[str, str],
    sort: str | None,
    ascending: bool,
    saved: Mapping[str, str] | None,
    convention: str,
) -> Screen:
    """Read the texts of a screen; `ScreenError` if one cannot be read."""
    read = partial(parse_screen, saved=saved, convention=convention)
    tree = read(condition, kind=CONDITION) if isinstance(condition, str) else condition
    if isinstance(columns, str):
        raise ScreenError(f"columns: {excerpt(columns)}; must be a list of texts, or by name")
    named = dict(columns) if isinstance(columns, Mapping) else {text: text for text in columns}
    taken = sorted({"instrument", "timestamp", "close"} & named.keys() - {"close"})
    if taken:
        raise ScreenError(f"columns: {taken[0]}; is a column of every answer; name it otherwise")
    numbers = {name: read(text, kind=NUMBER) for name, text in named.items()}
    by = None if sort is None else read(sort, kind=NUMBER)
    return Screen(tree, numbers, by, ascending)


@dataclass(frozen=True)
class _Question:
    """A screen about the bars of a timeframe."""

    screen: Screen
    size: Timeframe
    calendars: CalendarAssignment
    source: Source

    def at(
        self, at: Moment | None, known_at: int | None, over: Range, universe: Universe | None
    ) -> ScreenResult:
        """Judge the newest closed bar of each instrument."""
        until = None
        if at is not None:
            moment = Range.of(None, at, None).checked(self.calendars)
            until = max(moment.limits(each)[1] for each in self.calendars.calendars)
        names = self._names(over, universe)
        self.source.begin(names, until, until if known_at is None else known_at)
        evaluation, base = self._evaluation(self.source.until, universe, is_moment=True)
        named = sorted(set(self.source.instruments()) if names is None else names)
        if universe is not None and len(base.closed.rows):
            named = self._members_then(base, universe, named)
        return self._noted(judge_moment(self.screen, evaluation, base, named))

    def over(self, over: Range, known_at: int | None, universe: Universe | None) -> ScreenResult:
        """Judge all bars of a range."""
        limits = [over.limits(each) for each in self.calendars.calendars]
        until = None if over.end is None else max(last for _, last in limits)
        self.source.begin(self._names(over, universe), until, known_at)
        first = None if over.start is None else min(low for low, _ in limits)
        evaluation, base = self._evaluation(first, universe, is_moment=False)
        low, high = np.array(limits).T[:, self._calendar_of(base)]
        wanted = (base.opens >= low) & (base.opens < high)
        if universe is not None:
            wanted &= self._is_member(universe, base)
        return self._noted(judge_range(self.screen, evaluation, base, wanted))

    def _evaluation(
        self, first: int | None, universe: Universe | None, *, is_moment: bool
    ) -> tuple[Evaluation, Panel]:
        """Return the bars that are needed from a base bar on, of which the trees are asked."""
        trees, source = self.screen.trees, self.source
        needs = leaves(*trees, base=self.size.text)
        if any(each.has_forming for each in needs.values()) and not source.is_present:
            raise ScreenError(
                "screen: forming; is known of the present alone; leave out at, start and end, or "
                "ask for closed bars"
            )
        make = partial(panel_of, source=source.size, calendars=self.calendars, until=source.until)
        how = (source.fetch, make, self.calendars, source.size)
        panels = panels_of(needs, self.size.text, first, *how)
        opens = panels[self.size.text].closed.opens
        newest = None if not len(opens) else int(opens.max())
        if is_moment and first is not None and (newest is None or newest < self._before(first)):
            # The newest bars are not the calendar's.
            panels = panels_of(needs, self.size.text, newest, *how)
        populations: dict[str | None, Population] = {}
        for name in population_names(*trees):
            if name is not None:
                populations[name] = self._population(name)
        if universe is not None:
            populations[None] = partial(self._is_member, universe)
        return Evaluation(panels, self.size.text, populations), panels[self.size.text]

    def _before(self, moment: int) -> int:
        """Return when the last bar but one opens that opens before a moment."""
        source = self.source.size
        buckets = [calendar_buckets(each, self.size, source) for each in self.calendars.calendars]
        return min(each.start(max(each.before(moment) - 2, 0)) for each in buckets)

    # Who is asked, and compared

    def _names(self, over: Range, universe: Universe | None) -> list[str] | None:
        """Return of whom bars are needed; None is all."""
        if universe is None:
            return None if over.instruments is None else sorted(over.instruments)
        there = self.source.instruments()
        universe.require_among(there, "the input")
        listed = universe.instruments.intersection(there)
        return sorted(listed if over.instruments is None else listed & over.instruments)

    def _members_then(self, base: Panel, universe: Universe, names: Sequence[str]) -> list[str]:
        """Return the members on the date of the newest bar."""
        newest = np.array([base.closed.opens.max()])
        calendar_of = np.maximum(self.calendars.indices(list(names)), 0)
        days = dates_of(self.calendars, calendar_of, np.repeat(newest, len(names)))
        is_member = universe.is_member(list(names), days)
        return [name for name, member in zip(names, is_member.tolist(), strict=True) if member]

    def _is_member(self, universe: Universe, base: Panel) -> Flags:
        """Say which bars are of members on the dates of their sessions."""
        numbers = universe.numbers(base.names)[base.codes]
        days = dates_of(self.calendars, self._calendar_of(base), base.opens)
        return universe.has(numbers, days)

    def _calendar_of(self, base: Panel) -> Ints:
        places: Ints = np.maximum(self.calendars.indices(list(base.names)), 0)[base.codes]
        return places

    def _population(self, name: str) -> Population:
        """Return the population of a name: a universe, or each of its groups by itself."""
        universe = self.source.universe(name)
        assert universe is not None
        if not universe.groups:
            return partial(self._is_member, universe)
        return partial(self._group_of, [universe.group(each) for each in universe.groups])

    def _group_of(self, groups: Sequence[Universe], base: Panel) -> Ints:
        """Return the number of each bar's group; -1 for none."""
        found = np.full(len(base.opens), -1)
        for number, group in enumerate(groups):
            found[self._is_member(group, base)] = number
        return found

    def _noted(self, found: ScreenResult) -> ScreenResult:
        """Return an answer with what a person should know of it."""
        notes = list(self.source.notes)
        if not sum(found.counts.values()) or not any(
            count for name, count in found.counts.items() if name != "unknown"
        ):
            notes.append(
                f"no bar of {self.size.text} could be judged; is the timeframe longer than the "
                "history, or the moment before it?"
            )
        return replace(found, notes=tuple(notes))
