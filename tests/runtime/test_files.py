"""Goal: a run from files to a file is the run from memory, whatever order the files' rows are in.

Method: the same candles are written in many orders, cuts and formats, and streamed with blocks of a
few rows; bars (bit by bit), counts and quarantine are compared with those of the frame.
"""

from __future__ import annotations

import random
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow import read_candles
from tallow.data.providers import opening
from tallow.data.reading.candle_files import CandleFiles
from tallow.data.reading.options import read_options
from tallow.runtime import requests, stream
from tests.frames import assert_same_frame, candles, minutes
from tests.runtime.files import BLOCK, NAMES, rows, write

pytestmark = pytest.mark.usefixtures("small_blocks")


@pytest.fixture
def ways(monkeypatch):
    """Return the list of the ways that runs took, in order."""
    taken: list[str] = []
    for name in ("_run_by_instrument", "_by_time", "run_candles"):
        monkeypatch.setattr(stream, name, noting(taken, name, getattr(stream, name)))
    return taken


def noting(taken, name, way):
    def noted(*given):
        taken.append(name)
        return way(*given)

    return noted


INDICATORS = "default, macd(3, 5, 2), ema(rsi(3), 4), sma(vwap, 3)"


def check(engine, paths, folder, output="bars.parquet", **options):
    """Compare the run through files with the run from memory, in all they return."""
    target = folder / output
    source = options.get("source_timeframe", "1m")
    report = engine.process_files(paths, target, "7m", INDICATORS, **options)
    options.pop("source_timeframe", None)
    read = read_candles(paths, source_timeframe=source)
    expected = engine.process_candles(read, "7m", INDICATORS, **options)
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
    "by instrument": (lambda f: [f], ["_run_by_instrument"]),
    "by time": (
        lambda f: [f.sort("timestamp", "instrument")],
        ["_run_by_instrument", "_by_time"],
    ),
    "newest first": (
        lambda f: [f.reverse()],
        ["_run_by_instrument", "_by_time", "run_candles"],
    ),
    "shuffled": (
        lambda f: [f.sample(fraction=1.0, shuffle=True, seed=5)],
        ["_run_by_instrument", "_by_time", "run_candles"],
    ),
    "a file per instrument": (
        lambda f: f.partition_by("instrument", maintain_order=True),
        ["_run_by_instrument"],
    ),
    "a file per instrument, last first": (
        lambda f: f.partition_by("instrument", maintain_order=True)[::-1],
        ["_run_by_instrument", "_by_time"],
    ),
    "a file per day": (
        lambda f: f.with_columns(day=pl.col("timestamp").dt.date()).partition_by(
            "day", maintain_order=True, include_key=False
        ),
        ["_run_by_instrument", "_by_time"],
    ),
    "a file per day, newest first": (
        lambda f: f.with_columns(day=pl.col("timestamp").dt.date()).partition_by(
            "day", maintain_order=True, include_key=False
        )[::-1],
        ["_run_by_instrument", "_by_time", "run_candles"],
    ),
    "open interest in one file": (
        lambda f: [
            f.filter(pl.col("instrument") < "C").drop("open_interest"),
            f.filter(pl.col("instrument") >= "C"),
        ],
        ["_run_by_instrument"],
    ),
    "open interest from the middle of an instrument": (
        lambda f: [f[:100].drop("open_interest"), f[100:]],
        ["_run_by_instrument"],
    ),
    "open interest on one day, by time": (
        lambda f: [
            f.sort("timestamp", "instrument")[:200],
            f.sort("timestamp", "instrument")[200:].drop("open_interest"),
        ],
        ["_run_by_instrument", "_by_time"],
    ),
    "no open interest": (lambda f: [f.drop("open_interest")], ["_run_by_instrument"]),
    "an empty file among others": (
        lambda f: [f[:70], f.clear(), f[70:], f.clear()],
        ["_run_by_instrument"],
    ),
    "repeats within a file": (
        lambda f: [pl.concat([f, f[::7]]).sort("timestamp", "instrument")],
        ["_run_by_instrument", "_by_time", "run_candles"],
    ),
    "repeats across files": (
        lambda f: [f[:150], f[140:]],
        ["_run_by_instrument", "_by_time", "run_candles"],
    ),
    "rows that contradict others": (
        lambda f: [f, f[::11].with_columns(pl.col("high") + 1.0)],
        ["_run_by_instrument", "_by_time", "run_candles"],
    ),
    "rows that contradict their neighbours": (
        lambda f: [
            pl.concat([f, f[::11].with_columns(pl.col("high") + 1.0)]).sort(
                "timestamp", "instrument"
            )
        ],
        ["_run_by_instrument", "_by_time", "run_candles"],
    ),
    "rows that break rules": (
        lambda f: [
            f.with_columns(pl.when(pl.int_range(pl.len()) % 9 > 0).then("close").alias("close"))
        ],
        ["_run_by_instrument"],
    ),
    "off the grid": (
        lambda f: [
            pl.concat([f.with_columns(pl.col("timestamp").dt.offset_by("1s"))[:9], f[9:80]]),
            f[80:],
        ],
        ["_run_by_instrument"],
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


@pytest.mark.parametrize(
    "order", ["by instrument", "by time", "repeats within a file", "rows that contradict others"]
)
@pytest.mark.parametrize(
    "options",
    [
        {"instruments": ["D", "B"]},
        {"start": "2025-06-03"},
        {"start": "2025-06-02T10:00:00+05:30", "end": "2025-06-03T09:30:00+05:30"},
        {"instruments": "A", "end": "2025-06-02", "final_at": "2025-06-02T09:40:00+05:30"},
        {"start": "2025-06-05"},
    ],
)
def test_a_part_of_it(order, options, engine, tmp_path):
    (tmp_path / "out").mkdir()
    paths = [
        write(piece, tmp_path / f"{place}.parquet")
        for place, piece in enumerate(ORDERS[order][0](rows()))
    ]
    check(engine, paths, tmp_path / "out", **options)


@pytest.mark.parametrize("change", [0.0, 1.0])
@pytest.mark.parametrize("sort", [["instrument", "timestamp"], ["timestamp", "instrument"]])
def test_instruments_that_nobody_wants_are_counted_as_well(change, sort, engine, tmp_path):
    """One row of another instrument comes again at the end, equal or with another value."""
    frame = rows().sort(sort)
    again = frame.filter(instrument="C").head(1).with_columns(pl.col("volume") + change)
    path = write(pl.concat([frame, again]), tmp_path / "in.parquet")
    (tmp_path / "out").mkdir()
    check(engine, [path], tmp_path / "out", instruments="A")


@pytest.mark.parametrize("sort", [["instrument", "timestamp"], ["timestamp", "instrument"]])
def test_rows_of_unknown_times_are_set_aside_as_they_stream_by(sort, engine, tmp_path, ways):
    """Rows of 1970, and of a date beyond all that is assumed, are no reason to read all at once."""
    good = [candles(name, minutes("2026-11-06T09:15+05:30", 3 * BLOCK)) for name in "AB"]
    stamps = ["1970-01-01T05:30+05:30", "2029-11-05T18:15+05:30"]
    frame = pl.concat([*good, *(candles("B", minutes(stamp, 4)) for stamp in stamps)])
    path = write(frame.sort(sort), tmp_path / "in.parquet")
    (tmp_path / "out").mkdir()
    result = check(engine, [path], tmp_path / "out")
    assert set(result.frame["instrument"]) == {"A", "B"}
    assert (result.report.candles.not_covered, result.report.failures) == (8, {})
    assert result.report.quarantine["rule"].to_list() == ["not_covered"] * 8
    assert "settled" not in ways


def test_coarser_candles_with_rows_off_their_grid(engine, tmp_path, ways):
    times = minutes("2025-06-02T09:15+05:30", 40, step=7)
    stray = minutes("2025-06-03T09:17+05:30", 2)
    frame = pl.concat([candles(name, times + stray) for name in NAMES])
    (tmp_path / "out").mkdir()
    path = write(frame.sort("timestamp", "instrument"), tmp_path / "in.parquet")
    result = check(engine, [path], tmp_path / "out", source_timeframe="7m")
    assert result.report.candles.off_grid == len(result.report.quarantine) == 8
    assert ways[:2] == ["_run_by_instrument", "_by_time"]


def test_no_candles_at_all_make_a_file_without_bars(engine, tmp_path):
    (tmp_path / "out").mkdir()
    for frame in (rows().clear(), candles("A", minutes("2025-06-01T09:15+05:30", 3))):
        path = write(frame, tmp_path / "in.parquet")
        result = check(engine, [path], tmp_path / "out")
        assert len(result) == 0


def test_files_into_memory_are_streamed_too(engine, tmp_path, ways):
    path = write(rows(), tmp_path / "in.parquet")
    result = engine.process_candles(path, "5m")
    assert ways == ["_run_by_instrument"]
    assert_same_frame(result.frame, engine.process_candles(rows(), "5m").frame)
    ways.clear()
    path = write(rows().sort("timestamp"), tmp_path / "in.parquet")
    assert_same_frame(engine.process_candles(path, "5m").frame, result.frame)
    assert ways == ["_run_by_instrument", "run_candles"]


def test_files_are_opened_once_and_their_output_is_checked_once(engine, tmp_path, monkeypatch):
    """Sorted by instrument or by time, with open interest in one file only, and with progress."""
    names = [frame["instrument"][0] for frame in rows().partition_by("instrument")]
    plain = rows().filter(pl.col("instrument") == names[0]).drop("open_interest")
    others = rows().filter(pl.col("instrument") != names[0])
    paths = [write(plain, tmp_path / "a.parquet"), write(others, tmp_path / "b.csv")]
    by_time = write(rows().sort("timestamp"), tmp_path / "c.arrow")
    taken: list[str] = []
    for module, name in ((opening, "open_file"), (requests, "check_outputs")):
        monkeypatch.setattr(module, name, noting(taken, name, getattr(module, name)))
    output = tmp_path / "o.parquet"
    for inputs in (paths, [by_time]):
        engine.process_files(inputs, output, progress=lambda *_: None)
        assert sorted(taken) == ["check_outputs", *["open_file"] * len(inputs)]
        assert pl.read_parquet(output)["open_interest"].null_count() > 0
        taken.clear()


def test_a_file_that_lies_in_memory_is_there_only_while_its_rows_are_read(engine, tmp_path):
    """Of several Arrow streams one at a time: each is read again for its rows."""
    paths = []
    for name, frame in rows().partition_by("instrument", as_dict=True).items():
        paths.append(tmp_path / f"{name[0]}.arrows")
        frame.write_ipc_stream(paths[-1])
    files = CandleFiles.find([str(path) for path in paths], read_options())
    assert files.row_count == len(rows())
    assert not any(source.on_disk for source in files._sources)
    expected = engine.process_candles(rows(), "5m").frame
    assert_same_frame(engine.process_candles(paths, "5m").frame, expected)


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
