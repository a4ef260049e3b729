"""What a shadow adds to the calls that it watches, whatever its candidate does.

Several threads call a control of twenty milliseconds: waiting, as for a database, arithmetic that
releases the interpreter's lock, and Python. Blocks of calls with and without an experiment take
turns, so that whatever else the machine does meets both alike.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import Figure, Outcome
from benchmarks.settings import Settings
from tallow.core.limits import SHADOW_DELAY_SECONDS, SHADOW_DELAY_SHARE
from tallow.migrate.shadow import Budget, Experiment

Floats = NDArray[np.float64]
Blocks = tuple[list[list[float]], list[list[float]]]
"""Milliseconds of the calls of each block: plain, and with a shadow."""

CALLERS = 4
CALLS = 50
"""Calls of each thread in a block: about a second."""
CONTROL_SECONDS = 0.020
BUDGET = Budget(seconds=1.0, memory_bytes=400_000_000)
CLOSES = np.random.default_rng(3).random(1_000)


def control(closes: Floats) -> Floats:
    """Work for twenty milliseconds: three quarters waiting, the rest half NumPy, half Python."""
    began = time.perf_counter()
    time.sleep(0.75 * CONTROL_SECONDS)
    answer = closes
    while time.perf_counter() - began < 0.875 * CONTROL_SECONDS:
        answer = np.sort(np.tile(closes, 50))[: len(closes)]
    while time.perf_counter() - began < CONTROL_SECONDS:
        sum(range(200))
    return answer


def busy(closes: Floats) -> Floats:
    """Hold the interpreter's lock for twenty milliseconds of Python."""
    end = time.thread_time() + CONTROL_SECONDS
    while time.thread_time() < end:
        sum(range(200))
    return closes


def as_fast(closes: Floats) -> Floats:
    return control(closes)


def ten_times_slower(closes: Floats) -> Floats:
    end = time.thread_time() + 10.0 * CONTROL_SECONDS
    while time.thread_time() < end:
        np.sort(np.tile(closes, 50))
    return closes


def hangs(closes: Floats) -> Floats:
    while True:
        pass


def raises(closes: Floats) -> Floats:
    raise LookupError(f"no answer for {len(closes)} closes")


def eats_memory(closes: Floats) -> Floats:
    held = []
    while True:
        held.append(np.ones(1_000_000))


CANDIDATES: dict[str, Callable[[Floats], Floats]] = {
    "is as fast": as_fast,
    "is 10x slower": ten_times_slower,
    "hangs": hangs,
    "raises": raises,
    "eats memory": eats_memory,
}


def measure(settings: Settings) -> Outcome:
    """Measure the control with and without each candidate aside."""
    floor = _turns(control, control, CALLERS, settings.rounds)
    rows = [_row("(none: the noise)", floor, "-")]
    figures = [Figure("p99 added, no shadow at all", _added(floor), "ms")]
    for name, candidate in CANDIDATES.items():
        blocks, seen = _watched(control, candidate, CALLERS, settings.rounds)
        rows.append(_row(name, blocks, seen))
        allowed = max(1e3 * SHADOW_DELAY_SECONDS, SHADOW_DELAY_SHARE * _p99(blocks[0]))
        figures.append(Figure(f"p99 added, candidate {name}", _added(blocks), "ms", allowed))
    blocks, seen = _watched(busy, busy, 2, settings.rounds)
    rows.append(_row("(control: Python only)", blocks, seen))
    figures.append(Figure("p99 added, two threads of Python", _added(blocks), "ms"))
    return Outcome(
        "shadow",
        f"{CALLERS} threads call a control of 20 ms; the candidate runs aside",
        ("candidate", "p50 ms", "with shadow", "p99 ms", "with shadow", "calls", "compared"),
        rows,
        figures,
        [
            "percentiles are of a block of calls; of those, and of their differences, the median",
            "two threads of Python share one interpreter: a call takes twice its 20 ms either way",
        ],
    )


def _watched(
    function: Callable[[Floats], Floats],
    candidate: Callable[[Floats], Floats],
    callers: int,
    rounds: int,
) -> tuple[Blocks, str]:
    """Return the blocks of a function without and with an experiment, and what was compared."""
    with TemporaryDirectory(prefix="tallow-bench-") as folder:
        path = f"{folder}/evidence.sqlite"
        with Experiment("bench", function, candidate, evidence=path, budget=BUDGET) as experiment:
            experiment(CLOSES)
            experiment.flush(30.0)
            blocks = _turns(function, experiment, callers, rounds)
        return blocks, _seen(path)


def _turns(
    plain: Callable[[Floats], object],
    watched: Callable[[Floats], object],
    callers: int,
    rounds: int,
) -> Blocks:
    """Return the milliseconds of all calls of both, block by block."""
    blocks: Blocks = ([], [])
    for turn in range(2 * rounds):
        # A, B, B, A: neither always comes after the other.
        place = (0, 1, 1, 0)[turn % 4]
        blocks[place].append(_block((plain, watched)[place], CLOSES, callers))
    return blocks


def _block(function: Callable[[Floats], object], closes: Floats, callers: int) -> list[float]:
    """Call from several threads at once; return the milliseconds of each call."""
    taken: list[float] = []
    gate = threading.Barrier(callers)

    def call() -> None:
        gate.wait()
        for _ in range(CALLS):
            began = time.perf_counter()
            function(closes)
            taken.append(1e3 * (time.perf_counter() - began))

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def _seen(path: str) -> str:
    """Return how many of the calls were tried."""
    with closing(sqlite3.connect(path)) as connection:
        calls, skipped = connection.execute(
            "SELECT count(*), sum(skipped IS NOT NULL) FROM observation"
        ).fetchone()
    return f"{calls - skipped} of {calls}"


def _row(name: str, blocks: Blocks, seen: str) -> tuple[str | float, ...]:
    plain, watched = blocks
    middle = [median(map(median, side)) for side in blocks]
    return (name, *middle, _p99(plain), _p99(watched), sum(map(len, watched)), seen)


def _added(blocks: Blocks) -> float:
    """Return the median of what each block has more than the plain one beside it."""
    return median(_p99_of(watched) - _p99_of(plain) for plain, watched in zip(*blocks, strict=True))


def _p99(blocks: list[list[float]]) -> float:
    """Return the median block's: one moment in which the machine did something else is not ours."""
    return median(map(_p99_of, blocks))


def _p99_of(block: list[float]) -> float:
    return sorted(block)[-(-99 * len(block) // 100) - 1]
