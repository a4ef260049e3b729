"""One candle or one tick at a time: what a live engine takes in plain numbers, in one call."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from tallow.runtime.live.answers import LiveAnswers
from tallow.runtime.live.intake import Intake
from tallow.runtime.live.machine import StepRows
from tallow.runtime.live.one_row import OneRow, candle_positions
from tallow.runtime.live.outcome import Outcome
from tallow.runtime.live.tick_intake import TickIntake
from tallow.runtime.live.update_rows import candle_of, tick_of
from tallow.runtime.live.updates import LiveUpdate


class OneByOne:
    """The updates of a live engine that are one row.

    What one says is made when it is asked for. Where nothing about it asks for a closer look it
    goes through one compiled call; all else takes the way of arrays or frames, with the same bits.
    """

    _lock: AbstractContextManager[object]
    _sharing: Callable[[], AbstractContextManager[object]]
    _intake: Intake
    _ticks: TickIntake
    _answers: LiveAnswers
    _rows = OneRow(candle_positions)

    def update_one(
        self,
        instrument: str | int,
        timestamp: int,
        open: float,  # noqa: A002 - the column's name
        high: float,
        low: float,
        close: float,
        volume: float,
        open_interest: float | None = None,
    ) -> LiveUpdate:
        """Take one candle in plain numbers, as `update_arrays`; `instrument` may also be a name.

        Raises
        ------
        CandleInputError
            If a value is not a number, or the instrument's number is not known.
        """
        interest = math.nan if open_interest is None else open_interest
        candle = timestamp, open, high, low, close, volume, interest
        with self._sharing():
            intake = self._intake
            number = intake.known_number(instrument)
            found: Outcome | StepRows | None
            found = None if number is None else intake.take_sure(number, candle)
            if found is None:
                found = intake.take_one(instrument, candle_of(candle))
            intake.saw_interest |= open_interest is not None
            return self._answers.one(found)

    def update_tick(
        self,
        instrument: str | int,
        timestamp: int,
        price: float,
        quantity: float | None = None,
        *,
        day_volume: float | None = None,
        sequence: int = 0,
    ) -> LiveUpdate:
        """Take one tick in plain numbers, as `update_ticks`; `instrument` is a name or a number.

        Parameters
        ----------
        timestamp
            Microseconds since 1970 UTC.
        quantity, day_volume
            That of the trade, or the day's volume so far: one of both.
        sequence
            Where the feed numbers trades of one instant.

        Raises
        ------
        CandleInputError
            If a value is not a number, or the instrument's number is not known. A tick that breaks
            a rule is quarantined.
        """
        tick = tick_of(timestamp, price, quantity, day_volume, sequence)
        with self._lock:
            return self._answers.one(self._ticks.take_one(instrument, *tick))

    def _update_row(self, candles: Any) -> LiveUpdate | None:
        """Take a frame of one candle, as reading would make it; None where it is to be read."""
        row = self._rows.values(candles)
        if row is None:
            return None
        moment, name, *numbers, interest = row
        if name is None or None in numbers:
            return None
        interest = math.nan if interest is None else interest
        with self._sharing():
            number = self._intake.known_number(name)
            if number is None:
                return None
            found = self._intake.take_sure(number, (moment, *numbers, interest))
            if found is None:
                return None
            self._intake.saw_interest |= candles.width > len(row) - 1
            return self._answers.one(found)
