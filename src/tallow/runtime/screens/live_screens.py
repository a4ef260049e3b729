"""The part of a live engine that answers screens, and remembers what does not change."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tallow.core.arrays import Codes, Floats, Ints, Times
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.limits import LIVE_SCREENS_KEPT
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.universe import Universe
from tallow.runtime.live.answers import LiveAnswers
from tallow.runtime.live.comparing import Comparing
from tallow.runtime.live.intake import Intake
from tallow.runtime.live.live_state import LiveState
from tallow.runtime.ranges import Range
from tallow.runtime.screens.asking import read_screen
from tallow.runtime.screens.live_source import BarNeeds, LivePanels, LiveSource
from tallow.runtime.screens.questions import ScreenQuestion
from tallow.screens.answers import Screen, ScreenResult
from tallow.screens.evaluation import Evaluation
from tallow.screens.files import texts_of
from tallow.screens.needs import leaves, population_names
from tallow.screens.nodes import CROSSINGS, Node, all_nodes
from tallow.screens.panels import Panel


@dataclass
class LiveScreen:
    """A screen that a live engine was asked, with what does not change between updates.

    Attributes
    ----------
    is_settled
        Whether its answer depends on closed bars alone: on no open bar, and no file.
    answered
        Its last answer, with the version of the bars that it is about.
    """

    screen: Screen
    wanted: list[BarNeeds]
    is_crossed: bool
    is_settled: bool
    answered: tuple[tuple[int, ...], ScreenResult] | None = None


class JudgedScreens(NamedTuple):
    """Screens of one timeframe that are judged together, with what they want of the bars."""

    screens: Sequence[Screen]
    size: Timeframe
    trees: list[Node]
    wanted: list[BarNeeds]
    is_crossed: bool
    is_named: bool


@dataclass(frozen=True, eq=False)
class JudgedBars:
    """What screens are on the newest closed bars of instruments, by these and ascending in time.

    Attributes
    ----------
    instrument
        The instruments' numbers in the engine, int64 ``[bars]``.
    opens, ends
        When bars open and end, int64 microseconds.
    states
        int8 ``[screens, bars]``: what each condition is, as in `Matches.states`.
    """

    instrument: Ints
    opens: Times
    ends: Times
    states: Codes
    _screens: Sequence[Screen]
    _evaluation: Evaluation
    _rows: Ints
    _numbers: dict[int, dict[str, Floats]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        screens: Sequence[Screen],
        evaluation: Evaluation,
        base: Panel,
        numbers: Ints,
        bars: int,
    ) -> JudgedBars:
        """Ask screens of an evaluation; `numbers` are those of the panel's instruments."""
        rows, stops = base.closed.rows, base.closed.offsets[1:]
        ages = np.repeat(stops, np.diff(base.closed.offsets)) - np.arange(len(rows))
        rows = rows[ages <= bars]
        states = [evaluation.condition(screen.condition).states[rows] for screen in screens]
        which, opens, ends = numbers[base.codes[rows]], base.opens[rows], base.ends[rows]
        return cls(which, opens, ends, np.array(states), screens, evaluation, rows)

    def numbers(self, which: int) -> dict[str, Floats]:
        """Return the numbers of a screen by name, float64 ``[bars]``; NaN is unknown.

        They are computed when they are asked for: most bars are no cause for anything.
        """
        if which not in self._numbers:
            trees = self._screens[which].columns.items()
            found = {name: self._evaluation.number(tree)[self._rows] for name, tree in trees}
            self._numbers[which] = found
        return self._numbers[which]


class Asking(NamedTuple):
    """What a caller writes of a screen; see `read_screen`."""

    condition: str | Node
    columns: Sequence[str] | Mapping[str, str]
    sort: str | None
    ascending: bool
    saved: Mapping[str, str]


