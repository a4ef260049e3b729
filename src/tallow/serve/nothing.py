"""Why an answer has no bar: one sentence, found from what was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.timeframe import parse_timeframe
from tallow.data.store.store import Store
from tallow.runtime.ranges import Range
from tallow.runtime.results import RunReport

NO_ROW = "the input holds no row, as the answer of a holiday"
NO_TRADE = "have no volume and repeat the last price, and such make no bar; see no_trade="


def why_no_bar(report: RunReport, calendars: CalendarAssignment) -> str:
    """Return why a run over files gave no bar; nothing where instruments failed, or it gave one."""
    read, counts = report.read, report.candles
    if not read.rows_in:
        return f"no candles: {NO_ROW}"
    if report.bars or report.failures or read.first is None or read.last is None:
        return ""
    span = _span(read.first, read.last, calendars)
    if counts.in_bars:
        return f"no bars: none opens in the range; the candles are of {span}"
    if counts.no_trade == counts.rows:
        return f"no bars: all candles {NO_TRADE}"
    return f"no bars: all candles, {span}, {_outside(calendars)}"


def why_no_answer(store: Store, question: Mapping[str, Any], calendars: CalendarAssignment) -> str:
    """Return why a store has no bar for a question."""
    source, adjustment = (question[name] for name in ("source_timeframe", "adjustment"))
    size = parse_timeframe(source).text
    if others := store.other_kinds(size, adjustment):
        return f"no bars: {others}"
    wanted = Range.of(question["start"], question["end"], question["instruments"])
    there = store.series().filter(pl.col("timeframe") == size, pl.col("adjustment") == adjustment)
    series = wanted.pick(there)
    if series.is_empty():
        # Of a key that ended, under the key that follows it.
        series = there
    limits = [wanted.limits(calendar) for calendar in calendars.calendars]
    first, last = min(each[0] for each in limits), max(each[1] for each in limits)
    names = question["instruments"]
    inside = store.read(names, source_timeframe=size, adjustment=adjustment, start=first, end=last)
    if inside.is_empty():
        span = _span(series["first"].min(), series["last"].max(), calendars)  # type: ignore[arg-type]
        return f"no bars: the range has no candle; those in the store are of {span}"
    if question["known_at"] is not None:
        return "no bars: the store has candles of the range, and knew none of them at known_at="
    span = _span(inside["timestamp"].min(), inside["timestamp"].max(), calendars)  # type: ignore[arg-type]
    return f"no bars: all candles of the range, {span}, {_outside(calendars)}; or they {NO_TRADE}"


def why_none_in_common(rows: tuple[int, int, int], span: str) -> str:
    """Return why two answers have no bar in common; nothing where they have one."""
    both, control, candidate = rows
    if both:
        return ""
    return (
        f"no bar in common: the control has {control:,}, the candidate {candidate:,}, {span}, and "
        "none of the same instrument and time; is it another timezone=, timeframe= or name of the "
        "instruments?"
    )


def _outside(calendars: CalendarAssignment) -> str:
    names = ", ".join(sorted({each.name for each in calendars.calendars}))
    return f"lie outside the sessions of {names}; is it another calendar=, or the wrong zone?"


def _span(first: datetime, last: datetime, calendars: CalendarAssignment) -> str:
    zone = calendars.calendars[0].timezone
    times = (f"{each.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" for each in (first, last))
    return f"{' to '.join(times)} {zone}"


def distinct(sentences: Iterable[str]) -> list[str]:
    """Return sentences that say something, each once."""
    return list(dict.fromkeys(filter(None, sentences)))
