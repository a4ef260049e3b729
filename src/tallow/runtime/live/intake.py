"""Rows on their way into a live engine's state: checked, made durable, and taken.

With a store, what others wrote before the engine's own write is taken before it, so that the state
is always that of the store's candles up to a receipt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Floats, Ints
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import CandleInputError, ParameterError
from tallow.core.given import name_text
from tallow.data.kernels.live_rows import span_of
from tallow.data.kernels.rows import TIME_MAX_US, TIME_MIN_US
from tallow.data.reading.candles import Candles, with_quarantine
from tallow.data.reading.known_times import KnownTimes
from tallow.data.reading.quarantine import empty_quarantine
from tallow.data.reading.rules import FORMING, NOT_COVERED, OUT_OF_RANGE
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import OPEN_INTEREST, time_view
from tallow.data.reading.stamps import LiveStamps
from tallow.runtime.live.admit import (
    NO_CALENDAR,
    Given,
    broken_rules,
    deletions,
    in_order,
)
from tallow.runtime.live.aside import (
    SOURCE_NAME,
    candles_aside,
    from_live,
    keep_the_rules,
    together,
)
from tallow.runtime.live.clock import LiveClock
from tallow.runtime.live.core import LiveState, Outcome
from tallow.runtime.live.follower import Follower
from tallow.runtime.live.memory import TIME, candle_rows
from tallow.runtime.live.source import LiveStore, as_candles

if TYPE_CHECKING:
    from tallow.data.store.write import WriteReport

_NONE = np.empty(0, dtype=np.int64)


class Intake:
    """The instruments of a live engine, and the one way in which their candles change.

    Attributes
    ----------
    names
        The instruments, by number.
    name_column, rank
        The same as a column, and their places among the sorted names.
    follower
        What keeps the state that of the engine's store, or None.
    saw_interest
        Whether what the engine was given had open interest.
    """

    def __init__(
        self, state: LiveState, calendars: CalendarAssignment, source: LiveStore | None
    ) -> None:
        self.names: list[str] = []
        self.name_column = pl.Series("instrument", [], dtype=pl.String)
        self.rank = np.empty(0, dtype=np.int64)
        self.saw_interest = False
        self._state, self._calendars = state, calendars
        self._known = KnownTimes(calendars)
        self.stamps = LiveStamps(calendars.calendars)
        self.clock = LiveClock(calendars)
        self._numbers: dict[str, int] = {}
        # What was asked for last, if it cannot change: mostly it is asked for every minute.
        self._minute: tuple[tuple[str, ...], Ints] = (), np.empty(0, dtype=np.int64)
        self._have_calendars = True
        self.follower = None
        if source is not None:
            self.follower = Follower(state, source, self.names, self._numbers)

    @property
    def source(self) -> LiveStore | None:
        """The engine's store."""
        return None if self.follower is None else self.follower.source

    @property
    def has_interest(self) -> bool:
        """Whether any candle may have open interest: bars have that column then."""
        return self.saw_interest or (self.source is not None and self.source.interest)

    def numbers(self, names: Iterable[str]) -> Ints:
        """Return instruments' numbers; new ones are added, with their past in the store."""
        if names is self._minute[0]:
            return self._minute[1].copy()
        given = list(names)
        new = [name for name in given if name not in self._numbers]
        if new:
            for name in new:
                name_text("live: instrument", name, ParameterError)
            self._meet(list(dict.fromkeys(new)))
        found = np.fromiter(map(self._numbers.__getitem__, given), np.int64, len(given))
        if isinstance(names, tuple):
            self._minute = names, found.copy()
        return found

    def _meet(self, new: Sequence[str]) -> Outcome:
        """Add instruments, with their past in the store; return their last bars."""
        if self.follower is None:
            self.register(new)
            return self._state.nothing()
        self.follower.look()
        self.register(new)
        return self.follower.meet(new)

    def known(self, names: Iterable[str]) -> Ints:
        """Return the numbers of those instruments that are known, ascending."""
        found = {self._numbers[name] for name in names if name in self._numbers}
        return np.array(sorted(found), dtype=np.int64)

    def register(self, new: Sequence[str]) -> None:
        """Add instruments without a past."""
        if not all(new):
            raise ParameterError("live: instrument=''; must be text; name it")
        first = len(self.names)
        self.names += new
        self._numbers |= {name: first + place for place, name in enumerate(new)}
        self.name_column = pl.Series("instrument", self.names, dtype=pl.String)
        self.rank = np.argsort(np.argsort(np.array(self.names, dtype=object)))
        places = self._calendars.places(new)
        self._have_calendars &= bool((places >= 0).all())
        self._state.grow(places)

    def places(self, numbers: Ints) -> Ints:
        """Return the places of instruments' calendars; -1 where there is none."""
        return self._state.places[numbers]

    def rules(
        self,
        numbers: Ints,
        times: Floats,
        edges: tuple[float, float] | None,
        ahead: str = FORMING,
    ) -> list[str | None] | None:
        """Return which rule on calendars and clocks each row breaks; None where none does.

        `edges` are the first and the last of the times, None without a row; `ahead` is the rule of
        rows that are ahead of the clock.
        """
        if edges is None:
            return None
        first, last = edges
        known = self._have_calendars and self._known.covers_span(first, last)
        if known and self.clock.is_behind(last):
            return None
        places = self.places(numbers)
        uncovered = self._known.uncovered(places, times)
        outside = (times < TIME_MIN_US) | (times > TIME_MAX_US)
        rules = [OUT_OF_RANGE, NO_CALENDAR, NOT_COVERED]
        wrong = np.select([outside, places < 0, uncovered], rules, "").astype(object)
        right = wrong == ""
        if right.any():
            wrong[right] = np.where(self.clock.ahead(places[right], times[right]), ahead, "")
        return [rule or None for rule in wrong.tolist()] if (wrong != "").any() else None

    # Candles

    def set_aside(self, rows: pl.DataFrame) -> None:
        """Make rows durable in the store's quarantine; nothing without a store."""
        report = self._write(in_order(_NONE, deletions(_NONE, _NONE)), together(rows))
        if report is not None:
            assert self.follower is not None
            self.follower.note(report)

    def take_any(self, numbers: Ints, rows: Floats) -> Outcome:
        """Take rows ``[rows, fields]`` of which nothing is known, in the order in which they came.

        Raises
        ------
        CandleInputError
            If a number is not known.
        """
        edges = span_of(numbers)
        if edges is not None and not 0 <= edges[0] <= edges[1] < len(self.names):
            raise CandleInputError(
                f"update: instrument={edges[0]}..{edges[1]}; must be numbers that `numbers` gave, "
                f"0..{len(self.names) - 1}"
            )
        broken = broken_rules(rows)
        if broken is None:
            return self.take(numbers, rows)
        aside, good = candles_aside(self.name_column, numbers, rows, broken), keep_the_rules(broken)
        return self.take(numbers[good], rows[good], aside=aside)

    def take_candles(self, candles: Candles, *, commit: bool) -> Outcome:
        """Take candles as they were read, or say what that would change."""
        frame = candles.frame
        self.saw_interest |= OPEN_INTEREST in frame.columns
        names, offsets = candles.runs or instrument_runs(frame)
        numbers = np.repeat(self.numbers(names), np.diff(offsets))
        aside = candles.quarantine if len(candles.quarantine) else None
        return self.take(numbers, candle_rows(frame), candles, aside, commit=commit)

    def take(
        self,
        numbers: Ints,
        rows: Floats,
        candles: Candles | None = None,
        aside: pl.DataFrame | None = None,
        *,
        commit: bool = True,
    ) -> Outcome:
        """Take rows that keep the rules of reading; of one key the last one counts.

        Parameters
        ----------
        candles
            The same rows as they were read, if they were.
        aside
            Rows that break a rule: counted, and with a store in its quarantine.
        """
        edges = span_of(rows[:, TIME])
        rules = self.rules(numbers, rows[:, TIME], edges)
        if rules is not None:
            aside = together(aside, candles_aside(self.name_column, numbers, rows, rules))
            good = keep_the_rules(rules)
            numbers, rows = numbers[good], rows[good]
            if candles is not None:
                candles = with_quarantine(candles, candles.quarantine, pl.Series(good))
            edges = span_of(rows[:, TIME])
        given = in_order(numbers, rows)
        if commit:
            if edges is not None:
                first, last = edges
                self.clock.follow(last)
                places = partial(self.places, numbers)
                self.stamps.see(places, rows[:, TIME], int(first), int(last))
            outcome = self._changed(given, self._write(given, aside, candles))
        else:
            outcome = self._state.apply(given, commit=False)
        outcome.repeated += 0 if candles is None else candles.report.repeated
        outcome.aside = aside
        return outcome

    def take_minutes(
        self, numbers: Ints, rows: Floats, closed: Flags, aside: pl.DataFrame | None
    ) -> Outcome:
        """Take candles made of ticks, of which those that have closed are to be durable.

        As are ticks that were set aside.
        """
        report = self._write_minutes(numbers[closed], rows[closed], aside)
        outcome = self._changed(in_order(numbers, rows), report)
        outcome.aside = aside
        return outcome

    def make_durable(self, numbers: Ints, rows: Floats) -> None:
        """Write candles that the state has taken already."""
        report = self._write_minutes(numbers, rows)
        if report is not None:
            assert self.follower is not None
            self.follower.note(report, np.unique(numbers))

    def held(self, number: int, row: Floats) -> Floats | None:
        """Return what the state holds of a candle's minute, or the candle if it is too old.

        None where the candle was deleted.
        """
        kept = self._state.memory.kept(number)
        place = int(np.searchsorted(kept[:, TIME], row[TIME]))
        if place == len(kept) or kept[place, TIME] != row[TIME]:
            return row if row[TIME] <= self._state.reach(number) else None
        held: Floats = kept[place]
        return held

    def delete(self, keys: pl.DataFrame, numbers: Ints) -> Outcome:
        """Delete candles by a frame of `instrument` and `timestamp`, and its instruments."""
        times = time_view(keys)
        given = in_order(numbers, deletions(numbers, times))
        report = None if self.source is None else self.source.store.delete(keys, source=SOURCE_NAME)
        return self._changed(given, report)

    def catch_up(self, names: Iterable[str] | None) -> Outcome:
        """Take what others have written to the store, and add instruments: all by default."""
        assert self.follower is not None
        outcome = self.follower.follow(self.follower.source.store.point())
        wanted = self.follower.strangers() if names is None else dict.fromkeys(names)
        new = [name for name in wanted if name not in self._numbers]
        if new:
            outcome = outcome.then(self._meet(new)).then(self.follower.mend())
        return outcome

    def look(self) -> None:
        """Notice where history of the store was taken away, and make anew what must be."""
        if self.follower is not None:
            self.follower.look()

    def told(self, outcome: Outcome) -> Outcome:
        """Return an update with all that has changed before it and was not told."""
        return outcome if self.follower is None else self.follower.told(outcome)

    def _write(
        self, given: Given, aside: pl.DataFrame | None, candles: Candles | None = None
    ) -> WriteReport | None:
        """Make rows durable, by `candles` where they were read; nothing without a store."""
        if self.source is None or (aside is None and not len(given.which)):
            return None
        repeated = 0
        if candles is None:
            numbers, repeated = np.repeat(given.which, np.diff(given.offsets)), given.repeated
            candles = as_candles(self.name_column[numbers], self.rank[numbers], given.rows)
        if repeated or aside is not None:
            quarantine = empty_quarantine() if aside is None else from_live(aside)
            candles = with_quarantine(candles, quarantine, repeated=repeated)
        return self.source.store.append(candles, source=SOURCE_NAME)

    def _write_minutes(
        self, numbers: Ints, rows: Floats, aside: pl.DataFrame | None = None
    ) -> WriteReport | None:
        """Make candles durable that are made of ticks; a sum of trades may be no number."""
        broken = broken_rules(rows)
        if broken is not None:
            aside = together(aside, candles_aside(self.name_column, numbers, rows, broken))
            good = keep_the_rules(broken)
            numbers, rows = numbers[good], rows[good]
        return self._write(in_order(numbers, rows), aside)

    def _changed(self, given: Given, report: WriteReport | None) -> Outcome:
        """Take rows that are durable; before them what others wrote meanwhile."""
        if self.follower is None:
            return self._state.apply(given)
        return self.follower.take(given, report)
