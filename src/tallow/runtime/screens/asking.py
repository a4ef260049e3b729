"""How the screens of an engine are read and asked; imported where somebody asks one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import (
    RangeError,
    ScreenError,
    excerpt,
)
from tallow.core.given import name_text
from tallow.core.moments import Moment, at_venue, read_limit
from tallow.core.time import from_us, now_us
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.reading.candles import Candles
from tallow.data.universe import Universe
from tallow.runtime.asked_candles import candles_or_store
from tallow.runtime.ranges import Range, moment_us
from tallow.runtime.screens.questions import ScreenQuestion, closed_by
from tallow.runtime.screens.sources import FrameSource, GivenSource, Source, StoreSource
from tallow.runtime.universes import UniverseReport
from tallow.screens.answers import Screen, ScreenResult
from tallow.screens.files import texts_of
from tallow.screens.nodes import CONDITION, NODES, NUMBER, Node
from tallow.screens.parser import parse_screen
from tallow.screens.sweeps import Sweep, read_sweep

if TYPE_CHECKING:
    from tallow.runtime.query import StoreQueries
    from tallow.runtime.requests import CandleRequests


class ScreenedEngine(Protocol):
    """What an engine has that is asked for screens."""

    calendars: CalendarAssignment
    _requests: CandleRequests
    _queries: StoreQueries | None


def ask(
    engine: ScreenedEngine,
    screens: Sequence[Screen],
    timeframe: str | Timeframe,
    source: Source,
    when: tuple[Moment | None, str | datetime | None, Moment | None, Moment | None],
    who: tuple[str | list[str] | None, str | Path | Universe | None],
) -> list[ScreenResult]:
    """Return the answers of screens: at a moment, or where one is given, over a range."""
    at, known_at, start, end = when
    instruments, universe = who
    question = ScreenQuestion(screens, parse_timeframe(timeframe), engine.calendars, source)
    known = None if known_at is None else moment_us("known_at", known_at)
    if at is not None:
        require_past(at, engine.calendars)
    list_ = source.universe(universe)
    over = Range.of(start, end, instruments).checked(engine.calendars)
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


def require_past(at: Moment, calendars: CalendarAssignment, what: str = "screen") -> None:
    """Raise `RangeError` for a moment that has not come, or is before all calendars.

    A date of today has begun.
    """
    begins = min(int(each.sessions().day_open[0]) for each in calendars.calendars)
    if closed_by(at, calendars) < begins:
        raise RangeError(
            f"{what}: at={at}; must not be before the calendar's first session, "
            f"{from_us(begins).isoformat()}: no bar had closed; give a later moment"
        )
    now = from_us(now_us())
    for calendar in calendars.calendars:
        moment = at_venue("at", read_limit("at", at), calendar)
        today = now.astimezone(ZoneInfo(calendar.timezone)).date()
        if moment > now if isinstance(moment, datetime) else moment > today:
            raise RangeError(
                f"{what}: at={at}; must not be later than now: nobody knows its bars; leave it "
                "out for the newest ones"
            )


def source_of(
    engine: ScreenedEngine, candles: Any, given: Any, adjustment: str, what: str = "screen"
) -> FrameSource:
    """Return where the bars of a question come from: candles, or the engine's store."""
    found = candles_or_store(engine, candles, given, what)
    if isinstance(found, Candles):
        return GivenSource(engine._requests, found, what)
    asking = (engine._requests, found)
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
    if isinstance(condition, Mapping):
        raise ScreenError(
            "screen: a tree in JSON; must be text or a node; read it first: "
            "tallow.screens.json_form.from_json"
        )
    tree = condition if isinstance(condition, NODES) else read(condition, kind=CONDITION)
    if isinstance(columns, str):
        raise ScreenError(f"columns: {excerpt(columns)}; must be a list of texts, or by name")
    named = dict(columns) if isinstance(columns, Mapping) else {text: text for text in columns}
    for name in named:
        name_text("screen: columns", name, ScreenError)
    taken = sorted({"instrument", "timestamp", "close"} & named.keys() - {"close"})
    if taken:
        raise ScreenError(f"columns: {taken[0]}; is a column of every answer; name it otherwise")
    numbers = {
        name: read(text, kind=NUMBER, what=f"screen: columns={excerpt(name)}")
        for name, text in named.items()
    }
    by = None if sort is None else read(sort, kind=NUMBER, what="screen: sort=")
    return Screen(tree, numbers, by, ascending)


def read_ranges(condition: str) -> Sweep:
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
    said = absent_notes(universe, over, source)
    return [replace(each, notes=(*each.notes, *said)) for each in found] if said else found


def absent_notes(universe: Universe | None, over: Range, source: Source) -> list[str]:
    """Return what is to be known of the members of a universe, as those that have no candle."""
    if universe is None:
        return []
    there, asked = set(source.instruments()), universe.instruments
    members = asked if over.instruments is None else asked & over.instruments
    absent = tuple(sorted(members - there))
    report = UniverseReport(
        universe.name, universe.span_text(), len(members), absent, notes=universe.notes
    )
    return report.sentences()


def judge_bars(
    engine: ScreenedEngine,
    screen: Screen,
    size: Timeframe,
    candles: Candles,
    universe: Universe | None,
) -> pl.DataFrame:
    """Return all bars of candles with what a screen says of each; see `ScreenQuestion.bars`."""
    source = GivenSource(engine._requests, candles)
    return ScreenQuestion([screen], size, engine.calendars, source).bars(universe)
