"""What a universe does to an answer: bars of instruments that are no members are left out.

Values are those of whole histories, as always; only rows are left out, by the date of their
session.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from tallow.core.arrays import Dates, Flags, Ints, Times
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.calendars.table import date_list
from tallow.core.text import counted
from tallow.data.coverage.days import session_dates
from tallow.data.joins import JoinedHistories
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import time_view
from tallow.data.universe import Universe
from tallow.data.universe_joins import with_joins
from tallow.runtime.ranges import Range

if TYPE_CHECKING:
    from tallow.data.store.store import Store
    from tallow.data.store.write import WriteReport

NAMES_SHOWN = 5
"""Members that a sentence names."""


@dataclass(frozen=True)
class UniverseReport:
    """What a universe did to an answer.

    Attributes
    ----------
    name
        The universe's.
    span
        Of which dates it has members, in words.
    members
        How many instruments it has, on any date, of those that are asked for.
    unknown
        Which of them the input, or the store, does not have.
    bars_left_out
        Bars of the range whose instrument was no member on the date of their session.
    dates_without
        Dates of these on which the universe has no member at all, ascending.
    notes
        What was merged when it was read.
    """

    name: str
    span: str
    members: int
    unknown: tuple[str, ...] = ()
    bars_left_out: int = 0
    dates_without: tuple[date, ...] = ()
    notes: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """Return what a person should know."""
        said = [*self.notes]
        if self.bars_left_out:
            bars = counted(self.bars_left_out, "bar")
            said.append(f"{bars} left out, of instruments that were no members then")
        if self.unknown:
            names = ", ".join(self.unknown[:NAMES_SHOWN])
            more = len(self.unknown) - NAMES_SHOWN
            names += f" and {more:,} more" if more > 0 else ""
            of_all = f"{len(self.unknown):,} of {counted(self.members, 'member')}"
            said.append(f"{of_all} without a row: {names}")
        if days := self.dates_without:
            span = f"{days[0]}" if len(days) == 1 else f"{days[0]} to {days[-1]}"
            said.append(f"no members on {counted(len(days), 'date')} with bars, {span}")
        return [f"universe {self.name}: {each}" for each in said]

    def among(self, instruments: Collection[str] | None) -> UniverseReport:
        """Return the report with those of the unknown that were asked for; None is all."""
        if instruments is None:
            return self
        return replace(self, unknown=tuple(each for each in self.unknown if each in instruments))

    def why_empty(self) -> str:
        """Return why an answer has no bar, where that is the universe's doing."""
        if self.bars_left_out:
            return (
                f"no bars: of {self.bars_left_out:,} in the range, none is of an instrument that "
                f"was a member of universe {self.name} then, which has members on {self.span}"
            )
        if not self.members:
            return f"no bars: no instrument that is asked for is ever in universe {self.name}"
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as plain values, for JSON."""
        return {
            "name": self.name,
            "span": self.span,
            "members": self.members,
            "unknown": list(self.unknown),
            "bars_left_out": self.bars_left_out,
            "dates_without": [each.isoformat() for each in self.dates_without],
            "notes": list(self.notes),
        }


def record_universe(store: Store, universe: Universe) -> tuple[WriteReport, UniverseReport]:
    """Keep a universe in a store; return what changed, and what a person should know of it."""
    report = store.universes.record(universe)
    known, members = store.instruments(), store.universes.by_keys(universe).instruments
    # A store without candles knows nobody yet.
    absent = tuple(sorted(members.difference(known or members)))
    name, span = universe.name, universe.span_text()
    return report, UniverseReport(name, span, len(members), absent, notes=universe.notes)


@dataclass
class MemberCut:
    """Cuts bars to those of members, and counts the others."""

    universe: Universe
    calendars: CalendarAssignment
    left_out: int = 0
    dates_without: set[date] = field(default_factory=set)

    def cut(self, bars: pl.DataFrame) -> pl.DataFrame:
        """Return the bars of members; those of an instrument stand together."""
        names, offsets = instrument_runs(bars)
        counts = np.diff(offsets)
        numbers = np.repeat(self.universe.numbers(names), counts)
        calendar_of = np.repeat(self.calendars.indices(names), counts)
        is_member = self.flags(numbers, calendar_of, time_view(bars))
        return bars if is_member.all() else bars.filter(pl.Series(is_member))

    def flags(
        self, numbers: Ints, calendar_of: Ints, times: Times, *, counted: bool = True
    ) -> Flags:
        """Say which bars are of members, by the numbers of their instruments and calendars."""
        days = dates_of(self.calendars, calendar_of, times)
        is_member = self.universe.has(numbers, days)
        if counted and not is_member.all():
            others = np.unique(days[~is_member])
            self.left_out += int(np.count_nonzero(~is_member))
            self.dates_without |= set(date_list(others[~self.universe.has_members(others)]))
        return is_member

    def report(self, members: Collection[str], known: Collection[str]) -> UniverseReport:
        """Return what was done, of so many members, of which some are known."""
        unknown = sorted(name for name in members if name not in known)
        days = tuple(sorted(self.dates_without))
        counts = (tuple(unknown), self.left_out, days)
        said = (self.universe.name, self.universe.span_text(), len(members))
        return UniverseReport(*said, *counts, self.universe.notes)


def dates_of(calendars: CalendarAssignment, calendar_of: Ints, times: Times) -> Dates:
    """Return the session dates of instants, by the indices of their calendars."""
    if len(calendars.calendars) == 1:
        return session_dates(calendars.calendars[0], times)
    days = np.empty(len(times), dtype="datetime64[D]")
    for place, calendar in enumerate(calendars.calendars):
        own = np.maximum(calendar_of, 0) == place
        days[own] = session_dates(calendar, times[own])
    return days


# By the keys of a store


class StoredMembers:
    """The members of a universe by the keys of a store.

    `listed` is the universe with keys for symbols; `names` are the instruments whose bars are made,
    sorted. `RangeError` if the store has none of the members, or not an instrument that was asked
    for beside.
    """

    def __init__(
        self,
        wanted: Range,
        listed: Universe,
        known: Collection[str],
        joined: JoinedHistories,
        calendars: CalendarAssignment,
    ) -> None:
        self._listed, self._known = replace(wanted, universe=listed), known
        self._listed.check_found(known, "the store")
        universe = with_joins(listed, joined, calendars)
        members = universe.instruments.intersection(known)
        if wanted.instruments is None:
            # Its bars are among those of the instrument that goes on from it.
            members -= joined.ended_keys(members)
        else:
            members &= wanted.instruments
        self.names, self._cut = sorted(members), MemberCut(universe, calendars)

    def cut(self, bars: pl.DataFrame) -> pl.DataFrame:
        """Return the bars of members."""
        return self._cut.cut(bars)

    def report(self) -> UniverseReport:
        """Return what was left out."""
        return self._cut.report(self._listed.names or (), self._known)
