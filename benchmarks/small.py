"""Little calls, as a trading backend makes them: one candle of one instrument, one session.

All take the same minutes, in turns, all warm; what they take is made outside of the measured time.
TA-Lib's handles and talipp compute indicators only: no bars, no rules, no session.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

import tallow
from benchmarks.live import (
    FIVE,
    MINUTES,
    WARM_UP,
    Floats,
    Minutes,
    feed_arrays,
    feed_frames,
    feed_peer,
    in_a_turn,
)
from benchmarks.live_peers import TalibHandles, Talipp
from benchmarks.market import CALENDAR
from benchmarks.measure import TIMING_COLUMNS, Figure, Outcome, Timing, take_turns
from benchmarks.settings import Settings

ROUNDS_PER_ROUND = 20
"""A turn takes a millisecond: many make a steady median."""


def measure(settings: Settings) -> Outcome:
    """Measure single candles, and a session's candles as one request."""
    rounds = ROUNDS_PER_ROUND * settings.rounds
    count = WARM_UP + (rounds + 1) * MINUTES
    market = Minutes(1, count // 375 + 1)
    minutes = [market.next() for _ in range(count)]
    rows = [list(map(tuple, minute.T.tolist())) for minute in minutes]
    talib = TalibHandles([np.array([minute[:, 0] for minute in minutes[:WARM_UP]])])
    talipp = Talipp(1)
    for minute in rows[:WARM_UP]:
        talipp.update(minute)
    contestants: dict[str, Callable[[], object]] = {
        "update_one": _plain(market, minutes, ["1m"]),
        "update_one, five timeframes": _plain(market, minutes, FIVE),
        "update_arrays": feed_arrays(market, minutes, ["1m"]),
        "update, a frame of one row": feed_frames(market, minutes),
        "TA-Lib's handles": feed_peer(talib, rows),
        "talipp": feed_peer(talipp, rows),
    }
    turns = {name: in_a_turn(minute) for name, minute in contestants.items()}
    timings = take_turns(turns, rounds, MINUTES)
    one, five, few, frame, handles, other = (timing.median for timing in timings.values())
    request = _requests(settings)
    candles, again = (timing.median for timing in request.values())
    return Outcome(
        "small",
        f"One candle of one instrument, default set, {MINUTES} minutes a turn; 375 candles to 5m",
        TIMING_COLUMNS,
        [timing.cells() for timing in (*timings.values(), *request.values())],
        [
            Figure("update_one / TA-Lib's handles", one / handles, "x", 4.0),
            Figure("update_one / talipp", one / other, "x", 0.4),
            Figure("five timeframes / one", five / one, "x", 3.0),
            Figure("update_arrays / TA-Lib's handles", few / handles, "x"),
            Figure("a frame of one row / TA-Lib's handles", frame / handles, "x"),
            Figure("375 candles to 5m, from a frame / from Candles", again / candles, "x"),
        ],
    )


def _plain(
    market: Minutes, minutes: list[Floats], timeframes: list[str] | tuple[str, ...]
) -> Callable[[], object]:
    live = tallow.LiveEngine(timeframes, calendar=CALENDAR)
    name, times = market.names[0], market.times.tolist()
    given = iter(
        [(time, *minute[:, 0].tolist()) for time, minute in zip(times, minutes, strict=False)]
    )

    def minute() -> object:
        return live.update_one(name, *next(given))

    for _ in range(WARM_UP):
        minute()
    return minute


def _requests(settings: Settings) -> dict[str, Timing]:
    frame = pl.read_parquet(settings.market.by_instrument(1, 1))
    candles, engine = tallow.read_candles(frame), tallow.AnalyticsEngine(calendar=CALENDAR)
    contestants: dict[str, Callable[[], object]] = {
        "375 candles to 5m, from Candles": lambda: engine.process_candles(candles, "5m"),
        "375 candles to 5m, from a frame": lambda: engine.process_candles(frame, "5m"),
    }
    return take_turns(contestants, ROUNDS_PER_ROUND * settings.rounds, len(frame))
