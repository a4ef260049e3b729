"""All bars of an answer, of which pages are cut: made by this process or by a worker."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import orjson
import polars as pl

import tallow
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import without_empty_warnings
from tallow.core.moments import is_relative
from tallow.core.time import END_OF_TIME, SECOND_US, from_us, now_us
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.reading.schema import time_view
from tallow.data.universe import Universe
from tallow.engine import AnalyticsEngine
from tallow.runtime.batch import BarOptions
from tallow.runtime.cache import frame_bytes
from tallow.runtime.ranges import Range
from tallow.runtime.results import ProcessingResult, RunReport
from tallow.runtime.run_snapshots import run_identity
from tallow.runtime.spans import calendar_buckets
from tallow.service.http.questions import (
    BarsQuestion,
    ManyQuestion,
    names_of,
    require_bounded,
)

RELATIVE_SECONDS = 60
"""How long an answer holds whose range begins or ends so many days before today."""


@dataclass(frozen=True)
class WholeQuestion:
    """What all bars of an answer are made of.

    Attributes
    ----------
    asked, instrument
        The client's question.
    known_at
        What the store knew then; None is now.
    final_at
        Bars that had ended by this moment are final.
    grace
        Seconds after its end in which a bar may still change.
    """

    asked: BarsQuestion
    instrument: str | None
    known_at: int | None
    final_at: int
    grace: float


@dataclass(frozen=True)
class Whole:
    """All bars of an answer, and what is said of them; `until` is that of `Page`."""

    frame: pl.DataFrame
    about: dict[str, Any]
    digest: bytes
    until: int

    @property
    def nbytes(self) -> int:
        """Bytes of the bars."""
        return frame_bytes(self.frame)


class QuestionBounds(NamedTuple):
    """What a question asks of at most: whose bars, and of how many candles at most."""

    names: list[str] | None
    universe: Universe | None
    candles: int


def bounds_of(engine: AnalyticsEngine, question: WholeQuestion) -> QuestionBounds:
    """Hold a question to its bounds before anything is read; errors as of `answer_whole`."""
    assert engine.store is not None
    asked, state = question.asked, engine.store.state()
    names = names_of(asked, question.instrument)
    universe = None
    if isinstance(asked, ManyQuestion) and asked.universe is not None:
        # A stored one: a name is never that of a file of this machine.
        universe = engine.store.universes.read(asked.universe, question.known_at)
    wanted = Range.of(asked.start, asked.end, list(names or ()) or None, universe)
    wanted = wanted.checked(engine.calendars)
    count = len(names) if names else len(universe or ())
    candles = require_bounded(engine, asked, wanted, state, count)
    return QuestionBounds(list(names) if names else None, universe, candles)


def answer_whole(
    engine: AnalyticsEngine, question: WholeQuestion, within: QuestionBounds | None = None
) -> Whole:
    """Ask an engine, and let bars turn final that had ended by a moment.

    `within` is what `bounds_of` returned, where that was asked.

    Raises
    ------
    TallowError
        As `tallow.AnalyticsEngine.query`; also if the answer would be too large.
    """
    asked, known_at, final_at = question.asked, question.known_at, question.final_at
    names, universe, _ = within or bounds_of(engine, question)
    final = None if known_at is None else from_us(min(final_at, known_at))
    with without_empty_warnings():
        result = engine.query(
            names,
            asked.timeframe,
            asked.start,
            asked.end,
            asked.indicators,
            None if known_at is None else from_us(known_at),
            final_at=final,
            source_timeframe=asked.source_timeframe,
            adjustment=asked.adjustment,
            universe=universe,
        )
    return _told(engine, question, result)


def _told(engine: AnalyticsEngine, question: WholeQuestion, result: ProcessingResult) -> Whole:
    asked = question.asked
    size, source = parse_timeframe(asked.timeframe), parse_timeframe(asked.source_timeframe)
    frame, until = turn_final(
        result.frame.rechunk(), engine.calendars, size, source, question.final_at
    )
    if until != END_OF_TIME:
        until += round(question.grace * SECOND_US)
    if is_relative(asked.start) or is_relative(asked.end):
        until = min(until, now_us() + RELATIVE_SECONDS * SECOND_US)
    about = about_report(result.report)
    digest = hashlib.blake2b(orjson.dumps(about), digest_size=16)
    digest.update(_versions(engine, result, size, source))
    digest.update(_bytes_of(frame))
    return Whole(frame, about, digest.digest(), until)


def _versions(
    engine: AnalyticsEngine, result: ProcessingResult, size: Timeframe, source: Timeframe
) -> bytes:
    """Return a digest of what makes the numbers, but the candles: versions, calendar facts."""
    options = BarOptions(size, source, engine.calendars, engine.no_trade)
    parts = [tallow.__version__.encode()]
    parts += (
        run_identity(result.recipe.plan, options, calendar)
        for calendar in engine.calendars.calendars
    )
    return b"".join(parts)


def turn_final(
    frame: pl.DataFrame,
    calendars: CalendarAssignment,
    size: Timeframe,
    source: Timeframe,
    moment: int,
) -> tuple[pl.DataFrame, int]:
    """Return bars of which those are final, too, that ended by a moment; and when the next ends.

    `END_OF_TIME` where none is left that is not final.
    """
    final = frame["is_final"].to_numpy()
    forming = np.flatnonzero(~final)
    if not len(forming):
        return frame, END_OF_TIME
    rows = frame[forming]
    opens, places = time_view(rows), calendars.indices(rows["instrument"].to_list())
    ends = np.full(len(rows), END_OF_TIME)
    for place in np.unique(places[places >= 0]):
        own = places == place
        buckets = calendar_buckets(calendars.calendars[int(place)], size, source)
        ends[own] = buckets.ends_of(opens[own])
    final = final.copy()
    final[forming] = ends <= moment
    until = int(ends[ends > moment].min(initial=END_OF_TIME))
    return frame.with_columns(pl.Series("is_final", final)), until


def about_report(report: RunReport) -> dict[str, Any]:
    """Return what a report says of an answer, as JSON has it."""
    return {
        "why_empty": report.why_empty,
        "failures": dict(report.failures),
        "notes": [*report.notes, *(report.universe.sentences() if report.universe else ())],
        "assumed": report.assumed,
        "hint": report.hint,
    }


def _bytes_of(frame: pl.DataFrame) -> memoryview:
    written = io.BytesIO()
    frame.write_ipc_stream(written)
    return written.getbuffer()
