"""A small simulated market, the same in every test."""

from __future__ import annotations

from datetime import date
from functools import cache

import polars as pl

from tallow.core.calendars import load_calendar
from tests.frames import simulate_candles

START = date(2025, 6, 2)


@cache
def candles(instruments: int = 3, sessions: int = 3) -> pl.DataFrame:
    """Return sorted one-minute candles on NSE's calendar; some minutes are missing."""
    return simulate_candles(instruments, sessions, calendar=load_calendar("XNSE"), start=START)
