"""Rows that a run sets aside after reading: as its quarantine has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from tallow.core.arrays import Codes, Flags, Times
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.time import from_us
from tallow.data.reading.known_times import RULES_OF_TIMES
from tallow.data.reading.schema import TIME_TYPE
from tallow.runtime.blocks import Block


def aside_frame(names: Sequence[str], times: Times, rule: str) -> pl.DataFrame:
    """Return rows by instrument and time, int64 microseconds, with the rule that they broke."""
    frame = pl.DataFrame(
        [pl.Series("instrument", names, pl.String), pl.Series("timestamp", times, pl.Int64)]
    )
    return frame.with_columns(pl.col("timestamp").cast(TIME_TYPE), rule=pl.lit(rule))


def set_aside(block: Block, codes: Codes) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield each rule that times of a block's rows break, with these rows."""
    for code, rule in enumerate(RULES_OF_TIMES):
        rows = codes == code
        if rule is not None and rows.any():
            yield rule, aside_rows(block, rows, rule)


def aside_rows(block: Block, rows: Flags, rule: str) -> pl.DataFrame:
    """Return some of a block's rows as `aside_frame` does."""
    candles = block.candles
    which = np.repeat(np.arange(len(block.names)), np.diff(candles.offsets))
    names = [block.names[i] for i in which[rows].tolist()]
    return aside_frame(names, candles.timestamp[rows], rule)


def aside_text(frames: Sequence[pl.DataFrame]) -> str:
    """Say how many rows were set aside, and the first of them."""
    first, rows = frames[0].row(0, named=True), sum(map(len, frames))
    return (
        f"{first['instrument']}: timestamp={first['timestamp'].isoformat()}; rule "
        f"{first['rule']}: such rows={rows}, without values that need a "
        "session; correct the times, or see calendar_dates= and beyond_coverage="
    )


def calendar_problem(calendars: CalendarAssignment, place: int, moment: int) -> str:
    """Return why a calendar does not know a time."""
    calendar = calendars.calendars[place]
    try:
        day = from_us(moment).astimezone(ZoneInfo(calendar.timezone)).date()
    except OverflowError:
        # On the first and last day that Python knows, another zone may be a day before or after.
        day = date.min if moment < 0 else date.max
    covered = calendar.first_date <= day <= calendar.assumed_until
    error = calendar.unknown_times_error if covered else calendar.coverage_error
    return str(error(day))
