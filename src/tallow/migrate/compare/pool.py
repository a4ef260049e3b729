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
    ComparisonRules,
    ComparisonValues,
    OnInstrument,
    compare_answers,
)
from tallow.migrate.protocol import Request


class ProcessComparer:
    """Compares in other processes while the engines answer for the next block."""

    def __init__(
        self,
        values: ComparisonValues,
        rules: ComparisonRules,
        executor: ProcessPoolExecutor,
        workers: int,
    ) -> None:
        self._values, self._rules = values, rules
        self._executor, self._workers = executor, workers
        self._running: deque[tuple[Future[ComparisonValues], OnInstrument]] = deque()

    def compare(
        self,
        block: Request,
        control: pl.DataFrame,
        candidate: pl.DataFrame,
        on_instrument: OnInstrument,
    ) -> None:
        """Compare them later; wait while there is one block more than there are workers."""
        while len(self._running) > self._workers:
            self._add_oldest()
        arguments = (block, control, candidate, self._rules)
        self._running.append((self._executor.submit(compare_answers, *arguments), on_instrument))

    def finish(self) -> None:
        """Wait for all."""
        while self._running:
            self._add_oldest()

    def _add_oldest(self) -> None:
        future, on_instrument = self._running.popleft()
        try:
            values = future.result()
        except BrokenProcessPool as error:
            raise ComparisonError(
                "compare: a process that compares died; nothing is reported; perhaps memory ran "
                "out: compare fewer instruments"
            ) from error
        self._values.add(values)
        for _ in values.instruments:
            on_instrument()


@contextmanager
def open_comparer(
    values: ComparisonValues, rules: ComparisonRules, workers: int
) -> Iterator[ProcessComparer]:
    """Yield a comparer that adds the blocks to `values`, all of them when it closes."""
    # Spawned: Polars' threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(workers, context, _restore_interrupts)
    try:
        comparer = ProcessComparer(values, rules, executor, workers)
        yield comparer
        comparer.finish()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _restore_interrupts() -> None:
    """Let Ctrl-C end a worker silently: its parent process tells the user."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
