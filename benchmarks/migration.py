"""What a migration gains: ours and the old engine for one request of ten sessions, and the source.

Both get the same request and return the same kind of frame. Memory is what a request needs above
what its process held before, in a process of its own; run as a module, this file is that process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from statistics import median

import tallow
from benchmarks import source_lines
from benchmarks.cache import as_rows, midnight
from benchmarks.market import CALENDAR
from benchmarks.measure import MEGABYTE, ROOT, TIMING_COLUMNS, Figure, Outcome, take_turns
from benchmarks.settings import Settings
from tallow.migrate.compare.measuring_process import added_peak
from tallow.migrate.engines import load_engine
from tallow.migrate.legacy.answer import five_minute_candles
from tallow.migrate.protocol import Request

SESSIONS = 10
ROUNDS_PER_ROUND = 10
"""A request takes milliseconds: many make a steady median."""

ENGINES = ("tallow", "legacy")

OLD_LINES = {"aggregation": 945, "indicators": 1_000}
"""Of the old services, in the same way of counting."""

MODULES = {
    # Buckets on sessions, bars, ranges, and running all instruments: the old service has loops for
    # five minutes, and joins thirteen maps.
    "aggregation": (
        "core/timeframe.py",
        "data/kernels/aggregate.py",
        "data/kernels/anchors.py",
        "data/kernels/buckets.py",
        "data/kernels/rows.py",
        "data/reading/runs.py",
        "runtime/batch.py",
        "runtime/ranges.py",
    ),
    # What the default set needs. The old service calls a library for its kernels, whose source is
    # not counted; ours are.
    "indicators": (
        "indicators/__init__.py",
        "indicators/_averages.py",
        "indicators/_declare.py",
        "indicators/_windows.py",
        "indicators/atr.py",
        "indicators/bollinger.py",
        "indicators/ema.py",
        "indicators/rsi.py",
        "indicators/sma.py",
        "indicators/vwap.py",
        "plan/plan.py",
        "runtime/operations.py",
    ),
}


def measure(settings: Settings) -> Outcome:
    """Measure time in turns, memory in processes, and count lines."""
    path = settings.market.by_instrument(1, SESSIONS + 1)
    request, engines = _request(path), {name: load_engine(name) for name in ENGINES}
    rows = {name: len(engine.answer(request)) for name, engine in engines.items()}
    assert rows["legacy"] >= rows["tallow"] > 0, rows
    start = request.start
    assert isinstance(start, date)
    minutes = as_rows(request.candles, str(request.candles["instrument"][0]), date.min)
    contestants: dict[str, Callable[[], object]] = {
        "tallow": lambda: engines["tallow"].answer(request),
        "legacy": lambda: engines["legacy"].answer(request),
        "legacy, its rows given": lambda: five_minute_candles(minutes, midnight(start)),
    }
    timings = take_turns(contestants, ROUNDS_PER_ROUND * settings.rounds, len(request.candles))
    peaks = _peaks(path, settings.rounds)
    ours, whole, loops = (timing.median for timing in timings.values())
    lines = {what: source_lines.count(modules) for what, modules in MODULES.items()}
    return Outcome(
        "migration",
        f"One request of {SESSIONS} sessions to 5m with the default set, {rows['tallow']:,} bars, "
        "with a session before them: ours, and the old engine",
        (*TIMING_COLUMNS, "peak MB"),
        [
            (*timing.cells(), peaks[name] / MEGABYTE if name in peaks else "")
            for name, timing in timings.items()
        ],
        [
            Figure("loops alone / ours", loops / ours, target=2.5, better="higher"),
            Figure("old engine's time / ours", whole / ours, better="higher"),
            Figure("our memory / old engine's", peaks["tallow"] / peaks["legacy"], target=0.25),
            *(
                Figure(f"lines, {what}: {lines[what]:,} / {old:,}", lines[what] / old)
                for what, old in OLD_LINES.items()
            ),
        ],
        [
            "the old engine's rows come from a database: with them given, only its loops are left",
            "peak: of the request alone, above what its process held after one of a session",
            "lines: without blanks, comments and docstrings; see MODULES for what is counted",
        ],
    )


def _request(path: Path) -> Request:
    """Return the request for all sessions of a file but the first, which is its warm-up."""
    candles = tallow.read_candles(path).frame
    days = candles["timestamp"].dt.date().unique().sort()
    return Request(candles, calendar=CALENDAR, start=days[1])


def _peaks(path: Path, rounds: int) -> dict[str, float]:
    """Return each engine's median peak in bytes, of processes that take turns."""
    found: dict[str, list[int]] = {name: [] for name in ENGINES}
    for _ in range(rounds):
        for name, peaks in found.items():
            command = [sys.executable, "-m", "benchmarks.migration", name, str(path)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            peaks.append(json.loads(done.stdout))
    return {name: median(peaks) for name, peaks in found.items()}


def _peak_of_request(name: str, path: Path) -> int:
    """Return by how many bytes this process' peak grows in a request; Linux only."""
    request, engine = _request(path), load_engine(name)
    # Kernels, threads, and the pages of libraries that are first touched are the process', not the
    # request's: a smaller one, of one session and the one before it, brings them in.
    day = request.candles["timestamp"].dt.date()
    few = request.candles.filter(day.is_in(day.unique().sort().head(2).to_list()))
    engine.answer(replace(request, candles=few))
    grown = added_peak(lambda: engine.answer(request))
    assert grown is not None
    return grown


if __name__ == "__main__":
    print(_peak_of_request(sys.argv[1], Path(sys.argv[2])))
