"""What sessions tell of rows that do not say it: their zone, and how long their candles last.

Both are taken only where the rows leave no doubt, and said; elsewhere they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Ints, Times
from tallow.core.calendars import Calendar
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import TimeframeError
from tallow.core.time import MINUTE_US
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import time_view

CalendarName = str | Mapping[str, str | tuple[str, str]] | CalendarAssignment
"""One name, names by instrument, or what was made of them."""

STEP_ROWS_MAX = 100_000
"""Rows that are looked at where it is only asked whether they contradict what is said."""

STEPS_MIN = 20
"""A step that is seen less often says nothing of how long candles last."""

TOO_FEW = f"{STEPS_MIN} equal steps within sessions would tell the timeframe; "
"""Why rows tell of no timeframe, before what to do."""

_STEP_SCHEMA = {"instrument": pl.String, "step": pl.Int64, "rows": pl.Int64}
_FITTING_PERCENT = 95
_ROUND_THE_CLOCK_US = 18 * 60 * MINUTE_US
"""Sessions that are longer take the rows of any zone, and so tell of none."""


def assigned(calendar: CalendarName) -> CalendarAssignment:
    """Return the calendars that a caller named."""
    return calendar if isinstance(calendar, CalendarAssignment) else CalendarAssignment(calendar)


def calendar_zone(calendars: CalendarAssignment) -> str | None:
    """Return the zone of which sessions can tell; None if there are several, or they never end."""
    zones = {calendar.timezone for calendar in calendars.calendars}
    if len(zones) > 1 or any(map(_never_ends, calendars.calendars)):
        return None
    return zones.pop()


def fits_sessions(frames: Iterable[pl.DataFrame], calendars: CalendarAssignment) -> bool:
    """Say whether at least 95 % of rows are in a session; rows have instrument and timestamp."""
    rows = inside = 0
    for frame in frames:
        keys = frame.select("instrument", "timestamp").drop_nulls()
        rows += len(frame)
        inside += int((_segments(keys, calendars) >= 0).sum())
    return rows > 0 and 100 * inside >= _FITTING_PERCENT * rows


@dataclass(frozen=True)
class StepCounts:
    """How often each step, in microseconds, lies between an instrument's neighbouring rows.

    Only those of one session count. Columns are `instrument`, `step` and `rows`.
    """

    table: pl.DataFrame

    @classmethod
    def of(cls, frames: Iterable[pl.DataFrame], calendars: CalendarAssignment) -> StepCounts:
        """Count the steps of frames together, whose rows may be in any order."""
        keys = [frame.select("instrument", "timestamp").drop_nulls() for frame in frames]
        together = pl.concat(keys).sort("instrument", "timestamp") if keys else pl.DataFrame()
        if len(together) <= STEPS_MIN:
            return cls(pl.DataFrame(schema=_STEP_SCHEMA))
        counts = _count_steps(together, _segments(together, calendars))
        return cls(counts.sort("instrument", "step"))

    @cached_property
    def together(self) -> Timeframe | None:
        """What the steps of all rows together tell; None where there are too few that agree."""
        return _certain(self.table.group_by("step").agg(pl.col("rows").sum()))

    @property
    def timeframe(self) -> Timeframe | None:
        """How long candles last; None where too few steps, or instruments by theirs, say."""
        found = self.together
        return None if found is None or self.others(found) else found

    def others(self, timeframe: Timeframe) -> dict[str, Timeframe]:
        """Return the instruments whose own steps tell of another timeframe."""
        own = {
            str(key[0]): _certain(part)
            for key, part in self.table.partition_by("instrument", as_dict=True).items()
        }
        return {name: size for name, size in own.items() if size not in {None, timeframe}}

    def sentence(self) -> str:
        """Say by what the timeframe is known."""
        size = self.timeframe
        assert size is not None, "the steps leave a doubt"
        seen = int(self.table.filter(step=size.minutes * MINUTE_US)["rows"].sum())
        return (
            f"candles last {size}, the commonest step within sessions: {seen:,} of "
            f"{int(self.table['rows'].sum()):,}"
        )

    def doubt(self) -> str:
        """Say why the steps tell of no timeframe, before what to do."""
        found = self.together
        if found is not None:
            name, other = next(iter(self.others(found).items()))
            return f"{name!r} has steps of {other}, others of {found}; "
        return TOO_FEW


def require_steps(
    where: str, candles: pl.DataFrame, timeframe: Timeframe, calendar: CalendarName
) -> None:
    """Raise `TimeframeError` where the steps of candles tell of another timeframe than is said."""
    if _steps_at_most(candles) < STEPS_MIN:
        # Such as a minute of many instruments: a look at sessions would take as long as the write.
        return
    steps = StepCounts.of([candles.head(STEP_ROWS_MAX)], assigned(calendar))
    found = steps.timeframe
    if found is not None and found != timeframe:
        raise TimeframeError(
            f"{where}: source_timeframe={timeframe}; {steps.sentence()}; they must agree; is it "
            f"the right file? If so, give source_timeframe={found}"
        )


def _steps_at_most(candles: pl.DataFrame) -> int:
    """Return how many rows have one of their instrument before them, whatever the session."""
    return len(candles) - len(instrument_runs(candles)[0])


def _certain(counts: pl.DataFrame) -> Timeframe | None:
    """Return the commonest step, where it is seen often enough, and others are multiples of it."""
    if not len(counts):
        return None
    step, rows = counts.sort("rows", "step", descending=[True, False]).select("step", "rows").row(0)
    multiples = int(counts.filter(pl.col("step") % step == 0)["rows"].sum())
    if rows < STEPS_MIN or 100 * multiples < _FITTING_PERCENT * int(counts["rows"].sum()):
        return None
    minutes, rest = divmod(step, MINUTE_US)
    try:
        return None if rest else parse_timeframe(f"{minutes}m")
    except TimeframeError:
        return None


def _count_steps(keys: pl.DataFrame, segments: Ints) -> pl.DataFrame:
    """Count the steps between neighbours of one segment; keys are sorted."""
    steps = np.diff(time_view(keys))
    within = (segments[1:] == segments[:-1]) & (segments[1:] >= 0) & (steps > 0)
    within[instrument_runs(keys)[1][1:-1] - 1] = False
    found = pl.DataFrame({"instrument": keys["instrument"][1:], "step": steps})
    counted = found.filter(pl.Series(within)).group_by("instrument", "step").len("rows")
    return counted.cast(_STEP_SCHEMA)  # type: ignore[arg-type]


def _segments(keys: pl.DataFrame, calendars: CalendarAssignment) -> Ints:
    """Return in which segment of its instrument's calendar each row is; -1 for none."""
    times, found = time_view(keys), np.full(len(keys), -1, dtype=np.int64)
    for rows, calendar in _by_calendar(keys, calendars):
        found[rows] = _segments_of(times[rows], calendar)
    return found


