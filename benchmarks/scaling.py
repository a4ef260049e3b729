"""Time per row against the number of rows, in one warm process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import tallow
from benchmarks.market import CALENDAR, ROWS_IN_MEMORY_MAX, ROWS_PER_SESSION
from benchmarks.measure import Figure, Outcome, Timing, take_turns
from benchmarks.settings import Settings

CONSTANT = 1.2
"""Growth of the time per row, from the fewest rows to the most, that still counts as none."""

FRAME, FILE, DAILY = "file to frame, 5m", "file to file, 5m", "file to file, 1d"
"""Daily bars are few: their writing takes no time."""


def measure(settings: Settings) -> Outcome:
    """Measure runs from file to frame and from file to file, at growing numbers of rows."""
    market = settings.market
    line: list[dict[str, Timing]] = []
    for wanted in settings.row_counts:
        path = market.by_instrument(_instruments(wanted, market.sessions), market.sessions)
        rows = market.rows(path)
        line.append(take_turns(_contestants(path, rows), settings.rounds, rows))
        if path != market.main_file:
            # The largest takes a gigabyte.
            path.unlink()
    names = list(line[0])
    table = [
        (timings[FILE].rows, *(timings[n].ns_per_row if n in timings else "" for n in names))
        for timings in line
    ]
    return Outcome(
        "scaling",
        "Time per row, default set",
        ("rows", *(f"{name}: ns a row" for name in names)),
        table,
        [_growth(name, [timings[name] for timings in line if name in timings]) for name in names],
    )


def _instruments(rows: int, sessions: int) -> int:
    return max(1, round(rows / (sessions * ROWS_PER_SESSION)))


def _contestants(path: Path, rows: int) -> dict[str, Callable[[], object]]:
    engine = tallow.AnalyticsEngine(calendar=CALENDAR)
    output = path.with_name("bars.parquet")
    runs: dict[str, Callable[[], object]] = {
        FILE: partial(engine.process_files, path, output, "5m"),
        DAILY: partial(engine.process_files, path, output, "1d"),
    }
    if rows <= 1.1 * ROWS_IN_MEMORY_MAX:
        runs = {FRAME: partial(engine.process_candles, path, "5m"), **runs}
    return runs


def _growth(name: str, line: list[Timing]) -> Figure:
    growth = line[-1].ns_per_row / line[0].ns_per_row
    text = f"{name}: ns a row at {line[-1].rows:,} / at {line[0].rows:,} rows"
    return Figure(text, growth, target=CONSTANT)
