"""Goal: bars built from one candle at a time, for many instruments at once, are the design's bars.

Method: candles of instruments on four calendars come minute by minute, as a live feed has them: in
each call most instruments have one candle, some have none. The pass takes the session of a row from
the row before, which is another instrument's here. The plain-Python twin says what must come out.
"""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.kernel import read_only
from tallow.core.timeframe import parse_timeframe
from tallow.data.kernels import aggregate as bars
from tallow.data.kernels.buckets import bucket_table
from tests.data.slow_bars import Candle, slow_bars
from tests.data.test_aggregate_twin import days_of, drawn, instants

CASES = ("nse split session", "tokyo lunch", "always", "new york half day")
PRICES = ("open", "high", "low", "close", "volume", "open_interest")


def market(seed: int) -> tuple[CalendarAssignment, dict[str, list[Candle]]]:
    """Return some instruments' candles, their calendars mixed, on days far apart."""
    draw, calendars, rows = random.Random(seed), {}, {}
    for i in range(8):
        calendar, days = days_of(CASES[i * 5 % 8 // 2])
        name = f"I{i}"
        calendars[name] = calendar
        rows[name] = drawn(instants(calendar, days[-2:], draw, 1), draw)
    return CalendarAssignment(calendars), rows


def block(now: list[Candle | None]) -> bars.CandleArrays:
    """Return one candle, or none, of each instrument."""
    there = [candle for candle in now if candle is not None]
    values = [
        np.array([np.nan if v is None else v for v in (getattr(c, name) for c in there)])
        for name in PRICES
    ]
    offsets = np.cumsum([0, *(candle is not None for candle in now)], dtype=np.int64)
    times = np.array([round(c.time.timestamp()) * 1_000_000 for c in there], dtype=np.int64)
    return bars.CandleArrays(offsets, *map(read_only, (times, *values)))


@pytest.mark.parametrize("no_trade", ["drop", "keep"])
@pytest.mark.parametrize("timeframe", ["1m", "5m", "1h", "1w"])
def test_candle_by_candle_on_mixed_calendars(timeframe: str, no_trade: bars.NoTrade) -> None:
    assigned, rows = market(3)
    table = bucket_table(assigned.calendars, parse_timeframe(timeframe), parse_timeframe("1m"))
    places, names = assigned.indices(list(rows)), list(rows)
    state, scratch = bars.new_state(len(rows)), bars.Scratch()
    found: list[list[tuple[float | None, ...]]] = [[] for _ in rows]
    went = np.zeros((len(rows), 4), dtype=np.int64)
    by_time = {name: {row.time: row for row in held} for name, held in rows.items()}
    times = sorted({time for held in by_time.values() for time in held})
    for time in [*times, None]:
        now = [by_time[name].get(time) if time else None for name in names]
        done = bars.aggregate(state, block(now), places, time is None, table, no_trade, scratch)
        went += done.counts
        built = done.bars
        columns = [getattr(built, name) for name in (*PRICES, "candles")]
        for i, (low, high) in enumerate(pairwise(built.offsets)):
            for k in range(low, high):
                values = (None if np.isnan(c[k]) else float(c[k]) for c in columns)
                found[i].append((int(built.timestamp[k]), int(built.end[k]), *values))
    for i, name in enumerate(names):
        calendar = assigned.calendars[places[i]]
        slow = slow_bars(rows[name], calendar, timeframe, no_trade=no_trade)
        assert found[i] == [
            (*(round(t.timestamp()) * 1_000_000 for t in (bar.begin, bar.end)), *bar.values())
            for bar, _ in slow.bars
        ]
        kinds = ("in_bars", "outside_session", "no_trade", "off_grid")
        assert went[i].tolist() == [slow.went[kind] for kind in kinds]
