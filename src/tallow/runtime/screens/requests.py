"""Screens of an engine: over candles that are given, or over its store; at a moment, or a range."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import (
    EmptyWarning,
    ParameterError,
    RangeError,
    ScreenError,
    excerpt,
    warn_caller,
)
from tallow.core.moments import Moment
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.output_zone import require_output_zone
from tallow.data.reading.candles import Candles
from tallow.data.reading.options import ReadKeywords
from tallow.data.reading.readers import open_candles
from tallow.data.universe import Universe
from tallow.runtime.ranges import Range, moment_us
from tallow.runtime.screens.questions import ScreenQuestion
from tallow.runtime.screens.sources import GivenSource, Source, StoreSource
from tallow.runtime.universes import UniverseReport
from tallow.screens.answers import Screen, ScreenResult, SweepResult
from tallow.screens.files import texts_of
from tallow.screens.nodes import CONDITION, NUMBER, Node
from tallow.screens.parser import parse_screen
from tallow.screens.sweeps import Sweep, read_sweep

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
        saved: Mapping[str, str] | str | Path | None = None,
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
            Texts of screens that others may name, by name; or a file of them, of which conditions
            are taken (`tallow.screens.files.read_screens`).
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
        who = (instruments, universe)
        (found,) = self._asked([asked], timeframe, source, (at, known_at, start, end), who)
        if found.why_empty:
            warn_caller(found.why_empty, EmptyWarning)
        return found.in_zone(require_output_zone(output_zone))

    def sweep(
        self,
        condition: str,
        timeframe: str | Timeframe = "15m",
        *,
        candles: Any = None,
        at: Moment | None = None,
        known_at: str | datetime | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        instruments: str | list[str] | None = None,
        universe: str | Path | Universe | None = None,
        saved: Mapping[str, str] | str | Path | None = None,
        source_timeframe: str | Timeframe | None = None,
        adjustment: str = "raw",
        output_zone: str | None = None,
        **reading: Unpack[ReadKeywords],
    ) -> SweepResult:
        """Ask a condition with ranges for numbers, each combination of values as a screen.

        The bars are computed once for all of them.

        Parameters
        ----------
        condition
            In the language of screens, with ranges such as ``ema(10..50 step 10)`` or ``20..30``,
            whose step is 1; at most `SWEEP_SCREENS_MAX` combinations.
        timeframe, candles, at, known_at, start, end, instruments, universe, saved
            As in `screen`.
        source_timeframe, adjustment, output_zone, reading
            As in `screen`.

        Returns
        -------
        SweepResult
            Its `frame` has a row for each combination.

        Raises
        ------
        ScreenError
            If a text cannot be read, has no range, or too many combinations.
        TallowError
            As `screen`.
        """
        swept, texts = _ranges(condition), texts_of(saved)
        combined = list(swept.combinations())
        screens = [
            read_screen(text, (), None, False, texts, self.convention) for _, text in combined
        ]
        given: Any = {"source_timeframe": source_timeframe, **reading}
        source = self._source(candles, given, adjustment)
        who = (instruments, universe)
        found = self._asked(screens, timeframe, source, (at, known_at, start, end), who)
        result = SweepResult.of(swept.names, [values for values, _ in combined], found)
        if result.why_empty:
            warn_caller(result.why_empty, EmptyWarning)
        return result.in_zone(require_output_zone(output_zone))

    def _asked(
        self,
        screens: Sequence[Screen],
        timeframe: str | Timeframe,
        source: Source,
        when: tuple[Moment | None, str | datetime | None, Moment | None, Moment | None],
        who: tuple[str | list[str] | None, str | Path | Universe | None],
    ) -> list[ScreenResult]:
        """Return the answers of screens: at a moment, or where one is given, over a range."""
        at, known_at, start, end = when
        instruments, universe = who
        question = ScreenQuestion(screens, parse_timeframe(timeframe), self.calendars, source)
        known = None if known_at is None else moment_us("known_at", known_at)
        list_ = source.universe(universe)
        over = Range.of(start, end, instruments).checked(self.calendars)
        if over.instruments is not None:
            over.check_found(source.instruments())
        if start is None and end is None:
            return _with_absent(question.at(at, known, over, list_), list_, over, source)
        if at is None:
            return _with_absent(question.over(over, known, list_), list_, over, source)
        name, limit = ("end", end) if start is None else ("start", start)
        raise RangeError(
            f"screen: at={at}, {name}={limit}; are two questions; give a moment, or a range"
        )

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
        for name, value in given.items():
            if name != "source_timeframe" and value not in (None, False, "open"):
                raise ParameterError(
                    f"screen: {name}={excerpt(value)}; says how candles are read that are given, "
                    "and a store has read its own; leave it out"
                )
        asking = (self.process_candles, self.query, self._queries)
        return StoreSource(*asking, given["source_timeframe"] or "1m", adjustment)


def read_screen(
    condition: str | Node,
    columns: Sequence[str] | Mapping[str, str],
    sort: str | None,
    ascending: bool,
    saved: Mapping[str, str] | str | Path | None,
    convention: str,
) -> Screen:
    """Read the texts of a screen; `ScreenError` if one cannot be read."""
    read = partial(parse_screen, saved=texts_of(saved), convention=convention)
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


def _ranges(condition: str) -> Sweep:
    """Return a text with its ranges; `ScreenError` if it is none, or has none."""
    if not isinstance(condition, str):
        raise ScreenError(f"sweep: {excerpt(condition)}; must be text, such as close > ema(10..50)")
    swept = read_sweep(condition)
    if not swept.ranges:
        raise ScreenError(
            f"sweep: {excerpt(condition)}; has no range such as 10..50 step 10; write one for a "
            "number, or ask for a screen"
        )
    return swept


def _with_absent(
    found: list[ScreenResult], universe: Universe | None, over: Range, source: Source
) -> list[ScreenResult]:
    """Return answers with a note of the members of a universe that have no candle."""
    if universe is None:
        return found
    there, asked = set(source.instruments()), universe.instruments
    members = asked if over.instruments is None else asked & over.instruments
    absent = tuple(sorted(members - there))
    report = UniverseReport(
        universe.name, universe.span_text(), len(members), absent, notes=universe.notes
    )
    said = report.sentences()
    return [replace(each, notes=(*each.notes, *said)) for each in found]


def judge_bars(
    engine: ScreenRequests, screen: Screen, size: Timeframe, candles: Candles
) -> pl.DataFrame:
    """Return all bars of candles with what a screen says of each; see `ScreenQuestion.bars`."""
    source = GivenSource(engine.process_candles, candles)
    return ScreenQuestion([screen], size, engine.calendars, source).bars()
