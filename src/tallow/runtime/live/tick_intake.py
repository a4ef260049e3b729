"""The way of ticks into a live engine: minutes that are running, closed, and corrected.

A running minute's candle is in memory only, and changes with every tick. It is written to the store
when it closes: so a minute costs one row there, and later ticks make a revision of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import StoreError
from tallow.core.limits import LIVE_TICK_MINUTES
from tallow.core.time import MINUTE_US
from tallow.data.kernels.anchors import anchor_columns, anchor_table
from tallow.data.kernels.live_rows import span_of
from tallow.data.kernels.tick_minutes import FOLDED, LATE, REPEATED
from tallow.data.reading.interchange import from_native
from tallow.data.reading.schema import TIME_TYPE, time_view
from tallow.data.ticks import Minutes, TickBuilder
from tallow.runtime.live.intake import Intake
from tallow.runtime.live.live_quarantine import (
    TOO_FAR_AHEAD,
    TOO_OLD,
    join_quarantines,
    quarantine_rows,
    unbroken,
)
from tallow.runtime.live.live_state import LiveState
from tallow.runtime.live.machine import StepRows
from tallow.runtime.live.memory import FIELDS, INTEREST, TIME
from tallow.runtime.live.one_row import OneRow
from tallow.runtime.live.outcome import Outcome
from tallow.runtime.live.tick_frames import QUANTITIES, missing_fields, tick_frame, tick_positions
from tallow.runtime.live.timeframe_state import SOURCE
from tallow.runtime.live.trading_hours import TradingHours

MinuteRows = tuple[Ints, Floats, Flags]
"""Instruments' numbers, rows ``[rows, fields]``, and whether their minutes have closed."""


