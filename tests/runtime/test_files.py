"""Goal: a run from files to a file is the run from memory, whatever order the files' rows are in;
and an output appears whole or not at all.

Method: the same candles are written in many orders, cuts and formats, and streamed with blocks of a
few rows; bars (bit by bit), counts and quarantine are compared with those of the frame. Then runs
are broken: by the caller, by Ctrl-C, by a disk that is full.
"""

from __future__ import annotations

import functools
import os
import random
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow import AnalyticsEngine, read_candles
from tallow.core.errors import (
    AllFailedError,
    CandleInputError,
    OutputError,
    RangeError,
    TimeframeError,
)
from tallow.data import readers
from tallow.data.spill import Spill
from tallow.runtime import stream
from tests.frames import assert_same_frame, candles, flat_candle, market, minutes

NAMES = ("A", "B", "C", "D")
BLOCK = 40


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Make blocks so small that instruments, keys and files straddle them."""
    monkeypatch.setattr(stream, "BLOCK_ROWS", BLOCK)
    scan = functools.partial(readers.scan_batches, chunk_rows=BLOCK)
    monkeypatch.setattr(stream, "scan_batches", scan)
    monkeypatch.setattr(stream, "Spill", functools.partial(Spill, rows=25))


@pytest.fixture
def ways(monkeypatch):
    """Return the list of the ways that runs took, in order."""
    taken: list[str] = []
    for name in ("_by_instrument", "_by_time", "run_candles"):
        monkeypatch.setattr(stream, name, noting(taken, name, getattr(stream, name)))
    return taken


def noting(taken, name, way):
    def noted(*given):
        taken.append(name)
        return way(*given)

    return noted


@pytest.fixture(scope="module")
def engine():
    return AnalyticsEngine("XNSE", threads=2)


def rows(seed: int = 3) -> pl.DataFrame:
    """Return gapped candles of four instruments over two days, with some open interest."""
    days = [market(NAMES, f"2025-06-0{d}T09:12+05:30", 90, seed + d) for d in (2, 3)]
    frame = pl.concat(days).sort("instrument", "timestamp")
    known = pl.int_range(pl.len()) % 3 == 0
    return frame.with_columns(pl.when(known).then(pl.col("volume").round()).alias("open_interest"))


def write(frame: pl.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    elif path.suffix == ".arrow":
        frame.write_ipc(path)
    else:
        frame.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S%z")
    return path


def check(engine, paths, folder, output="bars.parquet", **options):
    """Compare the run through files with the run from memory, in all they return."""
    target = folder / output
    source = options.get("source_timeframe", "1m")
    report = engine.process_files(paths, target, "7m", "default, macd(3, 5, 2)", **options)
    options.pop("source_timeframe", None)
    read = read_candles(paths, source_timeframe=source)
    expected = engine.process_candles(read, "7m", "default, macd(3, 5, 2)", **options)
    readable = {".parquet": pl.read_parquet, ".arrow": pl.read_ipc}[target.suffix]
    assert_same_frame(readable(target), expected.frame)
    assert report.read == expected.report.read
    assert report.candles == expected.report.candles
    assert report.failures == expected.report.failures
    assert report.bars == expected.report.bars
    assert report.quarantine.equals(expected.report.quarantine)
    assert list(folder.iterdir()) == [target]
    return expected


ORDERS = {
    "by instrument": (lambda f: [f], ["_by_instrument"]),
    "by time": (
        lambda f: [f.sort("timestamp", "instrument")],
        ["_by_instrument", "_by_time"],
    ),
    "newest first": (
        lambda f: [f.reverse()],
        ["_by_instrument", "_by_time", "run_candles"],
    ),
    "shuffled": (
        lambda f: [f.sample(fraction=1.0, shuffle=True, seed=5)],
        ["_by_instrument", "_by_time", "run_candles"],
    ),
    "a file per instrument": (
        lambda f: f.partition_by("instrument", maintain_order=True),
        ["_by_instrument"],
    ),
    "a file per instrument, last first": (
        lambda f: f.partition_by("instrument", maintain_order=True)[::-1],
        ["_by_instrument", "_by_time"],
    ),
    "a file per day": (
        lambda f: f.with_columns(day=pl.col("timestamp").dt.date()).partition_by(
            "day", maintain_order=True, include_key=False
        ),
        ["_by_instrument", "_by_time"],
    ),
    "a file per day, newest first": (
        lambda f: f.with_columns(day=pl.col("timestamp").dt.date()).partition_by(
            "day", maintain_order=True, include_key=False
        )[::-1],
        ["_by_instrument", "_by_time", "run_candles"],
    ),
    "open interest in one file": (
        lambda f: [
            f.filter(pl.col("instrument") < "C").drop("open_interest"),
            f.filter(pl.col("instrument") >= "C"),
        ],
        ["_by_instrument"],
    ),
    "open interest from the middle of an instrument": (
        lambda f: [f[:100].drop("open_interest"), f[100:]],
        ["_by_instrument"],
    ),
    "open interest on one day, by time": (
        lambda f: [
            f.sort("timestamp", "instrument")[:200],
            f.sort("timestamp", "instrument")[200:].drop("open_interest"),
        ],
        ["_by_instrument", "_by_time"],
    ),
    "no open interest": (lambda f: [f.drop("open_interest")], ["_by_instrument"]),
    "an empty file among others": (
        lambda f: [f[:70], f.clear(), f[70:], f.clear()],
        ["_by_instrument"],
    ),
    "repeats within a file": (
        lambda f: [pl.concat([f, f[::7]]).sort("timestamp", "instrument")],
        ["_by_instrument", "_by_time", "run_candles"],
    ),
    "repeats across files": (
        lambda f: [f[:150], f[140:]],
        ["_by_instrument", "_by_time", "run_candles"],
    ),
    "rows that contradict others": (
        lambda f: [f, f[::11].with_columns(pl.col("high") + 1.0)],
        ["_by_instrument", "_by_time", "run_candles"],
    ),
    "rows that break rules": (
        lambda f: [
            f.with_columns(pl.when(pl.int_range(pl.len()) % 9 > 0).then("close").alias("close"))
        ],
        ["_by_instrument"],
    ),
    "off the grid": (
        lambda f: [f.with_columns(pl.col("timestamp").dt.offset_by("1s"))[:9], f[9:]],
        ["_by_instrument"],
    ),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_files_in_any_order(order, ending, engine, tmp_path, ways):
    cut, expected_ways = ORDERS[order]
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    paths = [
        write(piece, tmp_path / "in" / f"{place}.{ending}")
        for place, piece in enumerate(cut(rows()))
    ]
    check(engine, paths, tmp_path / "out")
    taken = ways[: len(expected_ways)]
    assert taken == expected_ways


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_arrow_in_and_out(ending, engine, tmp_path):
    path = write(rows(), tmp_path / "in.arrow")
    (tmp_path / "out").mkdir()
    check(engine, [path], tmp_path / "out", f"bars.{ending}")


def test_text_out_is_read_back(engine, tmp_path):
    path = write(rows(), tmp_path / "in.parquet")
    engine.process_files(path, tmp_path / "bars.csv", "5m", "ema(3)")
    frame = engine.process_candles(rows(), "5m", "ema(3)").frame
    back = read_candles(tmp_path / "bars.csv").frame
    assert_same_frame(back, frame.select(back.columns))
    text = pl.read_csv(tmp_path / "bars.csv", infer_schema=False)
    assert text.columns == frame.columns
    assert text["timestamp"][0] == "2025-06-02T03:45:00+00:00"


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**16),
    key=st.sampled_from([["instrument", "timestamp"], ["timestamp", "instrument"], ["row"]]),
    cuts=st.lists(st.integers(0, 300), max_size=4),
    twice=st.booleans(),
)
def test_files_cut_anywhere(engine, tmp_path_factory, seed, key, cuts, twice):
    folder = tmp_path_factory.mktemp("cut")
    (folder / "out").mkdir()
    draw = random.Random(seed)
    frame = rows(seed).with_columns(row=pl.lit(0))
    frame = frame.with_columns(pl.Series("row", draw.sample(range(len(frame)), len(frame))))
    frame = frame.sort(key).drop("row")
    if twice:
        frame = pl.concat([frame, frame.tail(2)])
    bounds = [0, *sorted(min(cut, len(frame)) for cut in cuts), len(frame)]
    pieces = [frame[a:b] for a, b in pairwise(bounds)]
    paths = [write(piece, folder / f"{place}.parquet") for place, piece in enumerate(pieces)]
    check(engine, paths, folder / "out")


@pytest.mark.parametrize("order", ["by instrument", "by time", "shuffled"])
@pytest.mark.parametrize(
    "options",
    [
        {"instruments": ["D", "B"]},
        {"start": "2025-06-03"},
        {"start": "2025-06-02T10:00:00+05:30", "end": "2025-06-03T09:30:00+05:30"},
        {"instruments": "A", "end": "2025-06-02", "as_of": "2025-06-02T09:40:00+05:30"},
        {"start": "2025-06-05"},
    ],
)
def test_a_part_of_it(order, options, engine, tmp_path):
    (tmp_path / "out").mkdir()
    paths = [write(piece, tmp_path / "0.parquet") for piece in ORDERS[order][0](rows())]
    check(engine, paths, tmp_path / "out", **options)


@pytest.mark.parametrize("sort", [["instrument", "timestamp"], ["timestamp", "instrument"]])
def test_an_instrument_that_fails_in_its_last_rows(sort, engine, tmp_path, ways):
    """Whatever was streamed of it before is taken back."""
    good = [candles(name, minutes("2026-11-06T09:15+05:30", 3 * BLOCK)) for name in "AB"]
    frame = pl.concat([*good, candles("B", minutes("2026-11-08T18:15+05:30", 4))])
    path = write(frame.sort(sort), tmp_path / "in.parquet")
    (tmp_path / "out").mkdir()
    result = check(engine, [path], tmp_path / "out")
    assert set(result.frame["instrument"]) == {"A"}
    assert "B" in result.report.failures
    assert result.report.candles.failed == 3 * BLOCK + 4
    assert ways[:2] == ["_by_instrument", "_by_time"]


def test_coarser_candles_with_rows_off_their_grid(engine, tmp_path, ways):
    times = minutes("2025-06-02T09:15+05:30", 40, step=7)
    stray = minutes("2025-06-03T09:17+05:30", 2)
    frame = pl.concat([candles(name, times + stray) for name in NAMES])
    (tmp_path / "out").mkdir()
    path = write(frame.sort("timestamp", "instrument"), tmp_path / "in.parquet")
    result = check(engine, [path], tmp_path / "out", source_timeframe="7m")
    assert result.report.candles.off_grid == len(result.report.quarantine) == 8
    assert ways[:2] == ["_by_instrument", "_by_time"]


def test_no_candles_at_all_make_a_file_without_bars(engine, tmp_path):
    (tmp_path / "out").mkdir()
    for frame in (rows().clear(), candles("A", minutes("2025-06-01T09:15+05:30", 3))):
        path = write(frame, tmp_path / "in.parquet")
        result = check(engine, [path], tmp_path / "out")
        assert len(result) == 0


def test_files_into_memory_are_streamed_too(engine, tmp_path, ways):
    path = write(rows(), tmp_path / "in.parquet")
    result = engine.process_candles(path, "5m")
    assert ways == ["_by_instrument"]
    assert_same_frame(result.frame, engine.process_candles(rows(), "5m").frame)
    ways.clear()
    path = write(rows().sort("timestamp"), tmp_path / "in.parquet")
    assert_same_frame(engine.process_candles(path, "5m").frame, result.frame)
    assert ways == ["_by_instrument", "run_candles"]


@pytest.mark.parametrize("order", ["by instrument", "by time", "shuffled"])
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_progress_reaches_the_end(order, ending, engine, tmp_path):
    """Of a text file, only reading tells how many rows it has."""
    steps: list[tuple[int, int]] = []
    (frame,) = ORDERS[order][0](rows())
    path = write(frame, tmp_path / f"in.{ending}")
    engine.process_files(path, tmp_path / "o.parquet", progress=lambda *s: steps.append(s))
    assert steps[-1][0] == len(frame)
    assert steps[-1][1] in ([len(frame)] if ending == "parquet" else [0, len(frame)])


# Broken runs


@pytest.fixture
def target(tmp_path):
    """Return an output that has an older run's content."""
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "bars.parquet"
    path.write_bytes(b"the older run's bars")
    return path


