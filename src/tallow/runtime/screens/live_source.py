"""The bars of a live engine, as far back as its candles are in memory, for screens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ScreenError, near_matches
from tallow.core.spec import Spec
from tallow.core.text import counted
from tallow.core.time import END_OF_TIME
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.store.store import Store
from tallow.data.universe import Universe
from tallow.data.universe_files import find_universe
from tallow.runtime.live.answers import LiveAnswers
from tallow.runtime.live.bar_rows import BarRows
from tallow.runtime.live.comparing import Comparing
from tallow.runtime.live.intake import Intake
from tallow.runtime.live.live_state import LiveState
from tallow.runtime.ranges import Range
from tallow.runtime.screens.asking import read_screen
from tallow.runtime.screens.bars import BarRequest
from tallow.runtime.screens.questions import ScreenQuestion
from tallow.screens.answers import ScreenResult
from tallow.screens.needs import TimeframeNeeds, leaves
from tallow.screens.nodes import Node


class LiveSource:
    """The closed bars that a live engine has in memory, and the open ones.

    `rows` are those of each timeframe, with the columns of the engine's plan; `is_all` says that
    no instrument ever had more.
    """

    has_receipts, is_whole = False, True

    def __init__(
        self, names: Sequence[str], rows: dict[str, BarRows], store: Store | None, *, is_all: bool
    ) -> None:
        self._names, self._rows, self._store, self._is_all = names, rows, store, is_all
        self.size, self.until, self.is_present = parse_timeframe("1m"), END_OF_TIME, True
        self.notes, self.why_empty, self.quarantined = tuple[str, ...](), "", 0

    def begin(self, names: Sequence[str] | None, until: int | None, known_at: int | None) -> None:
        """Take of whom is asked: the bars are those of all, as they are."""

    def fetch(self, wanted: Sequence[BarRequest]) -> list[pl.DataFrame]:
        """Return the bars of timeframes; `ScreenError` if the engine lacks one, or an indicator."""
        return [self._bars(each.timeframe, each.specs) for each in wanted]

    def _bars(self, timeframe: str, specs: Sequence[Spec]) -> pl.DataFrame:
        if timeframe not in self._rows:
            raise ScreenError(
                f"screen: {timeframe}; is no timeframe of this live engine, which has "
                f"{', '.join(self._rows)}; start it with this one, too"
            )
        rows = self._rows[timeframe]
        for spec in specs:
            if spec.columns[0] not in rows.fields:
                hint = near_matches(spec.columns[0], rows.fields)
                raise ScreenError(
                    f"screen: {spec.text}; is no indicator of this live engine, which computes "
                    f"what it was started with; {hint}"
                )
        order = np.argsort(np.array(self._names, dtype=object))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        column = pl.Series("instrument", list(self._names), dtype=pl.String)
        return rows.frame(column, rank, interest=False)

    def require_depth(self, needs: Mapping[str | None, TimeframeNeeds], base: str) -> None:
        """Raise `ScreenError` if bars are looked at that are older than those in memory."""
        for name, each in needs.items():
            size, wanted = parse_timeframe(name or base).text, each.bars + 1
            rows = self._rows.get(size)
            if rows is None or self._is_all:
                continue
            closed = np.bincount(rows.instrument[rows.is_final], minlength=1).max()
            if closed < wanted:
                raise ScreenError(
                    f"screen: looks {counted(each.bars, 'bar')} of {size} back; this live engine "
                    f"has {max(int(closed) - 1, 0)} in memory; have it keep more candles"
                )

    def universe(self, given: str | Path | Universe | None) -> Universe | None:
        """Return the universe that is meant, with keys for symbols of a store."""
        universes = None if self._store is None else self._store.universes
        found = find_universe(given, universes)
        return found if found is None or universes is None else universes.by_keys(found)

    def instruments(self) -> Sequence[str]:
        """Return the engine's instruments."""
        return list(self._names)


class LiveScreens:
    """The part of a live engine that answers screens."""

    _reading: AbstractContextManager[object]
    _state: LiveState
    _intake: Intake
    _answers: LiveAnswers
    _comparing: Comparing | None
    calendars: CalendarAssignment
    timeframes: tuple[str, ...]

    def screen(
        self,
        condition: str | Node,
        timeframe: str | Timeframe | None = None,
        *,
        columns: Sequence[str] | Mapping[str, str] = (),
        sort: str | None = None,
        ascending: bool = False,
        instruments: str | list[str] | None = None,
        universe: str | Path | Universe | None = None,
        saved: Mapping[str, str] | str | Path | None = None,
    ) -> ScreenResult:
        """Ask a condition of the last closed bar of every instrument, as it is now.

        Parameters
        ----------
        condition, columns, sort, ascending, instruments, universe, saved
            As in `tallow.AnalyticsEngine.screen`. The engine must have the indicators that are
            asked for, as it computes no others; ``forming`` is the bar that is still open.
        timeframe
            One of the engine's; by default its first.

        Raises
        ------
        ScreenError
            If a text cannot be read, or asks for what the engine does not have, or keep.
        """
        plan = self._state.timeframes[0].plan
        size = parse_timeframe(timeframe or self.timeframes[0])
        asked = read_screen(condition, columns, sort, ascending, saved, plan.convention)
        needs = leaves(*asked.trees, base=size.text)
        with self._reading:
            rows = dict(zip(self.timeframes, self._newest_rows(needs, size), strict=True))
            names, store = tuple(self._intake.names), self._intake.source
            is_all = store is None and not self._state.memory.first[: len(names)].any()
        source = LiveSource(names, rows, None if store is None else store.store, is_all=is_all)
        source.require_depth(needs, size.text)
        question = ScreenQuestion([asked], size, self.calendars, source)
        over = Range.of(None, None, instruments).checked(self.calendars)
        (found,) = question.at(None, None, over, source.universe(universe))
        return found.in_zone(self._answers.output_zone)

    def _newest_rows(
        self, needs: Mapping[str | None, TimeframeNeeds], base: Timeframe
    ) -> list[BarRows]:
        """Return each timeframe's bars that are looked at, with all columns that an update has."""
        if self._comparing is not None:
            return [each.all_rows() for each in self._comparing.bars]
        sizes = {name: parse_timeframe(name or base) for name in needs} | {None: base}
        if any(not size.minutes for size in sizes.values()):
            return self._state.newest_bars(self._state.memory.capacity)
        # A bar has no more candles than minutes; one is open, and one may begin the memory.
        back = [
            (each.bars + 3) * sizes[name].minutes + each.base_bars * base.minutes
            for name, each in needs.items()
        ]
        return self._state.newest_bars(max(back, default=3 * base.minutes))
