"""The live engine: every instrument's bars and indicators, exact while the market is open.

The way of a candle: `intake` checks it and writes it to the store; `live_state` decides whether it
is a step, the newest candle again, or an edit; a `timeframe_state` per timeframe runs the kernels;
`bar_rows` finds what changed. What lies before the candles in `memory` is read by `live_store`.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tallow.core.arrays import Ints
from tallow.core.calendars import Beyond
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ParameterError, StateError, TallowWarning
from tallow.core.limits import LIVE_CANDLES, LIVE_CANDLES_MAX, LIVE_GRACE_MAX_SECONDS
from tallow.core.spec import Spec
from tallow.core.time import SECOND_US
from tallow.core.timeframe import Timeframe
from tallow.data.kernels import aggregate as bars
from tallow.data.kernels.tick_minutes import TIME_FIRST_US, TIME_LAST_US
from tallow.data.reading.assumptions import read_as_given
from tallow.data.reading.readers import read_latest
from tallow.data.reading.row_keys import candle_keys
from tallow.data.reading.runs import instrument_runs
from tallow.data.store.store import Store, open_store
from tallow.data.universe import Universe
from tallow.plan.plan import make_plan
from tallow.runtime.bar_frames import BAR_COLUMNS
from tallow.runtime.live.answers import LiveAnswers
from tallow.runtime.live.clock import clock_time
from tallow.runtime.live.comparing import Comparing
from tallow.runtime.live.intake import Intake
from tallow.runtime.live.live_members import live_members
from tallow.runtime.live.live_state import LiveState
from tallow.runtime.live.live_store import LiveStore
from tallow.runtime.live.one_by_one import OneByOne
from tallow.runtime.live.saved_state import Parts, identity, load_state, save_state
from tallow.runtime.live.session_support import SessionSupport
from tallow.runtime.live.state_lock import StateLock
from tallow.runtime.live.tick_intake import TickIntake
from tallow.runtime.live.timeframe_state import timeframe_states
from tallow.runtime.live.update_rows import candle_table
from tallow.runtime.live.updates import ArrayUpdate, LiveUpdate
from tallow.runtime.screens.live_screens import LiveScreens


class LiveEngine(OneByOne, SessionSupport, LiveScreens):
    """Many instruments, several timeframes and one plan of indicators, candle by candle.

    Parameters
    ----------
    timeframes
        One, or several.
    indicators
        As everywhere: ``"default"``, ``"ema(9), rsi(14)"``, a list.
    calendar, calendar_dates, beyond_coverage, convention, no_trade
        As in `tallow.AnalyticsEngine`.
    store
        Every candle is written to it first, and candles before those in memory are read from it.
        Without one, corrections reach back as far as `keep`.
    create
        As in `tallow.open_store`: make the store where there is none.
    grace
        Seconds after its calendar end at which the clock makes a bar final; see `advance`.
    keep
        How many candles per instrument stay in memory, at least.
    output_zone
        By whose clocks the times of frames are shown, such as ``Asia/Kolkata``; UTC by default.
    universe
        As in `tallow.AnalyticsEngine.process_candles`, read once. All candles are taken; updates
        and `latest` have the rows of members on the date of their session.

    Notes
    -----
    Several threads may use it: each call sees the state before an update or after it. Memory per
    instrument: about 60 bytes a candle, and some kilobytes per timeframe.

    Examples
    --------
    >>> live = LiveEngine("5m", "ema(1)")
    >>> minute = 60_000_000
    >>> opens = 1_752_810_300_000_000  # 2025-07-18 09:15 in Mumbai
    >>> numbers = live.numbers(["RAYMOND"])
    >>> update = live.update_arrays(numbers, [opens], [700.0], [702.0], [699.0], [701.0], [900.0])
    >>> update.rows["5m"]["ema_1"].tolist(), update.rows["5m"].is_final.tolist()
    ([701.0], [False])
    >>> live.advance(opens + 5 * minute + 2_000_000).frame["is_final"].to_list()
    [True]
    """

    def __init__(
        self,
        timeframes: str | Timeframe | Iterable[str | Timeframe] = "5m",
        indicators: str | Iterable[str | Spec] = "default",
        *,
        calendar: str | Mapping[str, str | tuple[str, str]] | CalendarAssignment = "XNSE",
        calendar_dates: str | os.PathLike[str] | None = None,
        beyond_coverage: Beyond = "assume",
        convention: str = "tradingview",
        no_trade: bars.NoTrade = "drop",
        store: Store | str | Path | None = None,
        create: bool = False,
        grace: float = 2.0,
        keep: int = LIVE_CANDLES,
        output_zone: str | None = None,
        universe: str | Path | Universe | None = None,
    ) -> None:
        if not 1 <= keep <= LIVE_CANDLES_MAX:
            raise ParameterError(f"live: keep={keep}; must be 1..{LIVE_CANDLES_MAX}")
        if not 0 <= grace <= LIVE_GRACE_MAX_SECONDS:
            raise ParameterError(
                f"live: grace={grace}; must be 0..{LIVE_GRACE_MAX_SECONDS:g}, in seconds"
            )
        bars.require_no_trade(no_trade)
        if not isinstance(calendar, CalendarAssignment):
            calendar = CalendarAssignment(calendar, calendar_dates, beyond_coverage)
        self.calendars = calendar
        grace_us = round(grace * SECOND_US)
        plan = make_plan(indicators, convention, (*BAR_COLUMNS, "revision"))
        states = timeframe_states(timeframes, plan, calendar, no_trade, grace_us)
        if not states:
            raise ParameterError("live: timeframes=[]; must name one at least")
        self.timeframes, self.grace = tuple(each.size.text for each in states), grace
        self._state, self._no_trade = LiveState(states, keep), no_trade
        source = None
        if store is not None:
            if isinstance(store, str | Path):
                store = open_store(store, create=create)
            source = LiveStore(store, states, calendar, no_trade)
        self._intake = Intake(self._state, calendar, source)
        self._ticks = TickIntake(self._intake, self._state, calendar, grace_us)
        self._comparing = Comparing(self._state, self._intake, calendar) if plan.phases else None
        members = live_members(universe, store, calendar, self._intake, self._state)
        answering = (self.timeframes, self._state, self._intake, calendar, output_zone)
        self._answers = LiveAnswers(*answering, members, self._comparing)
        self._know_no_screens()
        self._lock: AbstractContextManager[object]
        self._reading: AbstractContextManager[object]
        self._sharing: Callable[[], AbstractContextManager[object]]
        self._lock = self._reading = lock = threading.RLock()
        self._sharing = lambda: lock
        if source is not None:
            self._lock = state_lock = StateLock()
            self._sharing, self._reading = state_lock.sharing, state_lock.reading
            self._intake.while_durable = state_lock.released

    @classmethod
    def load(cls, path: str | Path, *arguments: Any, **options: Any) -> LiveEngine:
        """Return an engine that goes on, bit for bit, from where `save` was called.

        Parameters
        ----------
        arguments, options
            As for a new engine, and the same as for the one that was saved. With a store, what it
            received since is applied; where the state does not fit, a `TallowWarning` says why,
            and the engine is rebuilt from the store.

        Raises
        ------
        StateError
            Without a store: if the file is damaged, or of other kernels, indicators, timeframes,
            calendars or options; with the reason.
        """
        engine = cls(*arguments, **options)
        source = engine._intake.source
        try:
            load_state(Path(path), engine._parts())
        except StateError as error:
            if source is None:
                raise
            warnings.warn(f"{error}; rebuilding from the store", TallowWarning, stacklevel=2)
            engine = cls(*arguments, **options)
        if engine._intake.follower is not None:
            engine._intake.follower.defer(engine._intake.catch_up(None))
        return engine

    def save(self, path: str | Path, feed_position: dict[str, Any] | None = None) -> None:
        """Write the whole state to a file, which appears whole or not at all.

        Parameters
        ----------
        feed_position
            How far the feed was taken, to resume it there: any JSON.

        Raises
        ------
        StateError
            If the file cannot be written.
        """
        with self._lock:
            self._state.position = feed_position
            save_state(Path(path), self._parts())

    def _parts(self) -> Parts:
        made_with = identity(self._state, self.calendars, self._no_trade)
        return Parts(self._state, self._intake, self._ticks, made_with, self._comparing)

    # Instruments

    @property
    def names(self) -> list[str]:
        """The instruments, by number."""
        return self._intake.names

    def numbers(self, names: Iterable[str]) -> Ints:
        """Return instruments' numbers, int64; add new ones, with their past in the store."""
        with self._lock:
            return self._intake.numbers(names)

    @property
    def failures(self) -> dict[str, str]:
        """Why instruments lack values, or are behind the store, by name."""
        return self._answers.failures()

    # Changes

    def update(self, candles: Any) -> LiveUpdate:
        """Take candles: one or a million, new, late, repeated or revised, of any instruments.

        Parameters
        ----------
        candles
            `tallow.Candles`, or whatever `tallow.read_candles` takes. A candle may come as often as
            it changes: the last one counts, by a column `sequence` or by the order of rows.

        Returns
        -------
        LiveUpdate
            Exactly the rows that changed. With a store the candles are durable when it returns.

        Raises
        ------
        CandleInputError
            If the input cannot be candles at all; rows that break a rule are quarantined.
        StoreError
            If the store cannot be written; then nothing has changed. Or if what the rows depend on
            cannot be read: then they are durable, as the message says, and a later call takes them.
        """
        return self._update(candles, commit=True)

    def peek(self, candles: Any) -> LiveUpdate:
        """Return what `update` would return, and change nothing."""
        return self._update(candles, commit=False)

    def _update(self, candles: Any, *, commit: bool) -> LiveUpdate:
        if commit and (update := self._update_row(candles)) is not None:
            return update
        read = read_as_given(read_latest, candles)
        with self._sharing():
            outcome = self._intake.take_candles(read, commit=commit)
            answer = self._answers.frames if commit else self._answers.frames_of
            update = answer(outcome)
            assert update.report.rows_in == read.report.rows_in, update.report
            return update

    def update_arrays(
        self,
        instrument: Any,
        timestamp: Any,
        open: Any,  # noqa: A002 - the column's name
        high: Any,
        low: Any,
        close: Any,
        volume: Any,
        open_interest: Any = None,
    ) -> ArrayUpdate:
        """Take candles as arrays, in the order in which they came: of one key the last counts.

        Parameters
        ----------
        instrument
            int64 numbers; see `numbers`.
        timestamp
            int64, microseconds since 1970 UTC.
        open, high, low, close, volume, open_interest
            float64, as long as `instrument`.

        Raises
        ------
        CandleInputError
            If the arrays do not fit each other, or a number is not known.
        """
        columns = (timestamp, open, high, low, close, volume, open_interest)
        numbers, rows = candle_table(instrument, *columns)
        with self._sharing():
            self._intake.saw_interest |= open_interest is not None
            outcome = self._intake.take_unchecked(numbers, rows)
            return self._answers.arrays(outcome)

    def update_ticks(self, ticks: Any) -> LiveUpdate:
        """Take trades, or quotes of a broker: they make the one-minute candles.

        Parameters
        ----------
        ticks
            A frame with `instrument`, `timestamp` (a datetime with a zone), `price`, and either
            `quantity`, that of the trade, or `day_volume`, the day's volume so far, as Indian
            brokers send it; `sequence`, where the feed numbers trades of one instant.

        Returns
        -------
        LiveUpdate
            As of `update`; the report counts ticks. A minute closes `grace` seconds after its end;
            `late` ticks change one that has closed; `repeated` ones equal another tick.
            With a store, a minute is durable when it has closed.

        Raises
        ------
        CandleInputError
            If the frame cannot be ticks; a tick that breaks a rule is quarantined.

        Notes
        -----
        A minute may be built of ticks, or come as a candle; whatever came last counts.
        """
        with self._lock:
            return self._answers.one(self._ticks.take(ticks))

    def delete(self, keys: Any) -> LiveUpdate:
        """Delete candles; keys without a candle count as repeated.

        Parameters
        ----------
        keys
            A frame with columns `instrument` and `timestamp`; times of any kind that candles have.

        Raises
        ------
        CandleInputError
            If it is not such a frame, or a row has no name or time.
        """
        wanted = candle_keys(keys, "delete").sort("instrument")
        names, offsets = instrument_runs(wanted)
        with self._lock:
            numbers = np.repeat(self._intake.numbers(names), np.diff(offsets))
            return self._answers.frames(self._intake.delete(wanted, numbers))

    def advance(self, now: int | str | datetime) -> LiveUpdate:
        """Set the clock: bars that ended `grace` seconds ago, or earlier, turn final.

        Parameters
        ----------
        now
            An instant, or microseconds since 1970 UTC. Going back changes nothing. From then on,
            rows far ahead of it are quarantined: see `tallow.runtime.live.clock`.
        """
        with self._lock:
            moment = clock_time(now, TIME_FIRST_US, TIME_LAST_US)
            self._intake.clock.set(moment)
            self._intake.check_history()
            waited = self._ticks.advance(moment)
            return self._answers.frames(self._state.advance(moment).after(waited))

    def catch_up(self, instruments: Iterable[str] | None = None) -> LiveUpdate:
        """Apply what others wrote to the store, and add instruments: all by default.

        Raises
        ------
        ParameterError
            If the engine has no store.
        """
        if self._intake.follower is None:
            raise ParameterError("catch_up: store=None; there is nothing to catch up with")
        with self._lock:
            outcome = self._intake.catch_up(instruments)
            self._intake.follower.require_up_to_date(outcome)
            return self._answers.frames(outcome)

    # Answers

    def latest(
        self, timeframe: str | None = None, instruments: Iterable[str] | None = None
    ) -> pl.DataFrame:
        """Return each instrument's last bar, forming or final, with the columns of an update.

        Parameters
        ----------
        timeframe
            One of the engine's; may be left out where there is one.
        instruments
            Names, or None for all. One that has no bar yet has no row.
        """
        with self._reading:
            return self._answers.latest(timeframe, instruments)

    def provisional(self, bars: pl.DataFrame, timeframe: str | None = None) -> pl.DataFrame:
        """Return `instrument` and `timestamp` of the bars whose sessions are assumed."""
        return self._answers.provisional(timeframe, bars)
