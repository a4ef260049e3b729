"""The stream of a service under load, as a workload: what a candle takes until its row is read.

Two processes on the same processors: the service with a feed of a thousand instruments, and all who
ask it: a hundred clients of the stream, and others that ask for ranges and a screen.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.measure import Figure, Outcome
from benchmarks.settings import Settings
from benchmarks.soak import GROWTH_MAX, thirds
from benchmarks.stream import (
    INSTRUMENTS,
    MESSAGES,
    measure_hindered,
    measure_latency,
    measure_messages,
)
from tallow.data.store import flush

SECONDS_PER_ROUND = 6
COLUMNS = ("", "p50 ms", "p99 ms", "worst ms", "candles")


def measure(settings: Settings) -> Outcome:
    """Measure messages and rows a second, then candles one by one, in bursts, and beside others."""
    bare, hub, rows_a_second, length = measure_messages(settings)
    seconds = SECONDS_PER_ROUND * settings.rounds
    before = _fsync_ms(settings.market.folder)
    with _flushing(seconds * INSTRUMENTS // 3):
        spread = measure_latency(seconds)
    alone, beside = measure_hindered(seconds)
    burst = measure_latency(seconds, is_burst=True)
    found = {
        "spread over each second": spread,
        "before a slow and a dead client": alone,
        "beside a slow and a dead client": beside,
        "all at each second's start": burst,
    }
    after = _fsync_ms(settings.market.folder)
    asked = spread["asked"]
    middle, last = thirds(spread["memory"])
    return Outcome(
        "stream",
        f"{INSTRUMENTS:,} candles a second, durable, five timeframes, to 100 clients, {seconds} s",
        COLUMNS,
        [
            (name, *(each[k] for k in ("p50", "p99", "worst", "seen")))
            for name, each in found.items()
        ],
        [
            Figure(
                f"messages of {length} bytes / the bare send loop", bare / hub, "x", 0.8, "higher"
            ),
            Figure("row updates a second / 100,000", rows_a_second / 1e5, "x", 1.0, "higher"),
            Figure("candle in to message out, p99", spread["p99"], "ms", 20.0),
            Figure("the worst, over flushes", spread["worst"], "ms", 250.0),
            Figure("p99 of a burst", burst["p99"], "ms", 100.0),
            Figure("p99 beside slow clients / without", beside["p99"] / alone["p99"], "x", 1.1),
            Figure("memory, last third / the one before", last / middle, "x", GROWTH_MAX),
        ],
        [
            f"fdatasync of a page: {before:.2f} ms, then {after:.2f}",
            f"memory: {middle / 1e6:,.0f} MB, then {last / 1e6:,.0f}",
            f"{MESSAGES:,} messages to each client; {rows_a_second:,.0f} rows a second to one",
            *(
                f"{name}: p50 {each['p50']:.1f} ms, p99 {each['p99']:.1f}"
                for name, each in asked.items()
            ),
        ],
    )


@contextmanager
def _flushing(rows: int) -> Iterator[None]:
    """Flush the tail more often, so that a short run has flushes in it."""
    before = flush.STORE_FLUSH_ROWS
    flush.STORE_FLUSH_ROWS = rows
    try:
        yield
    finally:
        flush.STORE_FLUSH_ROWS = before


def _fsync_ms(folder: Path, times: int = 200) -> float:
    """Return what the disk takes for a page that is written over."""
    path, taken = folder / "fsync", list[float]()
    path.write_bytes(bytes(4_096))
    with path.open("r+b", buffering=0) as file:
        for number in range(times):
            file.seek(0)
            file.write(bytes([number % 256]) * 4_096)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    return 1e3 * median(taken)
