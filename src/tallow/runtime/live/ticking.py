"""Ticks on their way into a live engine: minutes that are running, closed, and corrected.

A running minute's candle is in memory only, and changes with every tick. It is written to the store
when it closes: a minute costs one row there, and what comes later is a revision of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import CandleInputError, StoreError
from tallow.core.limits import LIVE_TICK_MINUTES, NAME_CHARACTERS_MAX
from tallow.core.time import MINUTE_US
from tallow.data.kernels.anchors import anchor_columns, anchor_table
from tallow.data.kernels.live_rows import span_of
from tallow.data.kernels.tick_minutes import FOLDED, LATE, REPEATED
from tallow.data.reading.interchange import from_native
from tallow.data.reading.rules import NAME_TOO_LONG
from tallow.data.reading.schema import TIME_TYPE, find_column, time_view
from tallow.data.ticks import Minutes, TickBuilder
from tallow.runtime.live.admit import TOO_FAR_AHEAD, TOO_OLD
from tallow.runtime.live.aside import keep_the_rules, rows_aside, together
from tallow.runtime.live.core import Outcome
from tallow.runtime.live.intake import Intake
from tallow.runtime.live.memory import FIELDS, TIME

QUANTITIES = ("quantity", "day_volume")

Candles = tuple[Ints, Floats, Flags]
"""Instruments' numbers, rows ``[rows, fields]``, and whether their minutes have closed."""


