"""One instrument, ten sessions, one request: what a backend does for a chart."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

import tallow
from benchmarks.market import CALENDAR
from benchmarks.measure import TIMING_COLUMNS, Figure, Outcome, take_turns
from benchmarks.settings import Settings

SESSIONS = 10

ROUNDS_PER_ROUND = 20
"""A request takes milliseconds: many make a steady median."""


def measure(settings: Settings) -> Outcome:
    """Measure a request in a warm process, from read candles, a frame and a file."""
    path = settings.market.by_instrument(1, SESSIONS)
    frame, candles = pl.read_parquet(path), tallow.read_candles(path)
    engine = tallow.AnalyticsEngine(calendar=CALENDAR)
    contestants: dict[str, Callable[[], object]] = {
        "from Candles": lambda: engine.process_candles(candles, "5m"),
        "from a frame": lambda: engine.process_candles(frame, "5m"),
        "read_candles of the frame": lambda: tallow.read_candles(frame),
        "from a file": lambda: engine.process_candles(path, "5m"),
        "Polars reads the file": lambda: pl.read_parquet(path),
    }
    rounds = ROUNDS_PER_ROUND * settings.rounds
    timings = take_turns(contestants, rounds, len(frame))
    return Outcome(
        "request",
        f"One request: {len(frame):,} candles of one instrument, {SESSIONS} sessions, to 5m",
        TIMING_COLUMNS,
        [timing.cells() for timing in timings.values()],
        [Figure(name, 1e3 * timing.median, "ms") for name, timing in timings.items()],
    )
