"""Why an answer has no bar: one sentence, found from what was read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import EmptyWarning, warn_caller
from tallow.data.coverage.provisional import provisional_bars
from tallow.data.reading.candles import ReadReport
from tallow.runtime.batch import Counts
from tallow.runtime.results import RunReport
from tallow.runtime.universes import UniverseReport

if TYPE_CHECKING:
    from tallow.data.store.reader import StoreState
    from tallow.runtime.questions import Question

NO_ROW = "the input holds no row, as the answer of a holiday"
NO_TRADE = "have no volume and repeat the last price, and such make no bar; see no_trade="


def warn_if_empty(reports: Iterable[RunReport]) -> None:
    """Warn (`EmptyWarning`) the caller of an answer without a bar why there is none."""
    for why in dict.fromkeys(report.why_empty for report in reports):
        if why:
            warn_caller(why, EmptyWarning)


def why_no_bar(
    read: ReadReport, counts: Counts, bars: int, failed: bool, calendars: CalendarAssignment
) -> str:
    """Return why a run gave no bar; nothing where instruments failed, or it gave one."""
    if bars or failed:
        return ""
    if not read.rows_in:
        return f"no candles: {NO_ROW}"
    if read.first is None or read.last is None:
        return ""
    span = _span(read.first, read.last, calendars)
    if counts.in_bars:
        return f"no bars: none opens in the range; the candles are of {span}"
    if counts.no_trade == counts.rows:
        return f"no bars: all candles {NO_TRADE}"
    return f"no bars: all candles, {span}, {_outside(calendars)}"


def with_universe(report: RunReport, universe: UniverseReport) -> RunReport:
    """Return a report that tells of a universe, and where it is the reason for no bar, of that."""
    why = report.why_empty
    if not (report.bars or report.failures):
        why = universe.why_empty() or why
    return replace(report, universe=universe, why_empty=why)


def describe_answer(
    report: RunReport,
    frame: pl.DataFrame,
    question: Question,
    state: StoreState,
    calendars: CalendarAssignment,
) -> RunReport:
    """Return the report of a store's answer, with its provisional bars, or why it has no bar."""
    if not len(frame):
        of_universe = report.universe.why_empty() if report.universe is not None else ""
        why = of_universe or _why_no_answer(state, question, calendars)
        return replace(report, why_empty="" if report.failures else why)
    assumed = provisional_bars(calendars, question.timeframe)
    if not len(provisional := assumed.among(frame)):
        return report
    return replace(report, provisional=provisional, assumed=assumed.sentence(provisional))


def _why_no_answer(state: StoreState, question: Question, calendars: CalendarAssignment) -> str:
    source, adjustment, wanted = question.source.text, question.adjustment, question.wanted
    limits = [wanted.limits(calendar) for calendar in calendars.calendars]
    first, last = min(each[0] for each in limits), max(each[1] for each in limits)
    names = None if wanted.instruments is None else sorted(wanted.instruments)
    inside = state.read(
        names, source_timeframe=source, adjustment=adjustment, start=first, end=last
    )["timestamp"]
    if inside.is_empty():
        return _why_no_candle(state, names, source, adjustment, calendars)
    if question.known_at is not None:
        return "no bars: the store has candles of the range, and knew none of them at known_at="
    span = _span(inside.min(), inside.max(), calendars)  # type: ignore[arg-type]
    return f"no bars: all candles of the range, {span}, {_outside(calendars)}; or they {NO_TRADE}"


def _why_no_candle(
    state: StoreState,
    names: Sequence[str] | None,
    source: str,
    adjustment: str,
    calendars: CalendarAssignment,
) -> str:
    kind = (pl.col("timeframe") == source) & (pl.col("adjustment") == adjustment)
    there = state.series(names).filter(kind)
    if there.is_empty():
        if others := state.other_kinds(source, adjustment):
            return f"no bars: {others}"
        # Of a key that ended, under the key that follows it.
        there = state.series().filter(kind)
    span = _span(there["first"].min(), there["last"].max(), calendars)  # type: ignore[arg-type]
    return f"no bars: the range has no candle; those in the store are of {span}"


def _outside(calendars: CalendarAssignment) -> str:
    names = ", ".join(sorted({each.name for each in calendars.calendars}))
    return f"lie outside the sessions of {names}; is it another calendar=, or the wrong zone?"


def _span(first: datetime, last: datetime, calendars: CalendarAssignment) -> str:
    zone = calendars.calendars[0].timezone
    times = (f"{each.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" for each in (first, last))
    return f"{' to '.join(times)} {zone}"
