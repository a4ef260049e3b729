"""Goal: rows that only others can judge are judged the same, wherever a file is cut into blocks.

Method: random candles with finer rows, repeats that are equal or contradict, and several rows of
one day or of five minutes, in several orders; files in blocks of a few rows, streamed and read,
must give the bars, counts and quarantine of one frame that is a single block.
"""

from __future__ import annotations

import functools
import random
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow import AnalyticsEngine, read_candles
from tallow.data.reading import candle_files, readers
from tallow.data.spill import Spill
from tallow.runtime import outputs, stream
from tests.frames import assert_same_frame, candles, minutes
from tests.runtime.files import write
from tests.sizes import sized

ENGINE = AnalyticsEngine("XNSE", threads=1)
STEPS = {"1m": 1, "5m": 5, "1d": 1440}
ORDERS: dict[str, list[str]] = {
    "by instrument": ["instrument", "timestamp"],
    "by time": ["timestamp", "instrument"],
    "by time of the day": ["of_day", "instrument"],
}


def mixed(draw: random.Random, source: str) -> pl.DataFrame:
    """Return candles of three instruments, with rows that share a time with others."""
    frames = []
    for name in "ABC":
        times = minutes("2025-06-02T09:15+05:30", 40, STEPS[source])
        frames.append(candles(name, sorted(draw.sample(times, 30)), seed=draw.randrange(99)))
    frame = pl.concat(frames)
    apart = timedelta(seconds=20) if source == "1m" else timedelta(minutes=STEPS[source] // 3)
    some = [frame[k : k + 1] for k in draw.sample(range(len(frame)), 9)]
    more = [
        draw.choice(
            [
                row,
                row.with_columns(pl.col("high") + 1.0),
                row.with_columns(pl.col("timestamp") + apart),
                row.with_columns(pl.col("timestamp") + apart),
            ]
        )
        for row in some
    ]
    return pl.concat([frame, *more])


def in_order(frame: pl.DataFrame, order: str) -> pl.DataFrame:
    of_day = frame.with_columns(of_day=pl.col("timestamp").dt.hour())
    return of_day.sort(ORDERS[order], maintain_order=True).drop("of_day")


def told(quarantine: pl.DataFrame) -> list[tuple[Any, ...]]:
    return sorted(quarantine.select("instrument", "timestamp", "rule").rows())


@settings(max_examples=sized(7, 250))
@given(
    seed=st.integers(0, 2**32),
    block=st.integers(1, 12),
    source=st.sampled_from(["1m", "1m", "5m", "1d"]),
    order=st.sampled_from(sorted(ORDERS)),
    files=st.integers(1, 3),
)
def test_blocks_of_a_few_rows_are_judged_as_one(
    tmp_path_factory, seed, block, source, order, files
):
    frame = in_order(mixed(random.Random(seed), source), order)
    size = "1d" if source == "1d" else "15m"
    as_one = read_candles(frame, source_timeframe=source)
    right = ENGINE.process_candles(as_one, size, "ema(2)")
    folder = tmp_path_factory.mktemp("edges")
    part = -(-len(frame) // files)
    paths = [write(frame[k * part : (k + 1) * part], folder / f"{k}.parquet") for k in range(files)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "BLOCK_ROWS", block)
        patch.setattr(readers, "BLOCK_ROWS", block)
        patch.setattr(candle_files, "BLOCK_ROWS", block)
        patch.setattr(outputs, "Spill", functools.partial(Spill, rows=25))
        read = read_candles(paths, source_timeframe=source)
        out = folder / "out.parquet"
        report = ENGINE.process_files(paths, out, size, "ema(2)", source_timeframe=source)
        again = read_candles(frame, source_timeframe=source)
    for each in (read, again):
        assert_same_frame(each.frame, as_one.frame)
        assert told(each.quarantine) == told(as_one.quarantine)
        counts = (each.report.accepted, each.report.repeated, each.report.by_rule)
        assert counts == (as_one.report.accepted, as_one.report.repeated, as_one.report.by_rule)
        assert each.report.instruments == as_one.report.instruments
    assert_same_frame(pl.read_parquet(out), right.frame)
    assert told(report.quarantine) == told(right.report.quarantine)
    assert report.candles == right.report.candles
    assert report.read.rows_in == right.report.read.rows_in


def test_the_record_of_a_minute_beside_a_finer_row_of_the_next_block_is_its_own(tmp_path):
    """The row is found when the next block is read, and its text is fetched again."""
    frame = candles("A", minutes("2025-06-02T09:15+05:30", 6))
    finer = frame[2:3].with_columns(pl.col("timestamp") + timedelta(seconds=20))
    rows = pl.concat([frame[:3], finer, frame[3:]])
    path = write(rows, tmp_path / "a.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "BLOCK_ROWS", 3)
        read = read_candles(path)
    assert read.quarantine["row"].to_list() == [3, 4]
    assert read.quarantine["rule"].to_list() == ["off_grid", "off_grid"]
    assert [f"{price}" in read.quarantine["record"][0] for price in frame["close"][2:3]] == [True]
    assert read.frame["timestamp"].to_list() == [*frame["timestamp"][:2], *frame["timestamp"][3:]]