class TickIntake:
    """Builds one-minute candles from ticks, and hands them on.

    Attributes
    ----------
    waiting
        Candles that the store did not take; they go before all others.
    """

    def __init__(self, intake: Intake, calendars: CalendarAssignment, grace_us: int) -> None:
        self.builder = TickBuilder(grace_us, LIVE_TICK_MINUTES)
        self._intake = intake
        if intake.follower is not None:
            intake.follower.running = self.builder.running_minutes
        self._anchors = anchor_table(calendars.calendars)
        self._hours = _Hours(calendars)
        self.waiting: list[Candles] = []

    def take(self, ticks: Any) -> Outcome:
        """Fold ticks in; the counts are those of ticks.

        Parameters
        ----------
        ticks
            A frame with `instrument`, `timestamp`, `price`, and `quantity` or `day_volume`;
            `sequence`, if there is one, numbers the trades of one instant.

        Raises
        ------
        CandleInputError
            If a column is missing, or cannot be what it is to be.
        StoreError
            If minutes that closed cannot be written; they are with the next call.
        """
        frame, cumulative = tick_frame(ticks)
        ticks, frame, unnamed = _split(ticks, frame, _what_lacks(frame))
        names, which = np.unique(frame["instrument"].to_numpy(), return_inverse=True)
        numbers = self._intake.numbers(names.tolist())[which]
        times = time_view(frame)
        rules = self._intake.rules(numbers, times.astype(np.float64), span_of(times), TOO_FAR_AHEAD)
        if rules is not None:
            good = keep_the_rules(rules)
            numbers, times = numbers[good], times[good]
        ticks, frame, aside = _split(ticks, frame, rules)
        aside = together(unnamed, aside)
        if len(times):
            self._intake.clock.follow(int(times.max()))
        sessions = self._sessions(numbers, times)
        if cumulative:
            sessions[~self._hours.inside(self._intake.places(numbers), times)] = np.nan
            self._begin(frame, numbers, times, sessions)
        minutes = self.builder.add(
            numbers,
            times,
            frame["price"].to_numpy(),
            frame["quantity"].to_numpy(),
            sessions,
            cumulative=cumulative,
            sequence=frame["sequence"].to_numpy() if "sequence" in frame.columns else None,
        )
        if len(minutes.refused):
            aside = together(aside, _aside(ticks, frame, minutes.refused, minutes.reasons))
        outcome = self._hand_on(self._candles(minutes), aside)
        _recount(outcome, minutes, numbers, times)
        return outcome

    def advance(self, now: int) -> Outcome | None:
        """Set the clock: minutes that close are made durable.

        Return what minutes changed that could not be written when their ticks came; mostly None.
        """
        numbers, rows, closed = self._candles(self.builder.advance(now))
        if self.waiting:
            return self._hand_on((numbers, rows, closed))
        try:
            self._intake.make_durable(numbers, rows)
        except StoreError:
            self.waiting.append((numbers, rows, closed))
            raise
        return None

    def write_running(self) -> Outcome | None:
        """Make minutes durable that still run, as they are; they go on running."""
        numbers, rows, closed = self._candles(self.builder.running())
        if self.waiting:
            return self._hand_on((numbers, rows, closed))
        self._intake.make_durable(numbers, rows)
        return None

    def _hand_on(self, candles: Candles, aside: pl.DataFrame | None = None) -> Outcome:
        """Hand candles on, after those that could not be written before."""
        self.waiting.append(candles)
        numbers, rows, closed = (np.concatenate(parts) for parts in zip(*self.waiting, strict=True))
        outcome = self._intake.take_minutes(numbers, rows, closed, aside)
        self.waiting.clear()
        return outcome

    def _candles(self, minutes: Minutes) -> Candles:
        """Return minutes as numbers and rows ``[rows, fields]``, and which have closed.

        A minute that ticks do not say anew stays what it is: a feed's candle may have come since
        its last tick, or a deletion.
        """
        numbers, rows = minutes.instrument, _rows(minutes)
        good = minutes.renewed.copy()
        # What waits for the store is not in the state yet.
        waits = {key for n, r, _ in self.waiting for key in zip(n, r[:, TIME], strict=True)}
        for place in np.flatnonzero(~good).tolist():
            key = (numbers[place], rows[place, TIME])
            held = rows[place] if key in waits else self._intake.held(int(key[0]), rows[place])
            if held is not None:
                rows[place], good[place] = held, True
        return numbers[good], rows[good], minutes.closed[good]

    def _sessions(self, numbers: Ints, times: Times) -> Floats:
        """Return each tick's session number."""
        offsets = np.arange(len(numbers) + 1)
        places = self._intake.places(numbers)
        return anchor_columns(self._anchors, ["session"], times, offsets, places)["session"]

    def _begin(self, frame: pl.DataFrame, numbers: Ints, times: Times, sessions: Floats) -> None:
        """Tell the builder what had traded in a session before its first tick of an instrument.

        Nothing in the session's first minute. An engine that begins later must not put all of the
        day's volume into one minute: it counts from the first tick on, by the order of ticks and
        not of their coming: one that comes late, and was before the others, is the first.
        """
        totals, sequence = frame["quantity"].to_numpy(), np.zeros(len(frame), dtype=np.int64)
        if "sequence" in frame.columns:
            sequence = frame["sequence"].to_numpy()
        order = np.lexsort((totals, sequence, times, numbers))
        prices = frame["price"].to_numpy()
        taken = np.isfinite(sessions) & np.isfinite(prices) & (totals >= 0) & np.isfinite(totals)
        order = order[taken[order]]
        first = order[np.diff(numbers[order], prepend=-1) != 0]
        opens = self._hours.opened(self._intake.places(numbers[first]), times[first])
        for row, minute in zip(first.tolist(), opens.tolist(), strict=True):
            number, session = int(numbers[row]), float(sessions[row])
            new = not self.builder.knows(number, session)
            tick = int(times[row]), int(sequence[row]), float(totals[row])
            if new or self.builder.begins_after(number, session, tick):
                in_first = times[row] < minute + MINUTE_US
                self.builder.begin(number, session, 0.0 if in_first else float(totals[row]))


class _Hours:
    """Says which times lie in continuous trading.

    Before it, brokers send yesterday's volume of the day once more.
    """

    def __init__(self, calendars: CalendarAssignment) -> None:
        self._tables = [calendar.sessions() for calendar in calendars.calendars]

    def inside(self, places: Ints, times: Times) -> Flags:
        """Say which times, of instruments of calendars at `places`, do."""
        found = np.zeros(len(times), dtype=np.bool_)
        for place, table in enumerate(self._tables):
            mine = times[places == place]
            segment = np.searchsorted(table.segment_open, mine, "right") - 1
            found[places == place] = (segment >= 0) & (mine < table.segment_close[segment])
        return found

    def opened(self, places: Ints, times: Times) -> Times:
        """Return when the session of each time opened, int64 microseconds."""
        found = np.zeros(len(times), dtype=np.int64)
        for place, table in enumerate(self._tables):
            mine = times[places == place]
            day = np.searchsorted(table.day_open, mine, "right") - 1
            found[places == place] = table.day_open[np.maximum(day, 0)]
        return found


def frame_of(ticks: Any) -> pl.DataFrame:
    """Return ticks as they were given, as a Polars frame."""
    return from_native(ticks)[0]


