"""Goal: where each session has a row at its close and none at its open, every entry says so, once.

Method: two sessions of NSE, stamped by the open or by the close of each minute, go through runs,
ingests, queries and live sessions; only the latter get the hint.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import tallow
from tallow.data.ingest.documents import ingest
from tallow.data.reading.stamps import StampCounts
from tallow.runtime import stream
from tests.frames import candles, minutes, moment
from tests.serve.calling import SAID
from tests.serve.calling import tallow as called

WORDS = "all 2 sessions have a row at their close, and none at the open"


def two_days(closed: bool, name: str = "A") -> pl.DataFrame:
    """Return the minutes of two sessions; the last one trades in an auction after them, too."""
    first = "09:16" if closed else "09:15"
    days = [minutes(f"2025-07-{day}T{first}+05:30", 375) for day in (17, 18)]
    return candles(name, [time for day in days for time in day])


def of_run(folder: Path, file: Path) -> list[str]:
    """Return the hints of a run in Python and on the command line."""
    out = folder / "out.parquet"
    run = called("run", file, "-t", "5m", "-i", "", "-o", out)
    report = tallow.AnalyticsEngine("XNSE").process_files(file, folder / "o.csv", "5m", "")
    return [run.stderr, report.hint]


def of_ingest(folder: Path, file: Path) -> list[str]:
    told = called("ingest", file, "--store", folder / "store", *SAID)
    as_json = called("ingest", file, "--store", folder / "other", *SAID, "--json")
    return [told.stderr, as_json.stderr, json.loads(as_json.stdout)["hint"]]


def of_query(folder: Path, file: Path) -> list[str]:
    """One instrument is cut from a stretch, which the second query finds; not as of a moment."""
    with tallow.open_store(folder / "store", create=True) as store:
        store.write(pl.read_parquet(file), source_timeframe="1m")
        engine = tallow.AnalyticsEngine("XNSE", store=store)
        found = [engine.query("A", "5m", indicators="ema(2)").report.hint for _ in range(2)]
        found.append(
            engine.query("A", "1h", indicators="", known_at="2030-01-01T00:00Z").report.hint
        )
    told = called("query", "A", "--store", folder / "store", "-t", "5m", "-t", "1h", "-i", "")
    assert told.stderr.count(WORDS) <= 1
    return [*found, told.stderr]


def of_live(folder: Path, file: Path) -> list[str]:
    """A replay; and an engine that gets a minute at a time, and says it once."""
    feed = ("--feed", f"replay:{file}", "--store", folder / "store", "--speed", "0")
    told = called("live", *feed, "-t", "5m", "-i", "", "--json")
    live, frame = tallow.LiveEngine("5m", ""), pl.read_parquet(file)
    hints = [live.update(frame[k : k + 1]).report.hint for k in range(len(frame))]
    assert sum(map(bool, hints)) <= 1
    return [told.stderr, json.loads(told.stdout)["hint"], "".join(hints)]


ENTRIES = {"run": of_run, "ingest": of_ingest, "query": of_query, "live": of_live}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("closed", [True, False])
def test_stamps_that_look_like_those_of_the_close_are_told(tmp_path, entry, closed):
    file = tmp_path / "candles.parquet"
    two_days(closed).write_parquet(file)
    for told in ENTRIES[entry](tmp_path, file):
        assert (WORDS in told) == closed, told
        assert ("tamped" in told) == closed


def test_a_file_a_day_is_told_of_once(tmp_path):
    for day, own in two_days(closed=True).group_by(pl.col("timestamp").dt.date()):
        own.write_csv(tmp_path / f"{day[0]}.csv")
    told = called("ingest", tmp_path / "*.csv", "--store", tmp_path / "store", *SAID)
    assert told.stderr.count(WORDS) == 1
    assert "2025-07-17.csv (and 1 more file): " in told.stderr
    right = called(
        "ingest", tmp_path / "*.csv", "--store", tmp_path / "s", *SAID, "--stamped", "close"
    )
    assert right.stderr == ""


def test_candles_of_another_venue_look_like_nothing(tmp_path):
    """London trades when Mumbai closes, and not when it opens."""
    days = [minutes(f"2025-07-{day}T08:00+01:00", 510) for day in (17, 18)]
    frame = candles("A", [time for day in days for time in day])
    frame.write_parquet(tmp_path / "a.parquet")
    with tallow.open_store(tmp_path / "store", create=True) as store:
        said: dict[str, Any] = {"source_timeframe": "1m", "adjustment": "raw"}
        assert ingest(store, tmp_path / "a.parquet", **said).hint == ""
        frame.with_columns(pl.col("timestamp") + timedelta(minutes=1)).write_parquet(
            tmp_path / "b.parquet"
        )
        assert ingest(store, tmp_path / "b.parquet", **said).hint == ""
        hint = ingest(store, tmp_path / "b.parquet", calendar="XLON", **said).hint
        assert WORDS in hint


def test_an_auction_at_the_close_is_none_however_the_rows_are_cut(tmp_path, monkeypatch):
    """In blocks of few rows, no block has both a session's open and its close."""
    auction = [datetime.fromisoformat(f"2025-07-{day}T15:30+05:30") for day in (17, 18)]
    frame = pl.concat([two_days(closed=False), candles("A", auction)]).sort("timestamp")
    frame.write_parquet(tmp_path / "a.parquet", row_group_size=50)
    monkeypatch.setattr(stream, "BLOCK_ROWS", 100)
    report = tallow.AnalyticsEngine("XNSE").process_files(
        tmp_path / "a.parquet", tmp_path / "o.csv", "5m", ""
    )
    assert (report.candles.outside_session, report.hint) == (2, "")
    assert of_query(tmp_path, tmp_path / "a.parquet")[:3] == [""] * 3
    assert of_ingest(tmp_path, tmp_path / "a.parquet")[2] == ""


