"""Goal: with a store, who reads a live engine waits for no disk, and threads share commits.

Method: a commit is stopped on its way, while others read and write. Threads feed one engine; the
commits are counted, and the bars must be those of an engine that had the same candles one by one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow import LiveEngine
from tallow.data.store.store import Store, open_store
from tests.data.store.test_group import Halt, Watched

OPENS = 1_752_810_300_000_000
"""2025-07-18 09:15 in Mumbai."""
MINUTE = 60_000_000
SIZES = ("1m", "5m", "1h")
THREADS, MINUTES = 4, 40


class Stopped(Watched):
    """A connection that halts the first commit after `halt` is set."""

    halt: Halt | None = None

    def execute(self, statement: str, *rest: Any) -> Any:
        if statement == "COMMIT" and self.halt is not None:
            self.halt()
        return super().execute(statement, *rest)


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[tuple[Store, Stopped]]:
    """Return a store, and its connection."""
    with open_store(tmp_path / "store", create=True) as store:
        file = store.backend.tail_file  # type: ignore[attr-defined]
        file.writer = Stopped(file.writer)
        yield store, file.writer
        file.writer = file.writer._connection


def feed(live: LiveEngine, name: str, minute: int) -> Any:
    price = 100.0 + (7 * minute + len(name)) % 11
    candle = (price, price + 1.0, price - 1.0, price + 0.5, 10.0 + minute)
    return live.update_one(name, OPENS + minute * MINUTE, *candle)


def test_who_reads_waits_for_no_commit_and_sees_what_is_durable(stored):
    store, connection = stored
    live = LiveEngine(SIZES, "ema(3)", store=store)
    feed(live, "A", 0)
    before = {size: live.latest(size) for size in SIZES}
    connection.halt = Halt()
    with ThreadPoolExecutor(2) as pool:
        written = pool.submit(feed, live, "A", 1)
        assert connection.halt.reached.wait(60)
        try:
            read = pool.submit(lambda: {size: live.latest(size) for size in SIZES})
            assert all(read.result(timeout=30)[size].equals(before[size]) for size in SIZES)
            assert len(store.read()) == 1
        finally:
            connection.halt.go.set()
        assert written.result().report.appended == 1
    assert live.latest("1m")["timestamp"].to_physical().to_list() == [OPENS + MINUTE]
    assert len(store.read()) == 2


def test_what_is_no_candle_waits_until_those_that_are_being_written_are_applied(stored):
    store, connection = stored
    live = LiveEngine("1m", "ema(3)", store=store)
    feed(live, "A", 0)
    connection.halt = Halt()
    with ThreadPoolExecutor(3) as pool:
        written = pool.submit(feed, live, "A", 1)
        assert connection.halt.reached.wait(60)
        closed = pool.submit(live.advance, OPENS + 2 * MINUTE + 5_000_000)
        later = threading.Event()
        assert not later.wait(0.05)
        assert not closed.done()
        connection.halt.go.set()
        assert written.result().frame["is_final"].to_list() == [True, False]
        assert closed.result().frame["is_final"].to_list() == [True]


def test_threads_that_feed_one_engine_share_commits_and_have_the_bars_of_one(stored):
    store, connection = stored
    live, alone = LiveEngine(SIZES, "default", store=store), LiveEngine(SIZES, "default")
    names = ["A", "BB", "CCC", "DDDD"][:THREADS]
    live.numbers(names)
    before = connection.commits

    def work(name: str) -> list[int]:
        return [feed(live, name, minute).report.appended for minute in range(MINUTES)]

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(work, names)) == [[1] * MINUTES] * THREADS
    assert connection.commits - before < THREADS * MINUTES
    for minute in range(MINUTES):
        for name in names:
            feed(alone, name, minute)
    for size in SIZES:
        frames = [each.latest(size).drop("revision") for each in (live, alone)]
        assert frames[0].equals(frames[1])
    assert not live.failures
    follower = live._intake.follower
    assert follower is not None
    # Nothing was taken for another's write, and read again.
    assert follower.source.point == store.point()
    assert (follower.behind, follower._deferred) == ({}, None)
    assert store.log()["revision"].to_list() == [1] * THREADS * MINUTES
    again = LiveEngine(SIZES, "default", store=store)
    again.catch_up()
    rows = [each.latest("1m").drop("revision") for each in (live, again)]
    assert rows[0].equals(rows[1])


def test_threads_that_revise_one_candle_end_with_what_the_store_has(stored):
    store, _ = stored
    live = LiveEngine("1m", "ema(3)", store=store)
    feed(live, "A", 0)

    def revise(number: int) -> None:
        for turn in range(10):
            price = 100.0 + number + 10 * turn
            live.update_one("A", OPENS, price, price, price, price, 1.0)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(revise, range(THREADS)))
    last = store.read().select("close", "volume")
    assert live.latest("1m").select("close", "volume").equals(last)
    assert store.log()["revision"].to_list() == list(range(1, len(store.log()) + 1))
    assert live._intake.follower.source.point == store.point()  # type: ignore[union-attr]
    assert isinstance(last, pl.DataFrame)
