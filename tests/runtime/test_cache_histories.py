"""Goal: an answer from the cache has the bits of the whole history, whatever was appended,
corrected, inserted, deleted or evicted before it.

Method: random writes between questions to one engine, against a batch run over all that the store
gives; with a cache that holds everything, and with one that holds almost nothing.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow.data.store.store import Store
from tallow.runtime.cache import IndicatorCache
from tests.runtime.histories import CHAINS, assert_as_whole, market, new_engine, new_store

MARKET = market(days=30).filter(pl.col("instrument") != "C").sort("timestamp", "instrument")
HELD_BACK = 700
"""Candles of the last days, which come one after the other."""
SPECS = ("default", "sma(9), stddev(5)", *CHAINS)


def write_something(store: Store, draw: random.Random, later: pl.DataFrame) -> pl.DataFrame:
    """Append, correct, insert or delete; return the candles that are still to be appended."""
    known = store.read().sort("timestamp").tail(draw.choice([60, 600, 10_000]))
    known = known.sample(draw.randrange(1, 4), seed=draw.randrange(2**32))
    match draw.randrange(6):
        case 0 | 1 | 2:
            count = draw.choice([1, 2, 40, 300])
            store.write(later.head(count), source_timeframe="1m")
            return later.slice(count)
        case 3:
            store.write(
                known.with_columns(close=pl.col("low"), open=pl.col("high")), source_timeframe="1m"
            )
        case 4:
            store.write(
                MARKET.sample(draw.randrange(1, 9), seed=draw.randrange(2**32)),
                source_timeframe="1m",
            )
        case _:
            store.delete(known.select("instrument", "timestamp"))
    return later


def some_question(draw: random.Random) -> tuple[Any, ...]:
    """Return a question that is likely to come again, or one that reaches a little further."""
    start = draw.choice([None, "2025-03-06", "2025-03-11", "2025-03-18"])
    end = draw.choice([None, None, "2025-03-20", "2025-03-21", "2025-03-12T11:02+05:30"])
    name = draw.choice(["A", "A", "A", "A", "IDX", "N"])
    size = draw.choice(["5m", "5m", "5m", "5m", "1h", "1d", "1w"])
    return [name], size, start, end, draw.choice(SPECS)


def check_while_writing(folder: Path, seed: int, bytes_max: int) -> IndicatorCache:
    draw, cache = random.Random(seed), IndicatorCache(bytes_max)
    with new_store(folder) as store:
        store.write(
            MARKET[:-HELD_BACK].filter(pl.int_range(pl.len()) % 9 != seed % 9),
            source_timeframe="1m",
        )
        later = MARKET[-HELD_BACK:]
        engine = new_engine(store, cache=cache)
        for _ in range(12):
            later = write_something(store, draw, later)
            for _ in range(3):
                assert_as_whole(engine, store, *some_question(draw))
    return cache


def check_seed(folder: Path, seed: int) -> None:
    cache = check_while_writing(folder, seed, random.Random(seed).choice([40_000, 10_000_000]))
    assert cache.counters.bytes <= cache.bytes_max


@settings(max_examples=6)
@given(st.integers(0, 2**32 - 1))
def test_whatever_is_written_in_between(tmp_path_factory, seed):
    check_seed(tmp_path_factory.mktemp("store"), seed)


@pytest.mark.nightly
@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_whatever_is_written_in_between_at_length(tmp_path_factory, seed):
    check_seed(tmp_path_factory.mktemp("store"), seed)


def test_random_questions_meet_every_way_of_answering(tmp_path):
    """Else the property above would prove less than it says."""
    counters = check_while_writing(tmp_path, 3, 10_000_000).counters
    assert min(counters.extensions, counters.repairs, counters.misses) > 0
    assert counters.hits > counters.extensions
