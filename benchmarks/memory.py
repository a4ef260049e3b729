"""Peak memory of ``tallow run`` as a process of its own, beside one that only reads the file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.measure import MEGABYTE, Figure, Outcome, run_process
from benchmarks.settings import Settings

READ = "import sys, polars; frame = polars.read_parquet(sys.argv[1])"

TIMES_MORE_ROWS = 4

ROUNDS_MAX = 3
"""Peaks hardly differ from round to round."""


def measure(settings: Settings) -> Outcome:
    """Measure both orders, at one and at four times the rows."""
    market, rounds = settings.market, min(settings.rounds, ROUNDS_MAX)
    table: list[tuple[str | float, ...]] = []
    figures: list[Figure] = []
    orders: dict[str, Callable[[int, int], Path]] = {
        "by instrument": market.by_instrument,
        "by time": market.by_time,
    }
    for order, make in orders.items():
        peaks = []
        for times in (1, TIMES_MORE_ROWS):
            path = make(market.instruments, times * market.sessions)
            read, run = _peaks(path, rounds)
            table.append((order, market.rows(path), read, run, run / read))
            peaks.append(run)
            if times == 1:
                name = f"tallow run / Polars reads, {order}"
                figures.append(Figure(name, run / read, target=1.5))
        name = f"peak at {TIMES_MORE_ROWS} times the rows / at once, {order}"
        figures.append(Figure(name, peaks[1] / peaks[0]))
    return Outcome(
        "memory",
        "Peak memory: tallow run to a Parquet file, and a process that only reads the input",
        ("sorted", "rows", "Polars reads, MB", "tallow run, MB", "ratio"),
        table,
        figures,
        ("Resident memory, interpreter and libraries included.",),
    )


def _peaks(path: Path, rounds: int) -> tuple[float, float]:
    """Return the median peaks of reading alone and of a run, in MB, taken in turns."""
    output = path.with_suffix(".out.parquet")
    commands: dict[str, list[str | Path]] = {
        "read": [sys.executable, "-c", READ, path],
        "run": [sys.executable, "-m", "tallow", "run", path, "--output", output, "--quiet"],
    }
    peaks: dict[str, list[int]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            peaks[name].append(run_process(command).peak_bytes)
    output.unlink()
    return median(peaks["read"]) / MEGABYTE, median(peaks["run"]) / MEGABYTE
