"""How an engine is asked for sequences: whose bars, as of when, and which moves are strong."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from tallow.analysis.sequence_result import SequenceResult
from tallow.analysis.sequences import MoveBars, analyse
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ParameterError, excerpt
from tallow.core.limits import LENGTH_MAX
from tallow.core.moments import Moment
from tallow.core.spec import Spec, check_convention, make_spec, parse_specs
from tallow.core.timeframe import Timeframe
from tallow.data.kernels.sequences import MoveRows
from tallow.data.universe import Universe
from tallow.runtime.ranges import Range, moment_us
from tallow.runtime.screens.asking import absent_notes, require_past
from tallow.runtime.screens.bars import BarRequest, panel_of
from tallow.runtime.screens.questions import are_members, closed_by, names_asked
from tallow.runtime.screens.sources import FrameSource
from tallow.screens.panels import Panel

MOVE = "move"
"""The indicator of moves."""

_NEEDED = ("direction", "strong", "strength", "bars")


class AnalysedEngine(Protocol):
    """What an engine has that is asked for sequences."""

    calendars: CalendarAssignment
    threads: int
    _pool: Executor | None


@dataclass(frozen=True)
class SequenceQuestion:
    """What is asked about sequences of the bars of a timeframe; see `AnalysisRequests`."""

    size: Timeframe
    moves: Spec
    horizon: int
    split: float

    @classmethod
    def read(cls, size: Timeframe, moves: str, horizon: Any, split: Any, how: str) -> Self:
        """Read what a caller gave, under a convention; `ParameterError` for what cannot be."""
        is_whole = isinstance(horizon, int) and not isinstance(horizon, bool)
        if not is_whole or not 1 <= horizon <= LENGTH_MAX:
            raise ParameterError(
                f"sequences: horizon={excerpt(horizon)}; must be a whole number of bars, "
                f"1..{LENGTH_MAX:,}"
            )
        is_number = isinstance(split, int | float) and not isinstance(split, bool)
        if not is_number or not 0.0 < split < 1.0:
            raise ParameterError(
                f"sequences: split={excerpt(split)}; must be above 0 and below 1: the share of the "
                "history that chooses patterns; the rest measures them"
            )
        return cls(size, _read_moves(moves, how), horizon, split)


def _read_moves(text: str, how: str) -> Spec:
    """Return the indicator of moves with its parameters; `ParameterError` if it is another one."""
    convention = check_convention(how)
    found = parse_specs(text, convention)
    if len(found) != 1 or found[0].indicator.name != MOVE:
        raise ParameterError(
            f"sequences: moves={excerpt(text)}; must be the indicator move, such as "
            '"move(20, threshold=0.6)"'
        )
    (spec,) = found
    return make_spec(spec.indicator, dict(spec.values), convention)


def ask_sequences(
    engine: AnalysedEngine,
    question: SequenceQuestion,
    source: FrameSource,
    when: tuple[Moment | None, str | datetime | None, Moment | None],
    who: tuple[str | list[str] | None, str | Path | Universe | None],
) -> SequenceResult:
    """Return the sequences of the bars that had closed at a moment."""
    (at, known_at, start), (instruments, universe) = when, who
    if at is not None:
        require_past(at, engine.calendars, "sequences")
    over = Range.of(start, None, instruments).checked(engine.calendars)
    if over.instruments is not None:
        over.check_found(source.instruments())
    list_ = source.universe(universe)
    panel = _panel(engine.calendars, question, source, (at, known_at), over, list_)
    asked = None if list_ is None else are_members(list_, panel, engine.calendars)
    bars = _move_bars(panel, question.moves, asked)
    threshold = float(dict(question.moves.values)["threshold"])
    asked_for = (question.horizon, question.split, threshold)
    found = analyse(bars, *asked_for, engine._pool, engine.threads)
    why = "" if len(bars.rows.ends) else source.why_empty or _NO_BARS.format(question.size.text)
    notes = (*source.notes, *absent_notes(list_, over, source))
    return replace(found, notes=notes, why_empty=why, quarantined=source.quarantined)


_NO_BARS = "no bars of {}; is the timeframe longer than the history, or the moment before it?"


def _panel(
    calendars: CalendarAssignment,
    question: SequenceQuestion,
    source: FrameSource,
    moments: tuple[Moment | None, str | datetime | None],
    over: Range,
    universe: Universe | None,
) -> Panel:
    """Return the bars with their moves, as they were known at a moment."""
    at, known_at = moments
    until = None if at is None else closed_by(at, calendars)
    known = None if known_at is None else moment_us("known_at", known_at)
    if known is None and source.has_receipts:
        known = until
    source.begin(names_asked(source, over, universe), until, known)
    first = None
    if over.start is not None:
        first = min(over.limits(each)[0] for each in calendars.calendars)
    (frame,) = source.fetch([BarRequest(question.size.text, [question.moves], first)])
    where = (question.size, source.size, calendars, source.until)
    return panel_of(over.cut(frame, calendars), *where)


def _move_bars(panel: Panel, moves: Spec, asked: Any) -> MoveBars:
    """Return the closed bars of a panel with their moves."""
    closed, columns = panel.closed, dict(zip(moves.outputs, moves.columns, strict=True))
    named = [*("open", "close", "volume"), *(columns[name] for name in _NEEDED)]
    is_asked = np.ones(len(panel.opens), np.bool_) if asked is None else asked
    rows = MoveRows(
        closed.offsets,
        closed.opens,
        closed.ends,
        closed.of_rows(is_asked),
        *(np.ascontiguousarray(closed.of_rows(panel.columns[name])) for name in named),
    )
    return MoveBars(panel.names, rows)