def opens_of_closes(
    stamps: pl.DataFrame, length: int, calendars: CalendarAssignment | None
) -> Times:
    """Return when candles of a length in microseconds open whose stamps lie at their close.

    With calendars, those that a segment's end cuts short open where its last bar does.
    """
    times = time_view(stamps)
    opens = times - length
    for rows, calendar in () if calendars is None else _by_calendar(stamps, calendars):
        table, own = calendar.sessions(), times[rows]
        if len(table.segment_close):
            at = np.searchsorted(table.segment_close, own)
            at = np.minimum(at, len(table.segment_close) - 1)
            short = (own - table.segment_open[at]) % length
            is_cut = (table.segment_close[at] == own) & (short > 0)
            opens[rows] = np.where(is_cut, own - short, own - length)
    return opens


def _by_calendar(
    keys: pl.DataFrame, calendars: CalendarAssignment
) -> Iterator[tuple[slice | Flags, Calendar]]:
    """Yield each calendar of rows, and which rows are of it."""
    names = keys["instrument"].unique().to_list()
    calendar_of = calendars.indices(names)
    for index in np.unique(calendar_of[calendar_of >= 0]).tolist():
        own = [name for name, its in zip(names, calendar_of.tolist(), strict=True) if its == index]
        rows = slice(None) if len(own) == len(names) else keys["instrument"].is_in(own).to_numpy()
        yield rows, calendars.calendars[index]


def _segments_of(times: Times, calendar: Calendar) -> Ints:
    table = calendar.sessions()
    if not len(table.segment_open):
        return np.full(len(times), -1, dtype=np.int64)
    segment = np.searchsorted(table.segment_open, times, "right") - 1
    is_inside: Flags = (segment >= 0) & (times < table.segment_close[np.maximum(segment, 0)])
    return np.where(is_inside, segment, -1)


@cache
def _never_ends(calendar: Calendar) -> bool:
    table = calendar.sessions()
    length = np.median(table.day_close - table.day_open) if len(table.day_open) else 0
    return bool(length >= _ROUND_THE_CLOCK_US)
