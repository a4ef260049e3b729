"""Goal: the cache keeps what it is given within its bytes, and computes each key once at a time.

Method: texts as values, of ten bytes each, and the room that an entry takes besides.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tallow.core.errors import ParameterError
from tallow.runtime.cache import CachedValue, CacheOutcome, IndicatorCache


@dataclass
class Text:
    """A value."""

    text: str
    nbytes: int = 10


def test_many_threads_compute_once():
    cache, made = IndicatorCache(), []
    entered = threading.Barrier(8)

    def calculate(kept: Text | None) -> CachedValue[Text]:
        if kept is not None:
            return CachedValue(kept, CacheOutcome.HIT)
        made.append(1)
        return CachedValue(Text("once"), CacheOutcome.MISS)

    def ask(_: int) -> str:
        entered.wait()
        return cache.get_or_calculate("key", calculate).value.text

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == ["once"] * 8
    assert len(made) == 1
    assert (cache.counters.hits, cache.counters.misses, cache.counters.hit_rate) == (7, 1, 7 / 8)


def test_an_entry_may_go_between_look_up_and_use():
    """Another thread's entries push it out while it is used: the answer is right, and kept anew."""
    cache = IndicatorCache(5_000)

    def miss(text: str) -> CachedValue[Text]:
        return CachedValue(Text(text), CacheOutcome.MISS)

    def use(kept: Text | None) -> CachedValue[Text]:
        assert kept is not None
        for other in ("b", "c", "d"):
            cache.get_or_calculate(other, lambda _: miss(other))  # noqa: B023
        return CachedValue(Text(kept.text + "!"), CacheOutcome.EXTENSION)

    def hit(kept: Text | None) -> CachedValue[Text]:
        assert kept is not None
        return CachedValue(kept, CacheOutcome.HIT)

    cache.get_or_calculate("a", lambda _: miss("a"))
    assert cache.get_or_calculate("a", use).value.text == "a!"
    assert cache.get_or_calculate("a", hit).value.text == "a!"
    counters = cache.counters
    assert counters.bytes <= 5_000
    assert counters.entries == 2
    cache.clear()
    assert (cache.counters.bytes, cache.counters.entries, cache.counters.hits) == (0, 0, 2)


def test_a_negative_bound_is_an_error():
    with pytest.raises(ParameterError, match="cache: bytes_max=-1; must not be negative"):
        IndicatorCache(-1)


RESIDENT = """
import gc
import numpy as np
import polars as pl
from tallow.runtime.cache import frame_bytes

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))

def frame():
    return pl.DataFrame({f"c{n}": pl.Series(np.random.rand(ROWS)) for n in range(20)})

kept, before = [frame()], resident()
kept += [frame() for _ in range(1_500)]
gc.collect()
print((resident() - before) / sum(map(frame_bytes, kept[1:])))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux what is resident")
@pytest.mark.parametrize("rows", [10, 100])
def test_small_frames_are_counted_as_what_they_take(rows):
    program = RESIDENT.replace("ROWS", str(rows))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert 0.6 < float(done.stdout) < 1.4