def tick_frame(ticks: Any) -> tuple[pl.DataFrame, bool]:
    """Return ticks with columns of the right types, and whether quantities are cumulative."""
    frame = frame_of(ticks)
    instrument, timestamp = (
        find_column(field, frame.columns) for field in ("instrument", "timestamp")
    )
    quantity = [name for name in QUANTITIES if name in frame.columns]
    if (
        instrument is None
        or timestamp is None
        or "price" not in frame.columns
        or len(quantity) != 1
    ):
        raise CandleInputError(
            f"ticks: columns={', '.join(frame.columns)}; must be instrument, timestamp, price, and "
            "either quantity or day_volume; rename them"
        )
    assert instrument is not None
    assert timestamp is not None
    dtype = frame.schema[timestamp]
    if not (isinstance(dtype, pl.Datetime) and dtype.time_zone):
        raise CandleInputError(f"ticks: {timestamp}: type={dtype}; must be a datetime with a zone")
    columns = {
        "instrument": pl.col(instrument).cast(pl.String),
        "timestamp": pl.col(timestamp).cast(TIME_TYPE),
        "price": pl.col("price").cast(pl.Float64).fill_null(np.nan),
        "quantity": pl.col(quantity[0]).cast(pl.Float64).fill_null(np.nan),
    }
    if "sequence" in frame.columns:
        columns["sequence"] = pl.col("sequence").cast(pl.Int64).fill_null(0)
    try:
        taken = frame.select(expression.alias(name) for name, expression in columns.items())
    except pl.exceptions.PolarsError as error:
        raise CandleInputError(f"ticks: {error}; must be numbers") from error
    return taken, quantity[0] == "day_volume"


def _what_lacks(frame: pl.DataFrame) -> list[str | None] | None:
    """Return which rule ticks break by their name, or for lack of a time; None where none does."""
    name = pl.col("instrument")
    nameless, endless = name.fill_null("") == "", name.str.len_chars() > NAME_CHARACTERS_MAX
    timeless = pl.col("timestamp").is_null()
    if not frame.select((nameless | endless | timeless).any()).item():
        return None
    rule = (
        pl.when(nameless)
        .then(pl.lit("instrument_missing"))
        .when(endless)
        .then(pl.lit(NAME_TOO_LONG))
        .when(timeless)
        .then(pl.lit("time_unreadable"))
    )
    found = frame.select(rule.alias("rule"))
    rules: list[str | None] = found["rule"].to_list()
    return rules


def _split(
    ticks: Any, frame: pl.DataFrame, rules: Sequence[str | None] | None
) -> tuple[Any, pl.DataFrame, pl.DataFrame | None]:
    """Return ticks as given, and as read, without those that break a rule; and these set aside."""
    if rules is None:
        return ticks, frame, None
    good = keep_the_rules(rules)
    broken = [rule for rule in rules if rule is not None]
    aside = _aside(ticks, frame, np.flatnonzero(~good), broken)
    return frame_of(ticks).filter(good), frame.filter(good), aside


def _rows(minutes: Minutes) -> Floats:
    """Return minutes as rows ``[rows, fields]``."""
    rows = np.full((len(minutes.instrument), len(FIELDS)), np.nan)
    rows[:, TIME] = minutes.timestamp
    columns = (minutes.open, minutes.high, minutes.low, minutes.close, minutes.volume)
    for place, column in enumerate(columns, start=1):
        rows[:, place] = column
    return rows


def _recount(outcome: Outcome, minutes: Minutes, numbers: Ints, times: Times) -> None:
    """Count ticks where candles were counted."""
    # Ticks of a minute before all that the state holds have changed nothing.
    too_old = {(number, time) for number, time, _ in outcome.refused}
    opens = zip(numbers.tolist(), (times // MINUTE_US * MINUTE_US).tolist(), strict=True)
    lost = np.array([key in too_old for key in opens], dtype=np.bool_)
    lost &= minutes.outcome <= REPEATED
    counts = np.bincount(minutes.outcome[~lost], minlength=REPEATED + 1)
    outcome.appended, outcome.late = int(counts[FOLDED]), int(counts[LATE])
    outcome.revised = outcome.deleted = 0
    outcome.repeated = int(counts[REPEATED])
    rows = np.flatnonzero(lost)
    outcome.refused = [(int(numbers[row]), int(times[row]), TOO_OLD) for row in rows]


def _aside(ticks: Any, frame: pl.DataFrame, which: Ints, rules: Sequence[str]) -> pl.DataFrame:
    """Return some ticks, as they were given, as a quarantine."""
    return rows_aside(frame[which], rules, frame_of(ticks)[which])
