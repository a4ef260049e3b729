"""Goal: `tallow query` answers with the bars that `tallow run` would make, in every form it offers.

Method: hand-made candles whose bars are worked out by hand; the real candles, ingested, queried and
compared bit by bit with a run on their file; wrong calls with the words of their messages.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from tallow.data.writers import to_json
from tests.frames import assert_same_frame
from tests.serve.calling import CLEAN, SAID, ingested, tallow, told

SPEC = ("--indicators", "sma(2)")
FIRST = {
    "instrument": "A",
    "timestamp": "2025-07-18T03:45:00+00:00",
    "open": 10.0,
    "high": 15.0,
    "low": 9.0,
    "close": 14.0,
    "volume": 150.0,
    "candles": 2,
    "is_final": True,
    "sma_2": None,
}
SECOND = {
    "instrument": "A",
    "timestamp": "2025-07-18T03:50:00+00:00",
    "open": 14.0,
    "high": 14.0,
    "low": 13.0,
    "close": 13.0,
    "volume": 25.0,
    "candles": 1,
    "is_final": False,
    "sma_2": 13.5,
}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return ingested(tmp_path)


def test_json_is_an_object_per_bar(store: Path) -> None:
    assert told("query", "A", "--store", store, *SPEC) == [FIRST, SECOND]


def test_a_range_begins_with_its_first_bar_s_right_values(store: Path) -> None:
    since = ("--start", "2025-07-18T09:20+05:30")
    assert told("query", "A", "--store", store, *SPEC, *since) == [SECOND]
    assert told("query", "A", "--store", store, *SPEC, "--start", "2025-07-18T09:20") == [SECOND]
    assert tallow("query", "A", "--store", store, "--start", "-5d").exit_code == 1
    text = tallow("query", "--store", store, *SPEC, "--end", "2025-07-17").stdout
    assert text == "no bars of 5m in the range\n"


def test_known_at_answers_by_what_was_known(store: Path) -> None:
    known = told("store", "ingests", "--store", store)[0]["received_at"]
    ingested(store.parent, CLEAN.replace("13,25", "12.5,25").replace("14,13,12", "14,12,12"))
    now = told("query", "A", "--store", store, *SPEC)
    assert [bar["close"] for bar in now] == [14.0, 12.5]
    then = told("query", "A", "--store", store, *SPEC, "--known-at", known)
    assert [bar["close"] for bar in then] == [14.0, 13.0]


def test_the_table_has_a_row_and_a_line_per_column(store: Path) -> None:
    result = tallow("query", "A", "--store", store, *SPEC)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines() if line]
    assert lines[0] == [
        *("A", "5m", "2", "bars,", "2025-07-18", "to", "2025-07-18,", "Asia/Kolkata"),
    ]
    assert lines[1] == ["07-18", "09:15", "07-18", "09:20*"]
    rows = {line[0]: line[1:] for line in lines[3:]}
    assert rows == {
        "open": ["10.00", "14.00", "▁█"],
        "high": ["15.00", "14.00", "█▁"],
        "low": ["9.00", "13.00", "▁█"],
        "close": ["14.00", "13.00", "█▁"],
        "volume": ["150", "25", "█▁"],
        "sma_2": ["-", "13.50", "▁"],
        "*": ["still", "forming"],
    }


def test_the_table_shows_the_newest_bars_that_fit(tmp_path: Path) -> None:
    minutes = (f"A,2025-07-18T09:{minute}+05:30,1,1,1,1,{minute}\n" for minute in range(20, 50))
    store = ingested(tmp_path, "".join(minutes))
    for columns, shown in ((70, 3), (200, 6)):
        result = tallow("query", "A", "--store", store, "-t", "1m", "-i", "", COLUMNS=str(columns))
        lines = result.stdout.splitlines()
        assert max(map(len, lines)) <= columns
        volumes = next(line.split() for line in lines if line.startswith("volume"))
        assert volumes[1:-1] == [str(minute) for minute in range(50 - shown, 50)]
        assert (volumes[-1][0], volumes[-1][-1]) == ("▁", "█")


def test_many_instruments_are_cut_with_a_count(tmp_path: Path) -> None:
    names = [f"B{number:02}" for number in range(9)]
    store = ingested(tmp_path, "".join(CLEAN.replace("A,", f"{name},") for name in names))
    text = tallow("query", "--store", store, "-i", "").stdout
    assert [name for name in names if f"{name}  5m" in text] == names[:6]
    assert "and 3 more" in text
    assert (
        "no bars in the range"
        in tallow("query", "B00", "--store", store, "--end", "2025-01-01").stdout
    )


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("bars.parquet", pl.read_parquet),
        ("bars.arrow", pl.read_ipc),
        ("bars.csv", lambda path: pl.read_csv(path, try_parse_dates=True)),
    ],
)
def test_files_are_written_as_the_ending_says(store: Path, name: str, read) -> None:
    output = store.with_name(name)
    result = tallow("query", "--store", store, *SPEC, "-o", output)
    said = ["2", "bars", "of", "5m", str(output), "times", "in", "UTC"]
    assert (result.exit_code, result.stdout.split()) == (0, said)
    assert read(output).select("timestamp", "close", "sma_2").rows() == [
        (datetime(2025, 7, 18, 3, 45, tzinfo=UTC), 14.0, None),
        (datetime(2025, 7, 18, 3, 50, tzinfo=UTC), 13.0, 13.5),
    ]


def test_several_timeframes_share_a_file_with_a_column(store: Path) -> None:
    output = store.with_name("bars.json")
    result = tallow("query", "A", "--store", store, *SPEC, "-t", "5m", "-t", "1d", "-o", output)
    assert result.exit_code == 0, result.output
    bars = json.loads(output.read_text("utf-8"))
    assert [bar.pop("timeframe") for bar in bars] == ["5m", "5m", "1d"]
    assert bars[:2] == [FIRST, SECOND]
    assert (bars[2]["close"], bars[2]["candles"]) == (13.0, 3)
    assert sorted(path.name for path in store.parent.iterdir()) == [
        *("bars.json", "candles.csv", "store")
    ]


def test_a_file_that_cannot_be_written_leaves_nothing(store: Path) -> None:
    output = store / "no" / "bars.json"
    result = tallow("query", "--store", store, *SPEC, "-o", output)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the folder does not exist" in result.stderr


def test_json_times_are_iso_and_missing_is_null() -> None:
    moment = datetime(2025, 7, 18, 3, 45, 0, 500_000, tzinfo=UTC)
    frame = pl.DataFrame(
        {"timestamp": [moment], "rsi_14": [None]},
        {"timestamp": pl.Datetime("us", "UTC"), "rsi_14": pl.Float64},
    )
    assert json.loads(to_json(frame)) == [
        {"timestamp": "2025-07-18T03:45:00.500+00:00", "rsi_14": None}
    ]


def test_a_failed_instrument_is_named_and_exits_with_1(tmp_path: Path) -> None:
    store = ingested(tmp_path, CLEAN + CLEAN.replace("A,2025", "B,2010"))
    result = tallow("query", "--store", store, *SPEC, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == [FIRST, SECOND]
    assert result.stderr.startswith("failed: B: ")
    assert "--beyond-coverage" in result.stderr


def test_a_kind_that_the_store_does_not_have_is_told_with_those_it_has(store: Path) -> None:
    kind = ("--store", store, "-t", "1d", "--source-timeframe", "1d")
    told = "the store has 1m raw, and no 1d raw; see --source-timeframe and --adjustment"
    assert f"no bars: {told}" in tallow("query", *kind).stderr
    assert f"not in the store; {told}" in tallow("query", "A", *kind).stderr
    covered = tallow("store", "coverage", "--store", store, "--source-timeframe", "1d").stderr
    assert "and no 1d raw; see --source-timeframe and --adjustment" in covered
    beyond = tallow("query", "--store", store, "--start", "2025-07-21").stderr
    assert "the range has no candle" in beyond


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["A"], "Missing option '--store'"),
        (["A", "--store", "nothing"], "tallow ingest INPUT..."),
        (["AA", "--store", "store"], "instrument: 'AA'; not in the store; did you mean A?"),
        (["A", "--store", "store", "-o", "bars.xls"], "must end in .parquet"),
        (["A", "--store", "store", "-o", "bars.csv", "--json"], "leave out one"),
        (["A", "--store", "store", "-i", "emma(9)"], "did you mean ema"),
        (["A", "--store", "store", "-t", "7x"], "timeframe: '7x'"),
        (
            ["A", "--store", "store", "--source-timeframe", "5m", "-t", "7m"],
            "--source-timeframe 5m",
        ),
        (["A", "--store", "store", "--known-at", "soon"], "known_at: 'soon'"),
        (["A", "--store", "store", "-c", "XNSF"], "did you mean"),
    ],
)
def test_bad_usage_exits_with_2_and_a_hint(
    store: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(store.parent)
    result = tallow("query", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert "Try 'tallow query --help' for help." in result.stderr


def test_the_real_candles_answer_as_a_run_on_their_file(reference: Path, tmp_path: Path) -> None:
    source, store = reference / "data" / "candles_1m.csv", tmp_path / "store"
    report = told("ingest", source, "--store", store, *SAID)
    assert (report["rows_in"], report["new"]) == (12_758, 12_758)
    for size in ("5m", "1h", "1d"):
        ran, asked = tmp_path / "run.parquet", tmp_path / "query.parquet"
        assert tallow("run", source, "-t", size, "-o", ran).exit_code == 0
        assert tallow("query", "--store", store, "-t", size, "-o", asked).exit_code == 0
        assert_same_frame(pl.read_parquet(asked), pl.read_parquet(ran))
