"""Bars of frames as panels, and from when on bars are needed for those that are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.spec import Spec
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import NUMBERS, time_view
from tallow.runtime.spans import Buckets, calendar_buckets
from tallow.screens.needs import TimeframeNeeds
from tallow.screens.panels import Panel

Fetch = Callable[[str, Sequence[Spec], int | None, Sequence[str] | None], pl.DataFrame]
"""Returns the bars of a timeframe with the columns of specs: from a moment on, in microseconds, or
all; of some instruments, or all. Sorted by instrument and time."""


def panel_of(
    frame: pl.DataFrame,
    timeframe: Timeframe,
    source: Timeframe,
    calendars: CalendarAssignment,
    until: int | None = None,
) -> Panel:
    """Return bars as a panel; of those that end later than `until`, none is closed."""
    names, offsets = instrument_runs(frame)
    opens, places = time_view(frame), calendars.indices(names)
    ends, positions = np.empty_like(opens), np.empty_like(opens)
    place_of = np.repeat(np.maximum(places, 0), np.diff(offsets))
    for place in np.unique(place_of).tolist():
        buckets = calendar_buckets(calendars.calendars[place], timeframe, source)
        own = place_of == place
        ends[own], positions[own] = buckets.ends_of(opens[own]), buckets.numbers_of(opens[own])
    final = frame["is_final"].to_numpy()
    if until is not None:
        final = final & (ends <= until)
    shown = [name for name in frame.columns if name in NUMBERS or frame[name].dtype == pl.Float64]
    # Null is NaN in NumPy.
    columns = {name: frame[name].to_numpy() for name in shown}
    return Panel(tuple(names), offsets, opens, ends, final, columns, positions)


def panels_of(
    needs: Mapping[str | None, TimeframeNeeds],
    base: str,
    first: int | None,
    fetch: Fetch,
    make: Callable[[pl.DataFrame, Timeframe], Panel],
    calendars: CalendarAssignment,
    source: Timeframe,
) -> dict[str, Panel]:
    """Return the panels that are needed to judge base bars that open at a moment or later.

    None is all bars. Of an instrument that has too few bars since a calendar's, all are fetched:
    it has gaps, or is new.
    """
    found = {}
    for name, each in {None: TimeframeNeeds(None), **needs}.items():
        size, specs = parse_timeframe(name or base), each.specs
        starts = [] if first is None else _starts(each, base, size, first, calendars, source)
        frame = fetch(size.text, specs, min(starts, default=None), None)
        if starts:
            frame = _with_earlier(frame, size.text, each, first or 0, fetch)
        found[size.text] = make(frame, size)
    return found


def _starts(
    needs: TimeframeNeeds,
    base: str,
    size: Timeframe,
    first: int,
    calendars: CalendarAssignment,
    source: Timeframe,
) -> list[int]:
    """Return from when on bars are needed, by each calendar."""
    found = []
    for calendar in calendars.calendars:
        own = calendar_buckets(calendar, parse_timeframe(base), source)
        moment = _back(own, first, needs.base_bars)
        # One more, which may be open still at that moment.
        found.append(_back(calendar_buckets(calendar, size, source), moment, needs.bars + 2))
    return found


def _back(buckets: Buckets, moment: int, bars: int) -> int:
    return buckets.start(max(buckets.before(moment) - bars, 0))


def _with_earlier(
    frame: pl.DataFrame, timeframe: str, needs: TimeframeNeeds, first: int, fetch: Fetch
) -> pl.DataFrame:
    """Return bars with all of the instruments that have too few before the first that is judged."""
    wanted = needs.bars + needs.base_bars + 2
    before = frame.filter(pl.col("timestamp").to_physical() < first)
    counts = before.group_by("instrument").len().filter(pl.col("len") >= wanted)
    enough = counts["instrument"].implode()
    short = frame.filter(~pl.col("instrument").is_in(enough))["instrument"].unique().sort()
    if short.is_empty():
        return frame
    whole = fetch(timeframe, needs.specs, None, short.to_list())
    rest = frame.filter(~pl.col("instrument").is_in(short.implode()))
    return pl.concat([rest, whole]).sort("instrument", maintain_order=True)