class TickIntake:
    """Builds one-minute candles from ticks, and passes them on.

    Attributes
    ----------
    waiting
        Candles that the store could not write; they go before all others.
    """

    def __init__(
        self, intake: Intake, state: LiveState, calendars: CalendarAssignment, grace_us: int
    ) -> None:
        self.builder = TickBuilder(grace_us, LIVE_TICK_MINUTES)
        self._intake, self._state = intake, state
        if intake.follower is not None:
            intake.follower.running = self.builder.running_minutes
        self._anchors = anchor_table(calendars.calendars, SOURCE)
        self._hours = TradingHours(calendars)
        self._one = OneRow(tick_positions)
        # Of each calendar, from when to before when ticks need no look, and their session.
        self._spans: dict[int, tuple[float, float, float]] = {}
        self.waiting: list[MinuteRows] = []

    def take_one(
        self,
        instrument: str | int,
        moment: int,
        price: float,
        quantity: float,
        cumulative: bool,
        sequence: int,
    ) -> Outcome | StepRows:
        """Take one tick: in one call where nothing about it asks for a closer look.

        Raises
        ------
        CandleInputError
            If the instrument is a number that is not known.
        """
        number = self._intake.known_number(instrument)
        if number is not None:
            found = self._take_sure(number, moment, price, quantity, cumulative, sequence)
            if found is not None:
                return found
            instrument = self._intake.names[number]
        row = {"instrument": instrument, "timestamp": moment, "price": price}
        row |= {QUANTITIES[cumulative]: quantity, "sequence": sequence}
        frame = pl.DataFrame({name: [value] for name, value in row.items()})
        return self._take(frame.with_columns(pl.col("timestamp").cast(TIME_TYPE)))

    def take(self, ticks: Any) -> Outcome | StepRows:
        """Build minutes of ticks, and apply them; the outcome counts ticks.

        Parameters
        ----------
        ticks
            A frame with `instrument`, `timestamp`, `price`, and `quantity` or `day_volume`;
            `sequence`, if there is one, numbers the trades of one instant.

        Raises
        ------
        CandleInputError
            If a column is missing, or has a wrong type.
        StoreError
            If minutes that closed cannot be written; the next call writes them.
        """
        row = self._one.values(ticks)
        if row is not None:
            moment, name, price, quantity, total, sequence = row
            amount = total if quantity is None else quantity
            number = None if name is None else self._intake.known_number(name)
            if number is not None and price is not None and amount is not None:
                found = self._take_sure(
                    number, moment, float(price), float(amount), quantity is None, sequence or 0
                )
                if found is not None:
                    return found
        return self._take(ticks)

    def _take_sure(
        self,
        number: int,
        moment: int,
        price: float,
        quantity: float,
        cumulative: bool,
        sequence: int,
    ) -> Outcome | StepRows | None:
        """Take one tick in one call; None where something about it asks for a closer look."""
        intake = self._intake
        first, until, session = self._span_about(number, moment)
        if not (first <= moment < until and intake.clock.covers(moment)):
            return None
        tick = (moment, sequence, price, quantity, session, cumulative)
        alone = intake.follower is None and not self.waiting
        found = self._state.take_tick(self.builder.one_tick(), number, tick, alone=alone)
        if found is None:
            return None
        intake.clock.note_newest(moment)
        if not isinstance(found, int):
            return found
        minutes = self.builder.made(found)
        outcome = self._pass_on(self._candles(minutes))
        count_ticks(outcome, minutes, np.array([number]), np.array([moment]))
        return outcome

    def _span_about(self, number: int, moment: int) -> tuple[float, float, float]:
        """Return a span of continuous trading about a moment, known to the calendars; its session.

        Empty where there is none.
        """
        place = int(self._state.calendar_of[number])
        found = self._spans.get(place)
        if found is None or not found[0] <= moment < found[1]:
            one, when = np.array([number]), np.array([moment])
            spans = self._intake.known_span(moment), self._hours.segment(place, moment)
            first, until = max(span[0] for span in spans), min(span[1] for span in spans)
            session = float(self._sessions(one, when)[0]) if first < until else np.nan
            self._spans[place] = found = first, until, session
        return found

    def _take(self, ticks: Any) -> Outcome:
        original = from_native(ticks)[0]
        frame, cumulative = tick_frame(original)
        original, frame, unnamed = _split(original, frame, missing_fields(frame))
        names, which = np.unique(frame["instrument"].to_numpy(), return_inverse=True)
        numbers = self._intake.numbers(names.tolist())[which]
        times = time_view(frame)
        rules = self._intake.rules(numbers, times.astype(np.float64), span_of(times), TOO_FAR_AHEAD)
        if rules is not None:
            good = unbroken(rules)
            numbers, times = numbers[good], times[good]
        original, frame, quarantine = _split(original, frame, rules)
        quarantine = join_quarantines(unnamed, quarantine)
        if len(times):
            self._intake.clock.note_newest(int(times.max()))
        sessions = self._sessions(numbers, times)
        if cumulative:
            sessions[~self._hours.inside(self._intake.calendar_of(numbers), times)] = np.nan
            self._open_sessions(frame, numbers, times, sessions)
        minutes = self.builder.add(
            numbers,
            times,
            frame["price"].to_numpy(),
            frame["quantity"].to_numpy(),
            sessions,
            cumulative=cumulative,
            sequence=frame["sequence"].to_numpy(),
        )
        if len(bad := minutes.quarantined):
            broken = quarantine_rows(frame[bad], minutes.rules, original[bad])
            quarantine = join_quarantines(quarantine, broken)
        outcome = self._pass_on(self._candles(minutes), quarantine)
        count_ticks(outcome, minutes, numbers, times)
        return outcome

    def advance(self, now: int) -> Outcome | None:
        """Set the clock, and make the minutes durable that close.

        Return what minutes change that could not be written when their ticks came; mostly None.
        """
        numbers, rows, closed = self._candles(self.builder.advance(now))
        if self.waiting:
            return self._pass_on((numbers, rows, closed))
        try:
            self._intake.write_minutes(numbers, rows)
        except StoreError:
            self.waiting.append((numbers, rows, closed))
            raise
        return None

    def write_running(self) -> Outcome | None:
        """Make running minutes durable as they are; they go on running."""
        numbers, rows, closed = self._candles(self.builder.running())
        if self.waiting:
            return self._pass_on((numbers, rows, closed))
        self._intake.write_minutes(numbers, rows)
        return None

    def _pass_on(self, candles: MinuteRows, quarantine: pl.DataFrame | None = None) -> Outcome:
        """Pass candles on, after those that could not be written before."""
        self.waiting.append(candles)
        numbers, rows, closed = (np.concatenate(parts) for parts in zip(*self.waiting, strict=True))
        outcome = self._intake.take_minutes(numbers, rows, closed, quarantine)
        self.waiting.clear()
        return outcome

    def _candles(self, minutes: Minutes) -> MinuteRows:
        """Return minutes as numbers and rows ``[rows, fields]``, and which have closed.

        A minute without a new tick stays what it is: a feed's candle may have come since its last
        tick, or a deletion.
        """
        numbers, rows = minutes.instrument, _rows(minutes)
        good = minutes.renewed.copy()
        if self._intake.source is None:
            # Nothing has changed for the state, and nothing is written.
            return numbers[good], rows[good], minutes.closed[good]
        # What waits for the store is not in the state yet.
        waits = {key for n, r, _ in self.waiting for key in zip(n, r[:, TIME], strict=True)}
        for place in np.flatnonzero(~good).tolist():
            number, row = int(numbers[place]), rows[place]
            is_waiting = (number, row[TIME]) in waits
            known = row if is_waiting else self._intake.candle_in_memory(number, row)
            if known is not None:
                rows[place], good[place] = known, True
        return numbers[good], rows[good], minutes.closed[good]

    def _sessions(self, numbers: Ints, times: Times) -> Floats:
        """Return each tick's session number."""
        offsets = np.arange(len(numbers) + 1)
        calendar = self._intake.calendar_of(numbers)
        return anchor_columns(self._anchors, ["session"], times, offsets, calendar)["session"]

    def _open_sessions(
        self, frame: pl.DataFrame, numbers: Ints, times: Times, sessions: Floats
    ) -> None:
        """Give the builder the volume of a session before its first tick of an instrument.

        It is 0 in the session's first minute. An engine that begins later must not put all of the
        day's volume into one minute: it counts from the first tick on. That is the first by the
        order of ticks, even where it comes late.
        """
        totals, sequence = frame["quantity"].to_numpy(), frame["sequence"].to_numpy()
        order = np.lexsort((totals, sequence, times, numbers))
        prices = frame["price"].to_numpy()
        taken = np.isfinite(sessions) & np.isfinite(prices) & (totals >= 0) & np.isfinite(totals)
        order = order[taken[order]]
        first = order[np.diff(numbers[order], prepend=-1) != 0]
        opens = self._hours.session_opens(self._intake.calendar_of(numbers[first]), times[first])
        for row, minute in zip(first.tolist(), opens.tolist(), strict=True):
            number, session = int(numbers[row]), float(sessions[row])
            new = not self.builder.knows(number, session)
            tick = int(times[row]), int(sequence[row]), float(totals[row])
            if new or self.builder.begins_after(number, session, tick):
                in_first = times[row] < minute + MINUTE_US
                self.builder.begin(number, session, 0.0 if in_first else float(totals[row]))


