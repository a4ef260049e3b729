"""Goal: what takes long is answered by another process, also where that dies, and within bounds.

Method: functions of this module, which a worker imports; one dies once, one each time.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import tallow
from tallow.core.errors import ParameterError
from tallow.engine import AnalyticsEngine
from tallow.service.errors import BusyError
from tallow.service.workers import EngineOptions, WorkerPool
from tests.frames import candles, minutes

START = "2025-06-02T09:15+05:30"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workers") / "candles"


@pytest.fixture(scope="module")
def pool(store: Path) -> Iterator[WorkerPool]:
    with tallow.open_store(store, create=True) as opened:
        opened.write(candles("A", minutes(START, 3)), source_timeframe="1m")
    pool = WorkerPool(EngineOptions(str(store), "XNSE", "talib"), workers=1)
    yield pool
    pool.close()


def ask(pool: WorkerPool, function: Callable[..., Any], *arguments: Any) -> Any:
    async def asking() -> Any:
        async with asyncio.timeout(60):
            return await pool.compute(function, *arguments)

    return asyncio.run(asking())


def bars(engine: AnalyticsEngine, timeframe: str) -> tuple[int, str, pl.DataFrame]:
    return os.getpid(), engine.convention, engine.query("A", timeframe, indicators=()).frame


def refuse(_engine: AnalyticsEngine) -> None:
    raise ParameterError("worker: no; must be yes; say yes")


def die(_engine: AnalyticsEngine) -> None:
    os._exit(3)


def die_once(_engine: AnalyticsEngine, mark: Path) -> str:
    if mark.exists():
        return "answered"
    mark.touch()
    os._exit(3)


def test_a_worker_answers_of_the_same_store(pool: WorkerPool, store: Path) -> None:
    number, convention, frame = ask(pool, bars, "1m")
    assert number != os.getpid()
    assert (convention, len(frame)) == ("talib", 3)
    with tallow.open_store(store) as opened:
        opened.write(candles("A", minutes(START, 5)), source_timeframe="1m")
    # What was written meanwhile is there, in the same process.
    again, _, frame = ask(pool, bars, "1m")
    assert (again, len(frame)) == (number, 5)


def test_an_error_of_a_worker_is_raised_here(pool: WorkerPool) -> None:
    with pytest.raises(ParameterError, match="say yes"):
        ask(pool, refuse)


def test_a_question_whose_worker_died_is_asked_again_once(pool: WorkerPool, tmp_path: Path) -> None:
    assert ask(pool, die_once, tmp_path / "mark") == "answered"
    with pytest.raises(BusyError, match="died twice"):
        ask(pool, die)
    assert len(ask(pool, bars, "1m")[2]) > 0


def test_more_than_may_wait_are_refused(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallow.service.workers.COMPUTES_WAITING_MAX", 0)

    async def asking() -> list[Any]:
        both = (pool.compute(bars, "1m") for _ in range(2))
        async with asyncio.timeout(60):
            return await asyncio.gather(*both, return_exceptions=True)

    first, second = asyncio.run(asking())
    assert (len(first), type(second)) == (3, BusyError)