def assert_untouched(target: Path) -> None:
    assert list(target.parent.iterdir()) == [target]
    assert target.read_bytes() == b"the older run's bars"


class StopError(Exception):
    """What a caller raises to cancel."""


@pytest.mark.parametrize("order", ["by instrument", "by time", "shuffled"])
@pytest.mark.parametrize("error", [StopError, KeyboardInterrupt])
@pytest.mark.parametrize("after", [1, 3])
def test_a_cancelled_run_leaves_nothing(order, error, after, engine, tmp_path, target):
    left = [after]

    def progress(_done, _total):
        left[0] -= 1
        if left[0] == 0:
            raise error

    path = write(ORDERS[order][0](rows())[0], tmp_path / "in.csv")
    try:
        engine.process_files(path, target, progress=progress)
    except error:
        assert_untouched(target)
    else:
        # Few blocks: the run was over before it could be cancelled.
        assert left[0] > 0
    engine.process_files(path, target)
    assert len(pl.read_parquet(target)) > 0


@pytest.mark.parametrize("order", ["by instrument", "by time", "shuffled"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_told_by_the_name_of_the_output(order, engine, tmp_path, target):
    path = write(ORDERS[order][0](rows())[0], tmp_path / "in.parquet")
    (target.parent / f".{target.name}.{os.getpid()}.partial").symlink_to("/dev/full")
    with pytest.raises(
        OutputError, match=r"output: .*bars\.parquet; could not be written; .*space"
    ):
        engine.process_files(path, target)
    assert_untouched(target)


def test_a_disk_too_full_for_sorting(engine, tmp_path, target, monkeypatch):
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    path = write(rows().sort("timestamp"), tmp_path / "in.parquet")
    monkeypatch.setattr(pl.DataFrame, "write_ipc", full)
    with pytest.raises(OutputError, match="must have room for temporary files"):
        engine.process_files(path, target)
    assert_untouched(target)


def test_a_file_that_breaks_off_leaves_nothing(engine, tmp_path, target):
    good = write(rows(), tmp_path / "a.parquet")
    bad = tmp_path / "b.parquet"
    bad.write_bytes(good.read_bytes()[:900])
    with pytest.raises(CandleInputError, match=r"b\.parquet"):
        engine.process_files([good, bad], target)
    assert_untouched(target)


def test_what_is_wrong_is_told_before_or_after_but_nothing_is_left(engine, tmp_path, target):
    path = write(rows(), tmp_path / "in.parquet")
    with pytest.raises(RangeError, match=r"instrument: 'BB'; not in the input; did you mean B\?"):
        engine.process_files(path, target, instruments=["A", "BB"])
    with pytest.raises(TimeframeError):
        engine.process_files(path, target, "5m", source_timeframe="15m")
    late = write(flat_candle("A", "2027-01-04T09:15+05:30", 1.0, 1.0), tmp_path / "late.parquet")
    with pytest.raises(
        AllFailedError, match="A: calendar XNSE:cash-other: date=2027-01-04; covers"
    ):
        engine.process_files([path, late], target, instruments="A")
    assert_untouched(target)


@pytest.mark.parametrize("name", ["bars.xlsx", "bars", "bars.csv.gz"])
def test_outputs_that_are_not_written(name, engine, tmp_path):
    path = write(rows(), tmp_path / "in.parquet")
    with pytest.raises(OutputError, match=r"must end in \.parquet, \.pq, \.arrow"):
        engine.process_files(path, tmp_path / name)
