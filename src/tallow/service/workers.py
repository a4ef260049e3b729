"""Worker processes: long ranges, screens of the store and comparisons, beside the live engine."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, TypeVar

from tallow.data.store.store import open_store
from tallow.engine import AnalyticsEngine
from tallow.service.errors import BusyError
from tallow.service.limits import COMPUTES_WAITING_MAX, WORKERS_MAX

T = TypeVar("T")

NICENESS = 10
"""How much workers give way to the live engine."""

TRIES = 2
"""How often a question is asked whose worker died."""


@dataclass(frozen=True)
class EngineOptions:
    """What a worker makes its engine of: a store's location, and how it answers."""

    store: str
    calendar: str
    convention: str


class WorkerPool:
    """Processes that each have an engine over the same store; they start when one is asked.

    A worker that dies takes the questions with it that are being computed: these are asked again,
    once. Workers end with this process, however it ends.
    """

    def __init__(self, options: EngineOptions, workers: int = WORKERS_MAX) -> None:
        self._options, self._workers = options, workers
        self._pool: ProcessPoolExecutor | None = None
        self._asked = 0

    async def compute(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what `function(engine, *arguments)` returns in a worker; see `Service.compute`."""
        if self._asked >= self._workers + COMPUTES_WAITING_MAX:
            raise BusyError(f"compute: {self._asked} wait or run; ask again in a second")
        self._asked += 1
        try:
            return await self._ask(function, arguments)
        finally:
            self._asked -= 1

    def close(self) -> None:
        """Let go of the processes; what is not being computed yet is cancelled."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    async def _ask(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        for _ in range(TRIES):
            pool = self._pool = self._pool or self._start()
            try:
                future = pool.submit(_answer, function, arguments)
                return await asyncio.wrap_future(future)
            except BrokenProcessPool:
                if self._pool is pool:
                    self._pool = None
        raise BusyError("compute: its worker died twice; ask for less, or look at the log")

    def _start(self) -> ProcessPoolExecutor:
        # A fork would copy threads' locks in whatever state they are.
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._workers, spawn, _begin, (self._options,))


class _Worker:
    """What a worker process keeps from one question to the next."""

    engine: AnalyticsEngine


def _begin(options: EngineOptions) -> None:
    """Make a worker's engine; Ctrl-C is for the process that asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    store = open_store(options.store)
    calendar, convention = options.calendar, options.convention
    _Worker.engine = AnalyticsEngine(store=store, calendar=calendar, convention=convention)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(0)


def _answer(function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    return function(_Worker.engine, *arguments)
