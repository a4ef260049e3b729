"""Goal: no run changes what went in or what came out before, and threads change nothing at all.

Method: bytes of inputs and of earlier results are compared after further runs; the engine runs the
same instruments on one thread and on several.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

import tallow
from tallow.core.operator import MINUTE, PERIODS, SINCE, YEAR_ROWS
from tallow.testing.cases import Case
from tallow.testing.histories import Rows, part, ticking, walk
from tests.contract.cases import every_sharpest_case
from tests.running import all_indicators, assert_same_bits

SIZES = (200, 90, 1, 260, 31, 150)
COLUMNS = ("open", "high", "low", "close", "volume")


def market(seed: int) -> pl.DataFrame:
    """Return one-minute candles of several instruments of different lengths."""
    frames = []
    for i, size in enumerate(SIZES):
        rows = part((walk, ticking)[i % 2](300, seed + i), 0, size)
        start = datetime(2024, 3, 4, tzinfo=UTC)
        times = pl.datetime_range(
            start, interval="1m", eager=True, end=datetime(2024, 3, 5, tzinfo=UTC)
        )
        columns = {name: rows[name] for name in COLUMNS}
        frames.append(
            pl.DataFrame({"timestamp": times.head(size), **columns}).select(
                pl.lit(f"I{i}").alias("instrument"), pl.all()
            )
        )
    return pl.concat(frames)


def outputs_of(frame: pl.DataFrame) -> list[np.ndarray]:
    """Return the indicator columns, NaN where null; a NaN among the values fails."""
    names = [name for name in frame.columns if name not in {"instrument", "timestamp", *COLUMNS}]
    floats = [name for name in names if frame.schema[name] == pl.Float64]
    numbers = [name for name in names if frame.schema[name].is_numeric()]
    assert not frame.select(pl.col(floats).is_nan().any()).to_numpy().any()
    return [frame[name].cast(pl.Float64).to_numpy() for name in numbers]


def engine(case_convention: str, threads: int) -> tallow.AnalyticsEngine:
    return tallow.AnalyticsEngine(calendar="24/7", convention=case_convention, threads=threads)


@every_sharpest_case
def test_inputs_keep_their_bytes(case: Case) -> None:
    rows: Rows = walk(300)
    before = {name: column.tobytes() for name, column in rows.items()}
    case.run(rows)
    assert {name: column.tobytes() for name, column in rows.items()} == before


@every_sharpest_case
def test_threads_change_nothing(case: Case) -> None:
    candles = market(1)
    serial = engine(case.convention, 1).calculate_indicators(candles, [case.spec])
    for threads in (2, 4):
        parallel = engine(case.convention, threads).calculate_indicators(candles, [case.spec])
        assert parallel.columns == serial.columns
        assert_same_bits(outputs_of(parallel), outputs_of(serial))


@every_sharpest_case
def test_the_engine_gives_each_instrument_its_own_values(case: Case) -> None:
    """All instruments at once, against a kernel run by hand over each one's rows."""
    candles = market(2)
    result = engine(case.convention, 2).calculate_indicators(candles, [case.spec])
    # The sessions of 24/7 are days in UTC, and the candles are of one day.
    for name, frame in result.group_by(["instrument"], maintain_order=True):
        own = candles.filter(instrument=name[0])
        rows = {column: own[column].to_numpy() for column in COLUMNS}
        rows |= dict.fromkeys((*PERIODS, SINCE), np.ones(len(own)))
        # The year before 2024-03-04 has the 29th of February.
        rows[YEAR_ROWS] = np.full(len(own), 366.0 * 24 * 60)
        rows[MINUTE] = (own["timestamp"].dt.epoch("s") % 86_400 / 60).to_numpy()
        assert_same_bits(outputs_of(frame), case.run(rows))


@pytest.mark.parametrize("threads", [1, 2])
@every_sharpest_case
def test_a_result_outlives_the_next_run(case: Case, threads: int) -> None:
    """What is returned owns its memory: runs over other candles leave it as it was."""
    mine = engine(case.convention, threads)
    first = mine.calculate_indicators(market(3), [case.spec])
    before = [column.tobytes() for column in outputs_of(first)]
    for seed in (4, 5):
        mine.calculate_indicators(market(seed), [case.spec])
    assert [column.tobytes() for column in outputs_of(first)] == before


@pytest.mark.parametrize("convention", ["tradingview", "talib"])
def test_bars_too_are_the_same_on_all_threads_and_outlive_the_next_run(convention: str) -> None:
    """Every indicator at once, on five-minute bars, whose buffers are reused from run to run."""
    specs = list(all_indicators())
    serial = engine(convention, 1).process_candles(market(6), "5m", specs).frame
    for threads in (2, 3, 4):
        mine = engine(convention, threads)
        parallel = mine.process_candles(market(6), "5m", specs).frame
        before = parallel.write_ipc(None).getvalue()
        assert parallel.equals(serial)
        assert_same_bits(outputs_of(parallel), outputs_of(serial))
        mine.process_candles(market(7), "5m", specs)
        assert parallel.write_ipc(None).getvalue() == before
