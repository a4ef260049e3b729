"""Goal: the cost of an engine is measured apart, and one that dies or hangs does no harm.

Method: engines that take a known amount of memory, sleep, kill themselves or raise, each in its
real process.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tallow.migrate.compare import EngineSource, measuring
from tallow.migrate.compare.measuring import Cost, measure, select_measured_part
from tallow.migrate.compare.measuring_process import added_peak
from tallow.migrate.protocol import Request
from tests.migrate.compare.answers import (
    Fixed,
    answer,
    candles,
    dies,
    raises,
    takes_memory,
    waits,
)


def cost(function: Callable[[Request], pl.DataFrame]) -> Cost:
    return measure(Fixed(function), Request(candles(["A"], 600)), runs=2)


def test_the_peak_of_the_whole_answer_is_measured() -> None:
    found = cost(takes_memory)
    assert found.seconds is not None
    assert found.memory_bytes is not None
    # 64 MB in one array; the pages of everything else are few beside it.
    assert 63e6 < found.memory_bytes < 90e6


def touch(size: int) -> None:
    """Hold so many bytes for a moment: pages of its own, none that the allocator has at hand."""
    with mmap.mmap(-1, size) as pages:
        for place in range(0, size, mmap.PAGESIZE):
            pages[place] = 1


def test_a_peak_that_was_there_before_does_not_count() -> None:
    touch(50_000_000)
    grown = added_peak(lambda: touch(8_000_000))
    assert grown is not None
    assert 7e6 < grown < 20e6


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (dies, "was ended by signal 9"),
        (raises, "ended with code 1: .*no such table"),
    ],
)
def test_an_engine_that_fails_is_reported(function, why: str) -> None:
    found = cost(function)
    assert found.failed
    assert found.why is not None
    assert re.search(why, found.why), found.why


def test_an_engine_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "COMPARE_MEASURE_SECONDS", 1.0)
    found = cost(waits)
    assert found == Cost(why="did not end within 1 s, and was killed", failed=True)


def test_what_cannot_be_sent_is_not_measured() -> None:
    found = measure(Fixed(lambda _: answer(1)), Request(candles(["A"])), runs=1)
    assert found.seconds is None
    assert not found.failed
    assert "cannot be sent" in str(found.why)


def test_the_instrument_with_most_candles_is_measured() -> None:
    several = pl.concat([candles(["A", "C"], 5), candles(["B", "D"], 9)]).sort("instrument")
    part = select_measured_part(Request(several)).candles
    assert (part["instrument"].unique().to_list(), len(part)) == (["B"], 9)


def test_stored_values_are_not_measured(tmp_path: Path) -> None:
    path = tmp_path / "stored.parquet"
    answer(2, close=[1.0, 2.0]).write_parquet(path)
    assert measure(EngineSource(str(path)), Request(candles(["A"])), 3) == Cost(why="stored values")
