"""The way of rows into a live engine's state: checked, made durable, and applied.

With a store, what others wrote before the engine's own write is applied first, so that the state
always is that of the store's candles up to a receipt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
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
from tallow.runtime.live.clock import LiveClock, SureTimes
from tallow.runtime.live.follower import Follower
from tallow.runtime.live.live_quarantine import (
    NO_CALENDAR,
    SOURCE_NAME,
    join_quarantines,
    named_live,
    quarantine_candles,
    unbroken,
)
from tallow.runtime.live.live_state import LiveState
from tallow.runtime.live.live_store import LiveStore, as_candles
from tallow.runtime.live.machine import Candle, StepRows
from tallow.runtime.live.memory import TIME, candle_rows
from tallow.runtime.live.outcome import Outcome
from tallow.runtime.live.update_rows import UpdateRows, broken_rules, deletion_rows, sort_rows

if TYPE_CHECKING:
    from tallow.data.store.backend import Meanwhile
    from tallow.data.store.write import WriteReport

_NONE = np.empty(0, dtype=np.int64)


class Intake:
    """The instruments of a live engine, and the one way in which their candles change.

    Attributes
    ----------
    names
        The instruments, by number.
    name_column, rank
        The names as a column, and the place of each among the sorted names.
    follower
        Keeps the state equal to the engine's store; None without a store.
    saw_interest
        Whether any update had open interest.
    while_durable
        Gives a context for the time in which rows become durable, before the state changes.
    """

    def __init__(
        self, state: LiveState, calendars: CalendarAssignment, source: LiveStore | None
    ) -> None:
        self.names: list[str] = []
        self.name_column = pl.Series("instrument", [], dtype=pl.String)
        self.rank = np.empty(0, dtype=np.int64)
        self.saw_interest = False
        self.while_durable: Meanwhile = nullcontext
        self._state, self._calendars = state, calendars
        self._known = KnownTimes(calendars)
        self.stamps = LiveStamps(calendars.calendars)
        self.clock = LiveClock(calendars)
        self._numbers: dict[str, int] = {}
        # The last names and their numbers: a feed mostly has the same ones every minute.
        self._minute: tuple[tuple[str, ...], Ints] = (), np.empty(0, dtype=np.int64)
        self._have_calendars = True
        self._sure = SureTimes(self.known_span, self.stamps.quiet_span, clock=self.clock)
        self.follower = None
        if source is not None:
            self.follower = Follower(state, source, self.names, self._numbers)

    @property
    def source(self) -> LiveStore | None:
        """The engine's store."""
        return None if self.follower is None else self.follower.source

    @property
    def has_interest(self) -> bool:
        """Whether any candle may have open interest: then bars have that column."""
        follower = self.follower
        return self.saw_interest or (follower is not None and follower.source.interest)

    def numbers(self, names: Iterable[str]) -> Ints:
        """Return instruments' numbers; add new ones, with their past in the store."""
        if names is self._minute[0]:
            return self._minute[1].copy()
        given = list(names)
        new = [name for name in given if name not in self._numbers]
        if new:
            for name in new:
                name_text("live: instrument", name, ParameterError)
            self._add(list(dict.fromkeys(new)))
        found = np.fromiter(map(self._numbers.__getitem__, given), np.int64, len(given))
        if isinstance(names, tuple):
            self._minute = names, found.copy()
        return found

    def _add(self, new: Sequence[str]) -> Outcome:
        """Add instruments with their past in the store; return their last bars."""
        if self.follower is None:
            self.register(new)
            return self._state.no_change()
        self.follower.check_history()
        self.register(new)
        return self.follower.add(new)

    def known_numbers(self, names: Iterable[str]) -> Ints:
        """Return the numbers of the names that are known, ascending."""
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
        calendars = self._calendars.indices(new)
        self._have_calendars &= bool((calendars >= 0).all())
        self._sure.forget()
        self._state.grow(calendars)

    def calendar_of(self, numbers: Ints) -> Ints:
        """Return the numbers of instruments' calendars; -1 where there is none."""
        return self._state.calendar_of[numbers]

    def known_span(self, moment: int) -> tuple[float, float]:
        """Return from when to before when, about a moment, all calendars know all times."""
        return self._known.known_span(moment) if self._have_calendars else (0.0, 0.0)

    def rules(
        self, numbers: Ints, times: Floats, edges: tuple[float, float] | None, ahead: str = FORMING
    ) -> list[str | None] | None:
        """Return the rule on calendars and clocks that each row breaks; None where none does.

        `edges` are the first and the last of the times, None without a row; `ahead` is the rule for
        rows ahead of the clock.
        """
        if edges is None:
            return None
        first, last = edges
        known = self._have_calendars and self._known.covers_span(first, last)
        if known and self.clock.covers(last):
            return None
        calendars = self.calendar_of(numbers)
        uncovered = self._known.uncovered(calendars, times)
        outside = (times < TIME_MIN_US) | (times > TIME_MAX_US)
        rules = [OUT_OF_RANGE, NO_CALENDAR, NOT_COVERED]
        wrong = np.select([outside, calendars < 0, uncovered], rules, "").astype(object)
        right = wrong == ""
        if right.any():
            wrong[right] = np.where(self.clock.ahead(calendars[right], times[right]), ahead, "")
        return [rule or None for rule in wrong.tolist()] if (wrong != "").any() else None

    # Candles

    def write_quarantine(self, rows: pl.DataFrame) -> None:
        """Write rows to the store's quarantine; does nothing without a store."""
        report = self._write(sort_rows(_NONE, deletion_rows(_NONE, _NONE)), join_quarantines(rows))
        if report is not None:
            assert self.follower is not None
            self.follower.note_write(report)

    def known_number(self, instrument: str | int) -> int | None:
        """Return an instrument's number, by its name or its number; None where a name is new.

        Raises
        ------
        CandleInputError
            If it is a number that is not known.
        """
        if isinstance(instrument, str):
            return self._numbers.get(instrument)
        self._require_numbers(instrument, instrument)
        return instrument

    def take_one(self, instrument: str | int, candle: Candle) -> Outcome:
        """Check and take one candle; a name that is new is added."""
        number = self.known_number(instrument)
        if number is None:
            number = int(self.numbers((str(instrument),))[0])
        return self.take_unchecked(np.array([number]), np.array([candle]))

    def take_sure(self, number: int, candle: Candle) -> StepRows | None:
        """Take one candle in one call; None where something about it asks for a closer look.

        Its values may be anything; then who looks closer says what is wrong.
        """
        if self.follower is not None:
            return None
        moment = candle[0]
        try:
            is_sure = self._sure.holds(moment)
        except TypeError:
            return None
        rows = self._state.take_one(number, candle) if is_sure else None
        if rows is not None:
            self.clock.note_newest(moment)
        return rows

    def take_unchecked(self, numbers: Ints, rows: Floats) -> Outcome:
        """Check and take rows ``[rows, fields]``, in the order in which they came.

        Raises
        ------
        CandleInputError
            If a number is not known.
        """
        edges = span_of(numbers)
        if edges is not None:
            self._require_numbers(*edges)
        broken = broken_rules(rows)
        if broken is None:
            return self.take(numbers, rows)
        numbers, rows, quarantine = self._without_broken(numbers, rows, broken)
        return self.take(numbers, rows, quarantine=quarantine)

    def _require_numbers(self, first: float, last: float) -> None:
        if not 0 <= first <= last < len(self.names):
            raise CandleInputError(
                f"update: instrument={first}..{last}; must be numbers that `numbers` gave, "
                f"0..{len(self.names) - 1}"
            )

    def take_candles(self, candles: Candles, *, commit: bool) -> Outcome:
        """Take candles as they were read; without `commit`, only say what would change."""
        frame = candles.frame
        self.saw_interest |= OPEN_INTEREST in frame.columns
        names, offsets = candles.runs or instrument_runs(frame)
        numbers = np.repeat(self.numbers(names), np.diff(offsets))
        quarantine = candles.quarantine if len(candles.quarantine) else None
        return self.take(numbers, candle_rows(frame), candles, quarantine, commit=commit)

    def take(
        self,
        numbers: Ints,
        rows: Floats,
        candles: Candles | None = None,
        quarantine: pl.DataFrame | None = None,
        *,
        commit: bool = True,
    ) -> Outcome:
        """Take rows that keep the rules of reading; the last one of a key counts.

        Parameters
        ----------
        candles
            The same rows as they were read; None where they were not.
        quarantine
            Rows that break a rule: counted, and written to the store's quarantine.
        """
        edges = span_of(rows[:, TIME])
        rules = self.rules(numbers, rows[:, TIME], edges)
        if rules is not None:
            numbers, rows, quarantine = self._without_broken(numbers, rows, rules, quarantine)
            if candles is not None:
                kept = pl.Series(unbroken(rules))
                candles = with_quarantine(candles, candles.quarantine, kept)
            edges = span_of(rows[:, TIME])
        given = sort_rows(numbers, rows)
        if commit:
            if edges is not None:
                first, last = edges
                self.clock.note_newest(last)
                calendars = partial(self.calendar_of, numbers)
                self.stamps.see(calendars, rows[:, TIME], int(first), int(last))
            outcome = self._changed(given, self._write(given, quarantine, candles))
        else:
            outcome = self._state.apply(given, commit=False)
        outcome.repeated += 0 if candles is None else candles.report.repeated
        outcome.quarantine = quarantine
        return outcome

    def take_minutes(
        self, numbers: Ints, rows: Floats, closed: Flags, quarantine: pl.DataFrame | None
    ) -> Outcome:
        """Take candles made of ticks; the `closed` ones are made durable, and the quarantine."""
        report = self._store_minutes(numbers[closed], rows[closed], quarantine)
        outcome = self._changed(sort_rows(numbers, rows), report)
        outcome.quarantine = quarantine
        return outcome

    def write_minutes(self, numbers: Ints, rows: Floats) -> None:
        """Write candles that the state already has."""
        report = self._store_minutes(numbers, rows)
        if report is not None:
            assert self.follower is not None
            self.follower.note_write(report, np.unique(numbers))

    def candle_in_memory(self, number: int, row: Floats) -> Floats | None:
        """Return the candle in memory of a row's minute, or the row if that is older than memory.

        None where the candle was deleted.
        """
        kept = self._state.memory.candles_of(number)
        place = int(np.searchsorted(kept[:, TIME], row[TIME]))
        if place == len(kept) or kept[place, TIME] != row[TIME]:
            return row if row[TIME] <= self._state.reach(number) else None
        candle: Floats = kept[place]
        return candle

    def delete(self, keys: pl.DataFrame, numbers: Ints) -> Outcome:
        """Delete candles by a frame of `instrument` and `timestamp`, and the rows' instruments."""
        times = time_view(keys)
        given = sort_rows(numbers, deletion_rows(numbers, times))
        report = None
        if self.source is not None:
            store, meanwhile = self.source.store, self.while_durable
            report = store.delete(keys, source=SOURCE_NAME, meanwhile=meanwhile)
        return self._changed(given, report)

    def catch_up(self, names: Iterable[str] | None) -> Outcome:
        """Apply what others wrote to the store, and add instruments: all by default."""
        assert self.follower is not None
        outcome = self.follower.follow(self.follower.source.store.point())
        wanted = self.follower.unknown_instruments() if names is None else dict.fromkeys(names)
        new = [name for name in wanted if name not in self._numbers]
        if new:
            outcome = outcome.then(self._add(new)).then(self.follower.rebuild_behind())
        return outcome

    def check_history(self) -> None:
        """Rebuild what must be where history of the store was removed."""
        if self.follower is not None:
            self.follower.check_history()

    def with_deferred(self, outcome: Outcome) -> Outcome:
        """Return an update with the changed rows that were deferred before it."""
        return outcome if self.follower is None else self.follower.with_deferred(outcome)

    def _write(
        self, given: UpdateRows, quarantine: pl.DataFrame | None, candles: Candles | None = None
    ) -> WriteReport | None:
        """Make rows durable, as `candles` where they were read; does nothing without a store."""
        if self.source is None or (quarantine is None and not len(given.which)):
            return None
        repeated = 0
        if candles is None:
            numbers, repeated = np.repeat(given.which, np.diff(given.offsets)), given.repeated
            candles = as_candles(self.name_column[numbers], self.rank[numbers], given.rows)
        if repeated or quarantine is not None:
            quarantine = empty_quarantine() if quarantine is None else named_live(quarantine)
            candles = with_quarantine(candles, quarantine, repeated=repeated)
        store, meanwhile = self.source.store, self.while_durable
        return store.append(candles, source=SOURCE_NAME, meanwhile=meanwhile)

    def _store_minutes(
        self, numbers: Ints, rows: Floats, quarantine: pl.DataFrame | None = None
    ) -> WriteReport | None:
        """Make candles of ticks durable, checked: a sum of trades may be no finite number."""
        broken = broken_rules(rows)
        if broken is not None:
            numbers, rows, quarantine = self._without_broken(numbers, rows, broken, quarantine)
        return self._write(sort_rows(numbers, rows), quarantine)

    def _without_broken(
        self,
        numbers: Ints,
        rows: Floats,
        rules: Sequence[str | None],
        quarantine: pl.DataFrame | None = None,
    ) -> tuple[Ints, Floats, pl.DataFrame | None]:
        """Return rows that break no rule, and a quarantine with those that do."""
        good, broken = unbroken(rules), quarantine_candles(self.name_column, numbers, rows, rules)
        return numbers[good], rows[good], join_quarantines(quarantine, broken)

    def _changed(self, given: UpdateRows, report: WriteReport | None) -> Outcome:
        """Apply rows that are durable; before them, what others wrote meanwhile."""
        if self.follower is None:
            return self._state.apply(given)
        return self.follower.apply(given, report)
