"""Blocks of answers compared beside each other: the causes take longer than the engines.

The counts of a block do not depend on where they are made, and are added in the blocks' order: the
result is the same whatever the number of processes.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Protocol

import polars as pl

from tallow.core.errors import ComparisonError
from tallow.migrate.compare.values import OnInstrument, Rules, Values, compare_answers
from tallow.migrate.protocol import Request


class Comparer(Protocol):
    """Compares the two answers to each block."""

    def compare(
        self,
        block: Request,
        control: pl.DataFrame,
        candidate: pl.DataFrame,
        on_instrument: OnInstrument,
    ) -> None:
        """Compare them, now or later."""

    def finish(self) -> None:
        """Wait for all."""


class Here:
    """Compares in this process."""

    def __init__(self, values: Values, rules: Rules) -> None:
        self._values, self._rules = values, rules

    def compare(
        self,
        block: Request,
        control: pl.DataFrame,
        candidate: pl.DataFrame,
        on_instrument: OnInstrument,
    ) -> None:
        """Compare them now."""
        self._values.add(compare_answers(block, control, candidate, self._rules, on_instrument))

    def finish(self) -> None:
        """Do nothing: all is done."""


class Aside:
    """Compares in processes of their own, while the engines answer for the next block."""

    def __init__(
        self, values: Values, rules: Rules, executor: ProcessPoolExecutor, workers: int
    ) -> None:
        self._values, self._rules = values, rules
        self._executor, self._workers = executor, workers
        self._running: deque[tuple[Future[Values], OnInstrument]] = deque()

    def compare(
        self,
        block: Request,
        control: pl.DataFrame,
        candidate: pl.DataFrame,
        on_instrument: OnInstrument,
    ) -> None:
        """Compare them later; waits while as many blocks are held as there are workers, and one."""
        while len(self._running) > self._workers:
            self._take()
        given = (block, control, candidate, self._rules)
        self._running.append((self._executor.submit(compare_answers, *given), on_instrument))

    def finish(self) -> None:
        """Wait for all."""
        while self._running:
            self._take()

    def _take(self) -> None:
        future, on_instrument = self._running.popleft()
        try:
            found = future.result()
        except BrokenProcessPool as error:
            raise ComparisonError(
                "compare: a process that compares died; nothing is reported; perhaps memory ran "
                "out: compare fewer instruments"
            ) from error
        self._values.add(found)
        for _ in found.instruments:
            on_instrument()


@contextmanager
def comparer(values: Values, rules: Rules, workers: int) -> Iterator[Comparer]:
    """Give what compares blocks and adds them to `values`."""
    if workers == 1:
        yield Here(values, rules)
        return
    # Spawned: Polars' threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(workers, context, _die_of_interrupts)
    try:
        yield Aside(values, rules, executor, workers)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _die_of_interrupts() -> None:
    """Let Ctrl-C end a worker silently: the process that it works for tells the user."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
