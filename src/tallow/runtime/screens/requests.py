"""Screens of an engine: over candles that are given, or over its store; at a moment, or a range.

The language is imported where somebody asks: an engine that is asked none does not wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import EmptyWarning, warn_caller
from tallow.core.moments import Moment
from tallow.core.timeframe import Timeframe
from tallow.data.output_zone import require_output_zone
from tallow.data.reading.options import ReadKeywords
from tallow.data.universe import Universe

if TYPE_CHECKING:
    from tallow.runtime.query import StoreQueries
    from tallow.runtime.requests import CandleRequests
    from tallow.screens.answers import ScreenResult, SweepResult
    from tallow.screens.nodes import Node


class ScreenRequests:
    """The part of an engine that answers screens."""

    calendars: CalendarAssignment
    convention: str
    _requests: CandleRequests
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
            Judge the bars that had closed by this moment, a bare date at its end; now by default,
            and no later moment.
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
        from tallow.runtime.screens.asking import ask, read_screen, source_of

        asked = read_screen(condition, columns, sort, ascending, saved, self.convention)
        given: Any = {"source_timeframe": source_timeframe, **reading}
        source = source_of(self, candles, given, adjustment)
        who = (instruments, universe)
        (found,) = ask(self, [asked], timeframe, source, (at, known_at, start, end), who)
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
        from tallow.runtime.screens.asking import ask, read_ranges, read_screen, source_of
        from tallow.screens.answers import SweepResult
        from tallow.screens.files import texts_of

        swept, texts = read_ranges(condition), texts_of(saved)
        combined = list(swept.combinations())
        screens = [
            read_screen(text, (), None, False, texts, self.convention) for _, text in combined
        ]
        given: Any = {"source_timeframe": source_timeframe, **reading}
        source = source_of(self, candles, given, adjustment)
        who = (instruments, universe)
        found = ask(self, screens, timeframe, source, (at, known_at, start, end), who)
        result = SweepResult.of(swept.names, [values for values, _ in combined], found)
        if result.why_empty:
            warn_caller(result.why_empty, EmptyWarning)
        return result.in_zone(require_output_zone(output_zone))
