"""Goal: several timeframes from one reading are, bit by bit and count by count, as each by itself.

Method: simulated and real candles with rows that break rules, repeats and assumed sessions, in
several orders, cuts, blocks and threads; one run of all timeframes is compared with a run of each.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow import AnalyticsEngine, ProcessingResult, RunReport, read_candles
from tallow.core.errors import OutputError, TimeframeError
from tallow.core.spec import Spec
from tallow.data.kernels.longer import are_whole, longer_bars
from tallow.data.providers import opening
from tallow.data.writers import FrameWriter
from tests.frames import assert_same_frame, candles, flat_candle, minutes
from tests.runtime.files import rows, write
from tests.runtime.test_batch import FRAGILE_SPEC
from tests.sizes import sized

SIZES = ["7m", "1m", "15m", "1h", "1d", "1w"]
SPECS: list[str | Spec] = ["ema(3)", "vwap", "bollinger(5, 2)[upper]", FRAGILE_SPEC]
LATER = "2028-03-01T00:00+05:30"
"""A clock of after all dates below: candles that have not come yet are no candles."""

ORDERS = {
    "by instrument": ["instrument", "timestamp"],
    "by time": ["timestamp", "instrument"],
    "shuffled": ["shuffled"],
}
pytestmark = pytest.mark.usefixtures("small_blocks")


def assert_same_report(several: RunReport, alone: RunReport) -> None:
    assert several.quarantine.equals(alone.quarantine)
    assert several.provisional.equals(alone.provisional)
    assert several.to_dict() == alone.to_dict()


def assert_same_results(several: dict[str, ProcessingResult], alone) -> None:
    for size, result in several.items():
        by_itself = alone(size)
        assert_same_frame(result.frame, by_itself.frame)
        assert result.indicators.keys() == by_itself.indicators.keys()
        assert_same_report(result.report, by_itself.report)


def mixed(draw: random.Random) -> pl.DataFrame:
    """Return candles of days with and without facts, some repeated, contradicted or broken.

    One price is so high that a kernel breaks: in those timeframes of which it is a bar's close.
    """
    frames = []
    for start in ("2026-12-30T09:11+05:30", "2026-12-31T14:50+05:30", "2027-01-04T09:15+05:30"):
        for name in "ABCD":
            times = minutes(start, 60)
            some = sorted(draw.sample(times, draw.randrange(1, 60)))
            frames.append(candles(name, some, draw.randrange(99)))
    frame = pl.concat([*frames, flat_candle("B", "2026-12-31T14:40+05:30", 950.0, 5.0)])
    again = frame.sample(5, seed=draw.randrange(99))
    more = [again, again.head(2).with_columns(pl.col("high") + 1.0)]
    broken = frame.sample(3, seed=7).with_columns(volume=-1.0)
    return pl.concat([frame, *draw.choice([[], more, [broken], [*more, broken]])])


@settings(max_examples=sized(3, 100))
@given(
    seed=st.integers(0, 2**32),
    order=st.sampled_from(sorted(ORDERS)),
    files=st.integers(1, 3),
    threads=st.sampled_from([1, 2]),
    sizes=st.lists(st.sampled_from(SIZES), min_size=1, max_size=4, unique=True),
    asked=st.sampled_from(
        [
            {},
            {"instruments": ["A", "C"]},
            {"start": "2026-12-31", "end": "2027-01-04T09:45+05:30"},
            {"final_at": "2027-01-04T09:45+05:30"},
        ]
    ),
)
def test_one_reading_gives_what_each_timeframe_gives_alone(
    seed, order, files, threads, sizes: list[str], asked: Any, tmp_path_factory
):
    draw = random.Random(seed)
    frame = mixed(draw).sample(fraction=1.0, shuffle=True, seed=draw.randrange(99))
    frame = frame.with_row_index("shuffled").sort(ORDERS[order]).drop("shuffled")
    folder = tmp_path_factory.mktemp("sizes")
    part = -(-len(frame) // files)
    paths = [write(frame[k * part : (k + 1) * part], folder / f"{k}.csv") for k in range(files)]
    engine, asked = AnalyticsEngine("XNSE", threads=threads), {"final_at": LATER} | asked
    given_files = read_candles(paths)
    for source in (paths, frame, given_files):
        several = engine.process_candles(source, sizes, SPECS, **asked)
        assert list(several) == sizes
        assert_same_results(
            several, lambda size, s=source: engine.process_candles(s, size, SPECS, **asked)
        )
    reports = engine.process_files(paths, folder / "all_{timeframe}.arrow", sizes, SPECS, **asked)
    assert list(reports) == sizes
    for size, report in reports.items():
        alone = engine.process_files(paths, folder / "alone.arrow", size, SPECS, **asked)
        assert_same_report(report, alone)
        assert_same_frame(
            pl.read_ipc(folder / f"all_{size}.arrow"), pl.read_ipc(folder / "alone.arrow")
        )


def test_real_candles(reference: Path, tmp_path: Path):
    """Of all instruments but the one that has three rows of four: blocks here are tiny."""
    found = pl.read_csv(reference / "data" / "candles_1m.csv", infer_schema=False)
    few = found.filter(pl.len().over("instrument_key") < 5_000)
    few.write_csv(path := tmp_path / "candles_1m.csv")
    engine = AnalyticsEngine("XNSE")
    sizes = ["5m", "1h", "1d", "1mo"]
    several = engine.process_candles(path, sizes)
    assert_same_results(several, lambda size: engine.process_candles(path, size))
    engine.process_files(path, tmp_path / "{timeframe}.parquet", sizes)
    for size in sizes:
        assert_same_frame(pl.read_parquet(tmp_path / f"{size}.parquet"), several[size].frame)


def test_a_file_is_opened_once(tmp_path: Path, engine, monkeypatch):
    opened: list[Path] = []
    open_file = opening.open_file  # type: ignore[attr-defined]

    def noted(path, *given):
        opened.append(path)
        return open_file(path, *given)

    monkeypatch.setattr(opening, "open_file", noted)
    path = write(rows().sort("timestamp"), tmp_path / "in.parquet")
    engine.process_files(path, tmp_path / "bars_{timeframe}.csv", SIZES)
    assert opened == [path]
    assert {each.name for each in tmp_path.iterdir()} == {
        "in.parquet",
        *(f"bars_{size}.csv" for size in SIZES),
    }


def test_bars_alone(engine):
    """Of days given in coarser candles, as frames by timeframe."""
    read = read_candles(rows(), source_timeframe="1m")
    frames = engine.aggregate_timeframes(read, ["5m", "1d"])
    assert list(frames) == ["5m", "1d"]
    for size, frame in frames.items():
        assert_same_frame(frame, engine.process_candles(read, size, ()).frame)
    assert list(engine.aggregate_timeframes(read, "60m")) == ["1h"]


def test_a_timeframe_given_as_text_has_a_result_of_its_own(engine, tmp_path):
    path = write(rows(), tmp_path / "in.csv")
    assert isinstance(engine.process_candles(path, "5m"), ProcessingResult)
    assert isinstance(engine.process_files(path, tmp_path / "o.csv", "5m"), RunReport)
    assert list(engine.process_candles(path, ["5m"])) == ["5m"]
    assert list(engine.process_files(path, tmp_path / "o.csv", ("5m",))) == ["5m"]


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        (["1h", "5m", "60m"], "timeframe: 1h and 60m; must be different ones"),
        ([], r"timeframe: \[\]; must name one at least"),
        (["5m", "7x"], "timeframe: '7x'; must be 1d"),
        (["15m", 5], "timeframe: 5; must be 1d"),
        (["15m", "3m"], "timeframe: 3m from source_timeframe=5m; the target must be a whole"),
    ],
)
def test_timeframes_that_cannot_be(sizes, words, engine, tmp_path):
    path = write(candles("A", minutes("2025-06-02T09:15+05:30", 9, 5)), tmp_path / "in.csv")
    read = read_candles(path, source_timeframe="5m")
    with pytest.raises(TimeframeError, match=words):
        engine.process_candles(read, sizes)
    with pytest.raises(TimeframeError, match=words):
        engine.aggregate_timeframes(read, sizes)
    output = tmp_path / "{timeframe}.csv"
    with pytest.raises(TimeframeError, match=words):
        engine.process_files(path, output, sizes, source_timeframe="5m")
    assert list(tmp_path.iterdir()) == [path]


def test_several_timeframes_are_no_one_file(engine, tmp_path):
    path = write(rows(), tmp_path / "in.csv")
    with pytest.raises(OutputError, match=r"each of 5m, 1h must have a file of .*_\{timeframe\}\."):
        engine.process_files(path, tmp_path / "bars.csv", ["5m", "1h"])
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("order", ["instrument", "timestamp"])
def test_where_one_output_fails_none_is_left(order, engine, tmp_path, monkeypatch):
    """The last of them, when all bars of the others are on the disk."""
    path = write(rows().sort(order), tmp_path / "in.parquet")
    finish = FrameWriter.finish

    def full(writer: FrameWriter) -> None:
        finish(writer)
        if "1h" in writer.path.name:
            raise OutputError(f"output: {writer.path}; could not be written; no space")

    monkeypatch.setattr(FrameWriter, "finish", full)
    with pytest.raises(OutputError, match=r"bars_1h\.csv; could not be written"):
        engine.process_files(path, tmp_path / "bars_{timeframe}.csv", ["5m", "15m", "1h"])
    assert list(tmp_path.iterdir()) == [path]


VENUES = {
    "XNSE": ("2025-06-02T09:15+05:30", 1),
    "XNSE:derivatives": ("2025-06-02T09:15+05:30", 1),
    "MCX": ("2025-06-02T16:30+05:30", 1),
    "XHKG": ("2025-06-02T10:40+08:00", 1),
    "FX": ("2025-06-01T16:30-04:00", 7),
    "24/7": ("2025-05-31T20:00+00:00", 9),
}
"""A venue and a moment near an edge of its session, from where on candles are so far apart."""


@pytest.mark.twin
@pytest.mark.parametrize("venue", VENUES)
def test_whole_volumes_make_longer_bars_of_shorter_ones(venue, monkeypatch):
    start, step = VENUES[venue]
    times, draw = minutes(start, 900, step), random.Random(3)
    volumes = {"A": 7.0, "index": 0.0, "vast": 2.0**52, "fraction": 0.1}
    frames = [candles(name, sorted(draw.sample(times, 700)), 5, v) for name, v in volumes.items()]
    interest = pl.Series([draw.choice([None, 1.0, 2.0]) for _ in range(2_800)], dtype=pl.Float64)
    frame = pl.concat(frames).with_columns(open_interest=interest)
    joined: list[bool] = []
    whole: list[bool] = []
    monkeypatch.setattr("tallow.runtime.batch.longer_bars", watched(longer_bars, joined, is_made))
    monkeypatch.setattr("tallow.runtime.parts.are_whole", watched(are_whole, whole, bool))
    engine = AnalyticsEngine(venue, threads=1)
    sizes = ["5m", "1d", "35m", "1h", "1w", "1mo", "3m"]
    for names in (["A", "index"], ["vast"], ["A", "fraction"]):
        given = frame.filter(pl.col("instrument").is_in(names))
        several = engine.process_candles(given, sizes, SPECS[:3])
        assert_same_results(
            several, lambda size, f=given: engine.process_candles(f, size, SPECS[:3])
        )
    # Of 3m, which is the shortest, all but 5m and 35m can be built.
    assert joined.count(True) >= 4
    assert joined.count(False) >= 4
    assert whole == [True, True, False]


def is_made(result: object) -> bool:
    return result is not None


def watched(function: Any, seen: list[bool], say: Callable[[Any], bool]) -> Any:
    def watch(*given: Any) -> Any:
        made = function(*given)
        seen.append(say(made))
        return made

    return watch
