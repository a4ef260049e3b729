"""How long a person waits: for help, for the first run ever, and for the next one."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median

import polars as pl

from benchmarks.measure import Figure, Outcome, run_process
from benchmarks.settings import Settings

INSTRUMENTS, SESSIONS = 5, 7
"""The size of a small file: about 12,000 candles."""


def measure(settings: Settings) -> Outcome:
    """Measure processes from their start to their end; each first run has an empty cache."""
    small = settings.market.by_instrument(INSTRUMENTS, SESSIONS)
    source = small.with_suffix(".csv")
    pl.read_parquet(small).write_csv(source)
    command = Path(sys.executable).with_name("tallow")
    output = source.with_suffix(".out.parquet")
    run: list[str | Path] = [command, "run", source, "--output", output, "--quiet"]
    seconds: dict[str, list[float]] = {"tallow --help": [], "first run": [], "second run": []}
    for _ in range(settings.rounds):
        with tempfile.TemporaryDirectory(dir=source.parent) as cache:
            environment = {"TALLOW_CACHE_DIR": cache}
            seconds["tallow --help"].append(run_process([command, "--help"]).seconds)
            seconds["first run"].append(run_process(run, environment).seconds)
            seconds["second run"].append(run_process(run, environment).seconds)
    targets = {"tallow --help": 0.5, "first run": 15.0, "second run": 2.0}
    return Outcome(
        "start",
        "Start: processes of their own, each first run with an empty kernel cache",
        ("", "median s", "best s", "worst s"),
        [(name, median(taken), min(taken), max(taken)) for name, taken in seconds.items()],
        [Figure(n, median(taken), "s", targets[n]) for n, taken in seconds.items()],
        (f"The small file is a CSV of {settings.market.rows(small):,} candles.",),
    )
