"""Taking turns, medians, and what a workload reports."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent

MEGABYTE = 1_000_000

TIMING_COLUMNS = ("", "median s", "best s", "worst s", "CPU s", "ns a row")


@dataclass(frozen=True)
class Timing:
    """Every round of one contestant: seconds on the wall, and of all processors together."""

    name: str
    rows: int
    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median round's seconds."""
        return median(self.wall)

    @property
    def ns_per_row(self) -> float:
        """The median round's nanoseconds for each input row."""
        return 1e9 * self.median / self.rows

    def scaled(self, name: str, rows: int) -> Timing:
        """Return what the same work on `rows` rows would take at the same time per row."""
        factor = rows / self.rows
        wall = tuple(factor * seconds for seconds in self.wall)
        return Timing(name, rows, wall, tuple(factor * seconds for seconds in self.cpu))

    def cells(self) -> tuple[str | float, ...]:
        """Return a row below `TIMING_COLUMNS`."""
        cpu = median(self.cpu)
        return self.name, self.median, min(self.wall), max(self.wall), cpu, self.ns_per_row


@dataclass(frozen=True)
class Figure:
    """One number that a reader wants, and what it must reach, if anything.

    `better` says on which side of the target the value must be.
    """

    name: str
    value: float
    unit: Literal["x", "s", "ms", "%"] = "x"
    target: float | None = None
    better: Literal["lower", "higher"] = "lower"

    @property
    def is_met(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        if self.target is None:
            return None
        return self.value <= self.target if self.better == "lower" else self.value >= self.target

    @property
    def verdict(self) -> str:
        """``met``, by how much it is missed, or nothing."""
        if self.target is None or self.is_met is None:
            return ""
        if self.is_met:
            return "met"
        return f"missed by {abs(self.value / self.target - 1):.0%}"


@dataclass(frozen=True)
class Outcome:
    """What a workload found: a table of measurements, and the figures drawn from it."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float]]
    figures: Sequence[Figure]
    notes: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Taken:
    """What a contestant says that it took: one in a process of its own, by its clocks."""

    wall: float
    cpu: float


def take_turns(
    contestants: Mapping[str, Callable[[], object]], rounds: int, rows: int
) -> dict[str, Timing]:
    """Run each contestant once unmeasured, then all of them in turns; return their timings.

    One that returns `Taken` has measured itself.

    In turns, so that whatever else the machine does meets all of them alike; every second round in
    reverse, so that none always comes after the one that leaves memory or cache at its best.
    """
    for run in contestants.values():
        run()
    wall: dict[str, list[float]] = {name: [] for name in contestants}
    cpu: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds):
        for name in list(contestants)[:: -1 if turn % 2 else 1]:
            run = contestants[name]
            gc.collect()
            began, cpu_began = time.perf_counter(), time.process_time()
            result = run()
            taken = Taken(time.perf_counter() - began, time.process_time() - cpu_began)
            taken = result if isinstance(result, Taken) else taken
            wall[name].append(taken.wall)
            cpu[name].append(taken.cpu)
            # Freeing a result is not part of the next one's time.
            del result
    return {name: Timing(name, rows, tuple(wall[name]), tuple(cpu[name])) for name in contestants}


@dataclass(frozen=True)
class Finished:
    """What a process of its own took."""

    seconds: float
    peak_bytes: int


def run_process(
    command: Sequence[str | Path], environment: Mapping[str, str] | None = None
) -> Finished:
    """Run a command to its end, and return its time and its peak memory.

    Raises
    ------
    RuntimeError
        If it fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.peak", *map(str, command)],
        cwd=ROOT,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"benchmark: {' '.join(map(str, command))}; failed; {done.stderr}")
    return Finished(**json.loads(done.stdout.splitlines()[-1]))
