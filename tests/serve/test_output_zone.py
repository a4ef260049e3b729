"""Goal: times come out by the clocks that are asked for, the same instants everywhere, and said.

Method: hand-made candles of 09:15 in India go through every verb and function that shows or writes
times, with another zone and without one; a zone in which clocks are set back has both offsets.
"""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from tallow import AnalyticsEngine, LiveEngine, open_store
from tallow.core.errors import ParameterError
from tallow.migrate.compare import compare
from tallow.migrate.protocol import Request
from tests.frames import candles, minutes
from tests.serve.calling import ingested, tallow, told

NEW_YORK = ("--output-zone", "America/New_York")
FIRST = "2025-07-17T23:45:00-04:00"
"""09:15 of 2025-07-18 in India."""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return ingested(tmp_path)


def test_query_shows_the_venues_clocks_and_writes_utc(store: Path, tmp_path: Path) -> None:
    asked = ("query", "A", "--store", store, "-i", "")
    assert "07-18 09:15" in tallow(*asked).stdout
    assert "Asia/Kolkata" in tallow(*asked).stdout
    assert "07-17 23:45" in tallow(*asked, *NEW_YORK).stdout
    assert told(*asked)[0]["timestamp"] == "2025-07-18T03:45:00+00:00"
    assert told(*asked, *NEW_YORK)[0]["timestamp"] == FIRST
    result = tallow(*asked, *NEW_YORK, "-o", tmp_path / "bars.parquet")
    assert "times in America/New_York" in result.stdout
    kind = pl.read_parquet(tmp_path / "bars.parquet").schema["timestamp"]
    assert kind == pl.Datetime("us", "America/New_York")


def test_run_writes_offsets_and_says_the_zone_once(store: Path, tmp_path: Path) -> None:
    run = ("run", tmp_path / "candles.csv", "-i", "", "-o", tmp_path / "bars.csv")
    assert tallow(*run).stdout.count("times in UTC") == 1
    assert "2025-07-18T03:45:00+00:00" in (tmp_path / "bars.csv").read_text()
    assert tallow(*run, *NEW_YORK).stdout.count("times in America/New_York") == 1
    assert FIRST in (tmp_path / "bars.csv").read_text()


def test_what_a_store_lists_is_of_the_zone(store: Path) -> None:
    assert "2025-07-18 03:45" in tallow("store", "list", "--store", store).stdout
    listed = tallow("store", "list", "--store", store, *NEW_YORK).stdout
    assert "2025-07-17 23:45" in listed
    assert "times in America/New_York" in listed
    written = told("store", "ingests", "--store", store, *NEW_YORK)
    assert written[0]["received_at"][-6:] in {"-04:00", "-05:00"}
    missing = ("store", "coverage", "--store", store, "--missing", "--end", "2025-07-18")
    assert "times in Asia/Kolkata" in tallow(*missing).stdout
    assert told(*missing, *NEW_YORK)[0]["start"] == "2025-07-17T23:51:00-04:00"


def test_a_comparison_is_of_the_zone(store: Path, tmp_path: Path) -> None:
    side = ("--control", "tallow", "--candidate", "tallow", "-i", "sma(2)", "--runs", "0")
    result = tallow("compare", tmp_path / "candles.csv", *side, "--json", *NEW_YORK)
    assert json.loads(result.stdout)["first"] == FIRST
    request = Request(candles("A", minutes("2025-07-18T09:15+05:30", 9)), indicators="sma(2)")
    assert compare("tallow", "tallow", request, runs=0).to_dict()["first"] == "2025-07-18T03:45:00Z"


def test_python_s_frames_are_of_the_zone(store: Path) -> None:
    frame = candles("A", minutes("2025-11-02T01:30-04:00", 120))
    engine = AnalyticsEngine("24/7", threads=1)
    clocks = "America/New_York"
    result = engine.process_candles(frame, "1h", (), output_zone=clocks)
    hours = ["01:00-0400", "01:00-0500", "02:00-0500"]
    assert result.frame["timestamp"].dt.to_string("%H:%M%z").to_list() == hours
    assert result.indicators.timestamps.equals(result.frame["timestamp"])
    assert engine.aggregate_timeframes(frame, "1h", output_zone=clocks)["1h"].equals(result.frame)
    rows = engine.calculate_indicators(frame, "ema(2)", output_zone=clocks)
    assert rows["timestamp"][0].isoformat() == "2025-11-02T01:30:00-04:00"
    with open_store(store) as opened:
        asked = AnalyticsEngine(threads=1, store=opened).query(
            "A", "5m", indicators=(), output_zone=clocks
        )
    assert asked.frame["timestamp"][0].isoformat() == FIRST


def test_live_frames_are_of_the_zone() -> None:
    frame = candles("A", minutes("2025-07-18T09:15+05:30", 3))
    live = AnalyticsEngine().live("5m", (), output_zone="America/New_York")
    shown = live.update(frame).frame["timestamp"][0].isoformat()
    assert (shown, live.latest()["timestamp"][0].isoformat()) == (FIRST, FIRST)
    with pytest.raises(ParameterError, match="output_zone='Mars'"):
        LiveEngine(output_zone="Mars")


def test_a_zone_that_is_none(store: Path) -> None:
    result = tallow("query", "A", "--store", store, "--output-zone", "IST")
    assert result.exit_code == 2
    assert "--output-zone 'IST'; is an abbreviation, and may mean Asia/Kolkata" in result.stderr
    with pytest.raises(ParameterError, match="output_zone='Mars'; must be the name of an IANA"):
        AnalyticsEngine().process_candles(
            candles("A", minutes("2025-07-18T09:15+05:30", 1)), output_zone="Mars"
        )
