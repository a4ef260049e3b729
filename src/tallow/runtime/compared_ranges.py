"""Ranges of many instruments, those of one calendar together, and of instruments that are compared.

Where kernels go on over what was compared, a run begins with the states that earlier runs left at
months, of all instruments together: what was compared depends on the rows of all. They hold as long
as the log received no row of any of them before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from tallow.core.arrays import Floats, Times
from tallow.core.calendars import Calendar
from tallow.core.time import BEGIN_OF_TIME
from tallow.data.snapshots import SnapshotKey, Snapshots
from tallow.runtime.batch import NO_CALENDAR, BarOptions
from tallow.runtime.cross import KeptStates, Phases, add_phases
from tallow.runtime.questions import Question
from tallow.runtime.ranged import RangeRun, Target
from tallow.runtime.run_snapshots import month_starts, run_identity, still_holds
from tallow.runtime.spans import calendar_buckets, span_of

Making = Generator[None, None, pl.DataFrame]
"""Makes bars, and pauses after each batch of instruments; then returns them."""


def bars_by_calendar(run: RangeRun, names: Sequence[str], question: Question) -> Making:
    """Make the bars that a question asks for, by instrument and time."""
    wanted, calendars = question.wanted, run.options.calendars
    for place, group in _by_calendar(run, names).items():
        limits = wanted.limits(calendars.calendars[place])
        yield from _steps(run, group, place, limits, wanted.start is None, question)
    return run.bars()


def compared_bars(
    run: RangeRun, names: Sequence[str], question: Question, file: Snapshots
) -> Making:
    """Do as `bars_by_calendar` of all instruments, and compare them."""
    wanted, calendars = question.wanted, run.options.calendars
    groups = _by_calendar(run, names)
    kept, goes_on = None, any(not phase.is_cross for phase in run.plan.phases)
    boundary: int | None = None
    if goes_on and len(groups) == 1:
        (place,) = groups
        calendar = calendars.calendars[place]
        start = wanted.limits(calendar)[0]
        boundary, kept = _PhaseSnapshots(file, run, names, calendar).begin(start)
    for place, group in groups.items():
        first, last = wanted.limits(calendars.calendars[place])
        from_origin = wanted.start is None
        if goes_on:
            first, from_origin = boundary or BEGIN_OF_TIME, boundary is None
        yield from _steps(run, group, place, (first, last), from_origin, question)
    frame, failures = add_phases(
        run.bars(), run.plan, calendars, run.options.timeframe, kept, names
    )
    run.failures.update(failures)
    return wanted.cut(frame, calendars)


def _by_calendar(run: RangeRun, names: Sequence[str]) -> dict[int, list[str]]:
    """Return the instruments of each calendar; those without one are failures."""
    together: dict[int, list[str]] = {}
    places = run.options.calendars.indices(names).tolist()
    for name, place in zip(names, places, strict=True):
        together.setdefault(place, []).append(name)
    run.failures.update(dict.fromkeys(together.pop(-1, ()), NO_CALENDAR))
    return together


def _steps(
    run: RangeRun,
    names: Sequence[str],
    place: int,
    limits: tuple[int, int],
    from_origin: bool,
    question: Question,
) -> Iterator[None]:
    calendar, options = run.options.calendars.calendars[place], run.options
    buckets = calendar_buckets(calendar, options.timeframe, options.source)
    span = span_of(buckets, limits, from_origin, question.wanted.end is None)
    if span is not None:
        source = calendar_buckets(calendar, options.source, options.source)
        if question.seen_at is not None:
            span = span.until(source.closed_by(question.seen_at))
        yield from run.steps(names, Target(calendar, buckets, source, span))


def _boundaries(calendar: Calendar, options: BarOptions) -> Times:
    """Return where states are kept: at months, or at the first whole week of each.

    A week's bar may have rows on both sides of where a month begins.
    """
    months = month_starts(calendar, options.source)
    if options.timeframe.unit != "week":
        return months
    weeks = calendar_buckets(calendar, options.timeframe, options.source).starts
    found = np.unique(np.searchsorted(weeks, months))
    return weeks[found[found < len(weeks)]]


class _PhaseSnapshots:
    """States of a plan's later phases on disk, of all instruments of one calendar, at months."""

    def __init__(
        self, file: Snapshots, run: RangeRun, names: Sequence[str], calendar: Calendar
    ) -> None:
        self._file, self._candles, self._names = file, run.candles, sorted(names)
        self._phases = Phases(run.plan, run.options.calendars, run.options.timeframe)
        self._boundaries = _boundaries(calendar, run.options)
        later = [[each.identity for each in s.operations] for s in run.plan.phases]
        instruments = [run.candles.identity(name) for name in self._names]
        identity = run_identity(run.plan, run.options, calendar)
        text = repr((later, instruments)).encode()
        self._series = hashlib.blake2b(identity + text, digest_size=16).digest()

    def begin(self, until: int) -> tuple[int | None, KeptStates]:
        """Return the latest boundary up to a time, and what a run begins with and keeps there.

        None where there is no boundary: it begins with the first rows.
        """
        boundary, states = self._before(until)
        low = self._boundaries[0] - 1 if boundary is None else boundary
        first, last = np.searchsorted(self._boundaries, [low, until], "right")
        return boundary, KeptStates(states, self._boundaries[first:last].tolist(), self._keep)

    def _before(self, until: int) -> tuple[int | None, dict[str, Floats]]:
        now = self._candles.known_until
        for key in self._file.find([self._series], until).get(self._series, ()):
            is_valid = still_holds(self._file, key, now, self._earliest_change)
            state = self._file.load(key) if is_valid else None
            if state is not None and len(state) == self._phases.new_states(len(self._names)).size:
                rows = state.reshape(len(self._names), -1)
                return key.boundary, dict(zip(self._names, rows, strict=True))
        return None, {}

    def _earliest_change(self, moment: int) -> int | None:
        """Return the earliest timestamp of any row that came between a moment and ours."""
        changed = self._candles.changed_between(self._names, moment)
        return min(changed.values(), default=None)

    def _keep(self, boundary: int, states: Mapping[str, Floats]) -> None:
        rows = self._phases.new_states(len(self._names))
        for place, name in enumerate(self._names):
            if name in states:
                rows[place] = states[name]
        key = SnapshotKey(self._series, boundary, self._candles.known_until)
        self._file.save([(key, rows)])