class LiveScreens:
    """The part of a live engine that answers screens."""

    _reading: AbstractContextManager[object]
    _state: LiveState
    _intake: Intake
    _answers: LiveAnswers
    _comparing: Comparing | None
    _panels: LivePanels
    _screens: dict[Hashable, LiveScreen]
    calendars: CalendarAssignment
    timeframes: tuple[str, ...]

    def _know_no_screens(self) -> None:
        bars = (self._state, self._intake, self.calendars, self._comparing)
        self._panels, self._screens = LivePanels(*bars), {}

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

        Notes
        -----
        Asked again after each update, it costs little: between two bar ends nothing is computed,
        unless it looks at open bars, or at a universe.
        """
        size, texts = parse_timeframe(timeframe or self.timeframes[0]), texts_of(saved)
        if not isinstance(columns, str | Mapping):
            columns = tuple(columns)
        asking = Asking(condition, columns, sort, ascending, texts)
        over = Range.of(None, None, instruments).checked(self.calendars)
        with self._reading:
            asked = self._asked(asking, size, over)
            version, is_settled = self._panels.look(), asked.is_settled and universe is None
            if is_settled and asked.answered is not None and asked.answered[0] == version:
                return _copied(asked.answered[1])
            panels = self._panels.of(asked.wanted, is_crossed=asked.is_crossed)
            # It differs where more is kept from now on.
            version = self._panels.look()
            store = self._intake.source
            source = LiveSource(self._panels.names, panels, None if store is None else store.store)
        question = ScreenQuestion([asked.screen], size, self.calendars, source)
        (found,) = question.at(None, None, over, source.universe(universe))
        answer = found.in_zone(self._answers.output_zone)
        if is_settled:
            asked.answered = version, _copied(answer)
        return answer

    def judge(self, asked: JudgedScreens, bars: int = 1) -> JudgedBars:
        """Judge screens together, on each of the newest closed bars of every instrument.

        Parameters
        ----------
        asked
            What `judged_screens` returned.
        bars
            How many bars of each instrument: as many as there are, where there are fewer.
        """
        trees, size, wanted = asked.trees, asked.size, asked.wanted
        if bars > 1:
            wanted = self._panels.wanted(leaves(*trees, base=size.text), size, trees, bars)
        with self._reading:
            self._panels.look()
            is_crossed = asked.is_crossed
            panels = self._panels.of(wanted, is_crossed=is_crossed, may_be_short=True)
            store = self._intake.source
            source = LiveSource(self._panels.names, panels, None if store is None else store.store)
            numbers = self._panels.order
        if asked.is_named:
            question = ScreenQuestion(asked.screens, size, self.calendars, source)
            evaluation, base = question.newest()
        else:
            evaluation, base = Evaluation(panels, size.text), panels[size.text]
        return JudgedBars.of(asked.screens, evaluation, base, numbers, bars)

    def judged_screens(
        self, screens: Sequence[Screen], timeframe: str | Timeframe
    ) -> JudgedScreens:
        """Return screens for `judge`, on bars of one of the engine's timeframes.

        `ScreenError` if they ask for what is not here, or look back too far.
        """
        size, trees = parse_timeframe(timeframe), [tree for each in screens for tree in each.trees]
        wanted = self._panels.wanted(leaves(*trees, base=size.text), size, trees)
        self._panels.require_room(wanted)
        is_named = bool(population_names(*trees) - {None})
        return JudgedScreens(screens, size, trees, wanted, _has_crossing(trees), is_named)

    @property
    def convention(self) -> str:
        """The convention of the engine's indicators."""
        return self._state.timeframes[0].plan.convention

    def _asked(self, asking: Asking, size: Timeframe, over: Range) -> LiveScreen:
        """Return a screen that is remembered, or read now."""
        condition, columns, sort, ascending, texts = asking
        named = tuple(columns.items()) if isinstance(columns, Mapping) else columns
        key = (condition, named, sort, ascending, tuple(texts.items()), size, over.instruments)
        try:
            asked = self._screens.pop(key, None) or self._read(asking, size)
        except TypeError:
            # What cannot be looked up cannot be read, or is read again.
            return self._read(asking, size)
        self._screens[key] = asked
        if len(self._screens) > LIVE_SCREENS_KEPT:
            self._screens.pop(next(iter(self._screens)))
        return asked

    def _read(self, asking: Asking, size: Timeframe) -> LiveScreen:
        screen = read_screen(*asking, self.convention)
        needs = leaves(*screen.trees, base=size.text)
        wanted = self._panels.wanted(needs, size, screen.trees)
        is_crossed = _has_crossing(screen.trees)
        has_forming = any(each.has_forming for each in wanted)
        is_named = bool(population_names(*screen.trees) - {None})
        return LiveScreen(screen, wanted, is_crossed, not (has_forming or is_named))


def _has_crossing(trees: Sequence[Node]) -> bool:
    nodes = [node for tree in trees for node in all_nodes(tree)]
    return any(getattr(node, "operator", "") in CROSSINGS for node in nodes)


def _copied(answer: ScreenResult) -> ScreenResult:
    """Return an answer whose frames and counts may be changed."""
    return replace(
        answer,
        frame=answer.frame.clone(),
        counts=dict(answer.counts),
        unknown=answer.unknown.clone(),
        why_unknown=dict(answer.why_unknown),
    )