def test_counts_say_when_stamps_look_closed():
    assert StampCounts(0, 2, 2).hint("so") != ""
    for counts in ((0, 1, 1), (1, 2, 2), (0, 1, 2), (0, 2, 2, 1), (0, 0, 0)):
        assert StampCounts(*counts).hint("so") == ""


def hours(closes: list[str], zone: str = "+05:30") -> pl.DataFrame:
    """Return candles of hours on two days by their closes; each volume is its place."""
    times = [moment(f"2025-07-{day}T{clock}{zone}") for day in (17, 18) for clock in closes]
    return candles("A", times).with_columns(volume=pl.int_range(1, len(times) + 1).cast(pl.Float64))


NSE_HOURS = ["10:15", "11:15", "12:15", "13:15", "14:15", "15:15", "15:30"]


def test_an_hour_that_the_session_cuts_short_opens_where_the_calendar_s_does(tmp_path):
    """By hand: NSE's hours open at 09:15, 10:15, ... and 15:15; the last lasts 15 minutes."""
    frame = hours(NSE_HOURS)
    opens = [
        time - timedelta(minutes=15 if n % 7 == 6 else 60)
        for n, time in enumerate(frame["timestamp"])
    ]
    said: dict[str, Any] = {"source_timeframe": "1h", "stamped": "close"}
    assert tallow.read_candles(frame, **said).frame["timestamp"].to_list() == opens
    bars = tallow.AnalyticsEngine("XNSE").process_candles(frame, "1d", "", **said)
    assert bars.frame.select("candles", "volume").rows() == [(7, 28.0), (7, 77.0)]
    frame.write_csv(tmp_path / "hours.csv")
    given = ("--source-timeframe", "1h", "--adjustment", "raw", "--stamped", "close")
    called("ingest", tmp_path / "hours.csv", "--store", tmp_path / "store", *given)
    with tallow.open_store(tmp_path / "store") as store:
        assert store.read(source_timeframe="1h")["timestamp"].to_list() == opens


def test_a_session_of_another_market_cuts_nothing_short():
    """Round the clock, a stamp a day is at NSE's close, 10:00 in UTC; its hour opened at 09:00."""
    frame = hours([f"{hour:02}:00" for hour in range(1, 24)], "Z")
    read = tallow.read_candles(frame, source_timeframe="1h", stamped="close")
    assert read.frame["timestamp"].to_list() == [
        time - timedelta(hours=1) for time in frame["timestamp"]
    ]
