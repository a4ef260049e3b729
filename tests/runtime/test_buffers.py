"""Goal: kernels use large arrays again and again, and nothing that is returned lies in them.

Method: whatever the process's pool holds is overwritten after each call, and the results compared
with what they were; the pool alone is tried with few numbers, and with threads.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import numpy as np
import pytest

from tallow import AnalyticsEngine
from tallow.core.buffers import BUFFERS, BufferPool
from tallow.data.reading.readers import read_candles
from tests.runtime.histories import CALENDAR, market, new_engine, new_store

MARKET = market(days=30)
SPECS = "default, macd(3, 5, 2)[signal], bollinger(9, 2)[upper], vwap(week)"
"""Some with outputs that nobody asked for, which are written into lent memory."""
NUMBERS = 4_096


def overwrite(pool: BufferPool) -> int:
    """Fill every idle buffer; return how many there are."""
    idle = [buffer for buffers in pool._idle.values() for buffer in buffers]
    for buffer in idle:
        buffer[:] = -12345.678
    return len(idle)


@pytest.mark.parametrize("timeframe", ["1m", "5m", "1d"])
def test_a_result_owns_its_memory(timeframe):
    engine = AnalyticsEngine(calendar=CALENDAR, threads=2)
    candles = read_candles(MARKET)
    bars = engine.process_candles(candles, timeframe, SPECS).frame
    kept = bars.rows()
    assert overwrite(BUFFERS) > 0
    assert bars.rows() == kept
    assert engine.process_candles(candles, timeframe, SPECS).frame.rows() == kept


def test_rows_and_queries_own_theirs(tmp_path):
    with new_store(tmp_path) as store:
        store.write(MARKET, source_timeframe="1m")
        engine = new_engine(store)
        frames = [
            engine.calculate_indicators(MARKET, SPECS),
            engine.query(["A"], "5m", date(2025, 3, 10), None, SPECS).frame,
            engine.query(None, "1h", date(2025, 3, 10), None, SPECS).frame,
        ]
        kept = [frame.rows() for frame in frames]
        overwrite(BUFFERS)
        assert [frame.rows() for frame in frames] == kept


def test_a_buffer_is_used_again():
    pool = BufferPool()
    with pool.lend(NUMBERS) as first:
        assert len(first) == NUMBERS
        with pool.lend(NUMBERS) as second:
            assert not np.shares_memory(first, second)
    assert pool.idle_bytes == 2 * 8 * NUMBERS
    with pool.lend(NUMBERS - 9) as again:
        assert len(again) == NUMBERS - 9
        assert np.shares_memory(again, first) or np.shares_memory(again, second)
    with pool.lend(NUMBERS + 1) as larger:
        assert not np.shares_memory(larger, first)


def test_idle_buffers_are_bounded():
    pool = BufferPool(bytes_max=8 * NUMBERS)
    with pool.lend(NUMBERS), pool.lend(NUMBERS):
        assert pool.idle_bytes == 0
    assert pool.idle_bytes == 8 * NUMBERS
    with pool.lend(0) as nothing:
        assert len(nothing) == 0


def test_an_error_gives_the_buffer_back():
    pool = BufferPool()
    with pytest.raises(ZeroDivisionError), pool.lend(1):
        raise ZeroDivisionError
    assert pool.idle_bytes == 8 * NUMBERS


def test_threads_have_buffers_of_their_own():
    pool, entered = BufferPool(), threading.Barrier(4)

    def use(number: int) -> bool:
        good = True
        for _ in range(50):
            with pool.lend(1_000) as mine:
                mine[:] = number
                entered.wait()
                good &= bool((mine == number).all())
        return good

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(use, range(4)))
    assert pool.idle_bytes == 4 * 8 * NUMBERS
