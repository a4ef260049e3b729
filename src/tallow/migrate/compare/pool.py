"""Compares blocks of answers in parallel: finding causes takes longer than the engines.

The counts of a block do not depend on the process that makes them, and are added in the order of
the blocks: the result is the same for any number of processes.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

import polars as pl

from tallow.core.errors import ComparisonError
from tallow.migrate.compare.values import (
    BlockComparer,
    ComparisonRules,
    ComparisonValues,
    OnInstrument,
    compare_answers,
)
from tallow.migrate.protocol import Request


@contextmanager
def comparing_processes(
    values: ComparisonValues, rules: ComparisonRules, workers: int
) -> Iterator[BlockComparer]:
    """Yield what compares blocks in other processes, while the engines answer for the next one.

    All of them are added to `values` at the end.
    """
    running: deque[tuple[Future[ComparisonValues], OnInstrument]] = deque()

    def compare(
        block: Request, control: pl.DataFrame, candidate: pl.DataFrame, on_instrument: OnInstrument
    ) -> None:
        while len(running) > workers:
            _add_oldest(values, running)
        future = executor.submit(compare_answers, block, control, candidate, rules)
        running.append((future, on_instrument))

    # Spawned: Polars' threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    # Ctrl-C ends a worker silently: its parent process informs the user.
    interrupts = (signal.SIGINT, signal.SIG_DFL)
    executor = ProcessPoolExecutor(workers, context, signal.signal, interrupts)
    try:
        yield compare
        while running:
            _add_oldest(values, running)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _add_oldest(
    values: ComparisonValues, running: deque[tuple[Future[ComparisonValues], OnInstrument]]
) -> None:
    future, on_instrument = running.popleft()
    try:
        found = future.result()
    except BrokenProcessPool as error:
        raise ComparisonError(
            "compare: a process that compares died; nothing is reported; perhaps memory ran out: "
            "compare fewer instruments"
        ) from error
    values.add(found)
    for _ in found.instruments:
        on_instrument()
