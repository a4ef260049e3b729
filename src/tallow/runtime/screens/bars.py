"""Bars of frames as panels, and from when on bars are needed for those that are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from tallow.core.arrays import Ints, Times
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.spec import Spec
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.reading.periods import dated_times, noon_shifts
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import time_view
from tallow.runtime.spans import Buckets, calendar_buckets
from tallow.screens.needs import TimeframeNeeds
from tallow.screens.panels import Panel


class BarRequest(NamedTuple):
    """The bars of a timeframe with the columns of specs.

    From a moment on, in microseconds, or all; of some instruments, or all.
    """

    timeframe: str
    specs: Sequence[Spec]
    start: int | None
    names: Sequence[str] | None = None


Fetch = Callable[[Sequence[BarRequest]], list[pl.DataFrame]]
"""Returns the bars that are wanted, each sorted by instrument and time."""


def panel_of(
    frame: pl.DataFrame,
    timeframe: Timeframe,
    source: Timeframe,
    calendars: CalendarAssignment,
    until: int | None = None,
) -> Panel:
    """Return bars as a panel; of those that end later than `until`, none is closed."""
    names, offsets = instrument_runs(frame)
    opens, places = time_view(frame), np.repeat(calendars.indices(names), np.diff(offsets))
    ends, positions = bucket_times(opens, places, timeframe, source, calendars)
    final = frame["is_final"].to_numpy()
    if until is not None:
        final = final & (ends <= until)
    shown = [name for name in frame.columns if frame[name].dtype.is_numeric()]
    # Null is NaN in NumPy.
    columns = {name: frame[name].cast(pl.Float64).to_numpy() for name in shown}
    return Panel(tuple(names), offsets, opens, ends, final, columns, positions)


def closed_candles(
    candles: pl.DataFrame, source: Timeframe, calendars: CalendarAssignment, moment: int
) -> pl.DataFrame:
    """Return the candles of a sorted frame that have ended by a moment."""
    names, offsets = instrument_runs(candles)
    places = calendars.indices(names)
    found = [calendar_buckets(each, source, source) for each in calendars.calendars]
    limits = np.array([each.closed_by(moment) for each in found])
    shifts = noon_shifts(calendars.calendars, source)
    times = dated_times(time_view(candles), offsets, places, shifts)
    own = np.repeat(limits[np.maximum(places, 0)], np.diff(offsets))
    return candles.filter(pl.Series(times < own, dtype=pl.Boolean))


def bucket_times(
    opens: Times,
    calendar_of: Ints,
    timeframe: Timeframe,
    source: Timeframe,
    calendars: CalendarAssignment,
) -> tuple[Times, Ints]:
    """Return when bars end, and the numbers of their buckets; each has a calendar by number."""
    ends, positions = np.empty_like(opens), np.empty_like(opens)
    # What has no calendar has no bar either, in a live engine.
    place_of = np.maximum(calendar_of, 0)
    for place in np.unique(place_of).tolist():
        buckets = calendar_buckets(calendars.calendars[place], timeframe, source)
        own = place_of == place
        ends[own], positions[own] = buckets.ends_of(opens[own]), buckets.numbers_of(opens[own])
    return ends, positions


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
    by_size = {
        parse_timeframe(name or base): each
        for name, each in {None: TimeframeNeeds(None), **needs}.items()
    }
    wanted = []
    for size, each in by_size.items():
        starts = [] if first is None else _starts(each, base, size, first, calendars, source)
        wanted.append(BarRequest(size.text, each.specs, min(starts, default=None)))
    frames = fetch(wanted)
    if first is not None:
        frames = _with_earlier(frames, wanted, list(by_size.values()), first, fetch)
    return {size.text: make(frame, size) for size, frame in zip(by_size, frames, strict=True)}


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
    frames: Sequence[pl.DataFrame],
    wanted: Sequence[BarRequest],
    needs: Sequence[TimeframeNeeds],
    first: int,
    fetch: Fetch,
) -> list[pl.DataFrame]:
    """Return bars with all of the instruments that have too few before the first that is judged."""
    short = [_short(frame, each, first) for frame, each in zip(frames, needs, strict=True)]
    whole = fetch(
        [
            each._replace(start=None, names=names)
            for each, names in zip(wanted, short, strict=True)
            if names
        ]
    )
    left = iter(whole)
    return [
        _with_others(frame, next(left), names) if names else frame
        for frame, names in zip(frames, short, strict=True)
    ]


def _with_others(frame: pl.DataFrame, whole: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Return bars with those of some instruments exchanged."""
    rest = frame.filter(~pl.col("instrument").is_in(names))
    return pl.concat([rest, whole]).sort("instrument", maintain_order=True)


def _short(frame: pl.DataFrame, needs: TimeframeNeeds, first: int) -> list[str]:
    """Return the instruments that have too few bars before the first that is judged."""
    wanted = needs.bars + needs.base_bars + 2
    names, offsets = instrument_runs(frame)
    is_before = (time_view(frame) < first).astype(np.int64)
    before = np.add.reduceat(is_before, offsets[:-1]) if len(names) else ()
    return [name for name, count in zip(names, before, strict=True) if count < wanted]
