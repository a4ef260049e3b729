"""Goal: who reads while an engine is updated sees a state before an update, or after it.

Method: every update says the same of all instruments, by each of the ways that an update takes; a
reader that ever sees two instruments differ has seen a mixture.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from tallow import LiveEngine
from tests.frames import minutes
from tests.runtime.live.markets import Values, frame_of, microseconds

NAMES = [f"I{number}" for number in range(40)]
TIMES = [microseconds(time) for time in minutes("2025-06-02T09:15+05:30", 60)]


def alike(minute: int, price: float) -> pl.DataFrame:
    """Return the same candle of all instruments."""
    said = Values(price, price, price, price, price)
    return frame_of({(name, TIMES[minute]): said for name in NAMES}, interest=False)


def work(live: LiveEngine) -> None:
    """Append, revise, correct and delete, for all instruments at once."""
    for minute in range(len(TIMES)):
        live.update(alike(minute, 100.0 + minute))
        live.update(alike(minute, 101.0 + minute))
        live.advance(TIMES[minute] + 30_000_000)
        if minute % 4 == 3:
            live.update(alike(minute - 2, 50.0 + minute))
            live.update(pl.concat([alike(minute - 1, 7.0), alike(minute, 8.0)]))
            live.delete(alike(minute, 1.0).select("instrument", "timestamp"))


@pytest.mark.parametrize("size", ["1m", "5m"])
def test_readers_see_whole_states(size):
    live = LiveEngine(["1m", "5m"], "ema(3), vwap, bollinger(5)", keep=20)
    live.update(alike(0, 99.0))
    done = threading.Event()

    def read() -> list[int]:
        seen: list[int] = []
        while not done.is_set() or not seen:
            frame = live.latest(size)
            assert frame["instrument"].to_list() == sorted(NAMES)
            (row,) = frame.drop("instrument").unique().rows(named=True)
            seen.append(row["revision"])
        return seen

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            work(live)
        finally:
            done.set()
        for reader in readers:
            seen = reader.result()
            assert seen == sorted(seen)
            assert len(set(seen)) > 3
