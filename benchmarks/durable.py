"""Durable candles: what a live engine with a store takes beside the disk's own wait.

Every candle is on disk when its call returns. A bare `fsync` of a page that was appended is timed
between them, on the same disk, so that both meet the same load.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl

import tallow
from benchmarks.live import FIVE, Minutes
from benchmarks.market import CALENDAR
from benchmarks.measure import Figure, Outcome
from benchmarks.settings import Settings
from tallow.core.limits import STORE_FLUSH_ROWS, STORE_TAIL_BATCH_ROWS
from tallow.data.store.store import Store, open_store

CANDLES, FLUSHES = 10_000, 2
FEW = 10
EVERY = 10
"""One bare wait for the disk for so many candles."""

WARM_UP = 50
THREADS = 8
COLUMNS = ("", "median ms", "99 of 100 ms", "999 of 1,000 ms", "worst ms")

Times = list[float]


class Disk:
    """A file that is appended to, a page at a time."""

    def __init__(self, path: Path) -> None:
        self._file, self.times = os.open(path, os.O_CREAT | os.O_WRONLY), Times()

    def wait(self) -> None:
        """Append a page, and time the wait until it is on disk."""
        os.write(self._file, bytes(4_096))
        began = time.perf_counter()
        os.fsync(self._file)
        self.times.append(time.perf_counter() - began)

    def close(self) -> None:
        os.close(self._file)


def measure(settings: Settings) -> Outcome:
    """Measure one candle over two flushes, ten candles, readers beside them, and threads."""
    folder, candles = settings.market.folder / "durable", CANDLES * settings.rounds // 7
    folder.mkdir()
    disk = Disk(folder / "bare")
    one, reads = _one_by_one(folder / "one", candles, disk)
    ten = _few(folder / "ten", candles // 10, disk)
    disk.close()
    alone, together = (_threads(folder / f"{n} threads", n, candles // 10) for n in (1, THREADS))
    shutil.rmtree(folder)
    wait = float(np.median(disk.times))
    table = {
        f"one candle, {candles:,} over {FLUSHES} flushes": one,
        f"{FEW} candles in a call": ten,
        "a read of the last bars beside them": reads,
        "the disk's own wait": disk.times,
    }
    return Outcome(
        "durable",
        f"Durable candles of a live engine, {len(FIVE)} timeframes, default set",
        COLUMNS,
        [(name, *_quantiles(times)) for name, times in table.items()],
        [
            Figure("one candle, less the disk's wait", 1e3 * (np.median(one) - wait), "ms", 1.0),
            Figure("ten candles, less the disk's wait", 1e3 * (np.median(ten) - wait), "ms", 1.5),
            Figure("the worst candle", 1e3 * max(one), "ms", 50.0),
            Figure("one candle / the disk's wait", float(np.median(one)) / wait),
            Figure(f"writes a second, {THREADS} threads / one", together / alone, better="higher"),
        ],
        ["the disk is shared with whatever else the machine does: its own worst wait is above"],
    )


def _quantiles(times: Times) -> tuple[float, ...]:
    return (*(1e3 * np.quantile(times, (0.5, 0.99, 0.999))).tolist(), 1e3 * max(times))


def _one_by_one(folder: Path, candles: int, disk: Disk) -> tuple[Times, Times]:
    """Return what each of so many candles took, and reads in a thread beside the last of them."""
    count = candles + WARM_UP + FLUSHES
    market = Minutes(1, count // 375 + 2)
    name, moments = market.names[0], market.times.tolist()
    rows = [market.next()[:, 0].tolist() for _ in range(count)]
    with open_store(folder, create=True) as store:
        live = tallow.LiveEngine(FIVE, calendar=CALENDAR, store=store)
        given = iter(zip(moments, rows, strict=False))

        def candle() -> object:
            moment, row = next(given)
            return live.update_one(name, moment, *row)

        _timed(candle, WARM_UP)
        times = Times()
        for part in range(FLUSHES):
            # The next candles fill the tail, so that a flush runs beside those that follow.
            _fill_tail(store, part)
            # What others wrote is looked at once.
            candle()
            version = store.stats().version
            times += _timed(candle, candles // FLUSHES - candles // 10, disk)
            store.flush()
            assert store.stats().version > version + 1, "no flush ran beside the candles"
        reads = _read_beside(live, lambda: _timed(candle, candles // 10))
    return times, reads


def _fill_tail(store: Store, part: int) -> None:
    """Fill the tail with candles of other instruments, up to a few hundred below a flush."""
    wanted = STORE_FLUSH_ROWS - store.stats().tail_rows - 500
    market = Minutes(STORE_TAIL_BATCH_ROWS // 375, 40)
    names = pl.Series("instrument", [f"{name}-{part}" for name in market.names])
    while wanted > 0:
        count = min(wanted, STORE_TAIL_BATCH_ROWS - 1)
        minutes = -(-count // len(names))
        values = np.concatenate([market.next() for _ in range(minutes)], axis=1)
        columns = dict(zip(("open", "high", "low", "close", "volume"), values, strict=True))
        day = market.times[wanted // STORE_TAIL_BATCH_ROWS * 375 :][:minutes]
        times = pl.Series(np.repeat(day, len(names))).cast(pl.Datetime("us", "UTC"))
        frame = pl.DataFrame({"timestamp": times, **columns})
        all_names = pl.concat([names] * minutes)
        store.write(frame.insert_column(0, all_names)[:count], source_timeframe="1m")
        wanted -= count


def _few(folder: Path, calls: int, disk: Disk) -> Times:
    market = Minutes(FEW, (calls + WARM_UP) // 375 + 2)
    with open_store(folder, create=True) as store:
        live = tallow.LiveEngine(FIVE, calendar=CALENDAR, store=store)
        numbers, moments = live.numbers(market.names), iter(market.times)
        minutes = iter([market.next() for _ in range(calls + WARM_UP)])

        def call() -> object:
            return live.update_arrays(numbers, np.full(FEW, next(moments)), *next(minutes))

        _timed(call, WARM_UP)
        return _timed(call, calls, disk)


def _timed(call: Callable[[], object], count: int, disk: Disk | None = None) -> Times:
    times = Times()
    for number in range(count):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
        if disk is not None and number % EVERY == 0:
            disk.wait()
    return times


def _read_beside(live: tallow.LiveEngine, work: Callable[[], object]) -> Times:
    """Return what reads of the last bars took in a thread while others worked."""
    done, times = threading.Event(), Times()

    def read() -> None:
        while not done.wait(0.001):
            times.extend(_timed(lambda: live.latest(FIVE[0]), 1))

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        work()
        done.set()
        reader.result()
    return times


def _threads(folder: Path, count: int, writes: int) -> float:
    """Return how many candles a second threads write to a store, each of its own instrument."""
    market = Minutes(count, writes // 375 + 2)
    minutes = [market.next() for _ in range(writes)]
    with open_store(folder, create=True) as store:
        live = tallow.LiveEngine(FIVE, calendar=CALENDAR, store=store)
        live.numbers(market.names)

        def feed(number: int) -> None:
            for moment, values in zip(market.times.tolist(), minutes, strict=False):
                live.update_one(number, moment, *values[:, number].tolist())

        with ThreadPoolExecutor(count) as pool:
            began = time.perf_counter()
            list(pool.map(feed, range(count)))
            return count * writes / (time.perf_counter() - began)