def _split(
    original: pl.DataFrame, frame: pl.DataFrame, rules: Sequence[str | None] | None
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame | None]:
    """Return ticks, original and as read, that break no rule; and a quarantine of the others."""
    if rules is None:
        return original, frame, None
    good = unbroken(rules)
    broken = [rule for rule in rules if rule is not None]
    quarantine = quarantine_rows(frame.filter(~good), broken, original.filter(~good))
    return original.filter(good), frame.filter(good), quarantine


def _rows(minutes: Minutes) -> Floats:
    """Return minutes as rows ``[rows, fields]``."""
    rows = np.full((len(minutes.instrument), len(FIELDS)), np.nan)
    for place, name in enumerate(FIELDS[:INTEREST]):
        rows[:, place] = getattr(minutes, name)
    return rows


def count_ticks(outcome: Outcome, minutes: Minutes, numbers: Ints, times: Times) -> None:
    """Count ticks where candles were counted."""
    # Ticks of a minute older than all that the state knows have changed nothing.
    lost = np.zeros(len(numbers), dtype=np.bool_)
    if outcome.too_old:
        too_old = {(number, time) for number, time, _ in outcome.too_old}
        opens = zip(numbers.tolist(), (times // MINUTE_US * MINUTE_US).tolist(), strict=True)
        lost[:] = [key in too_old for key in opens]
        lost &= minutes.outcome <= REPEATED
    counts = np.bincount(minutes.outcome[~lost], minlength=REPEATED + 1)
    outcome.appended, outcome.late = int(counts[FOLDED]), int(counts[LATE])
    outcome.revised = outcome.deleted = 0
    outcome.repeated = int(counts[REPEATED])
    rows = np.flatnonzero(lost)
    outcome.too_old = [(int(numbers[row]), int(times[row]), TOO_OLD) for row in rows]
