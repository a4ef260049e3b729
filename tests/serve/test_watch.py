"""Goal: `tallow watch` tells of what rules find, once, and ends well.

Method: the planted history of alerts' tests as a replayed file, and as candles that another thread
writes to a store that is followed; what is printed is compared with what is worked out by hand.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow.data.store.store import open_store
from tests.alerts.markets import SQUEEZE, candles, planted
from tests.serve.calling import tallow

RULES = (
    *("--threshold", "1", "--contracting", "3", "--strength", "20", "--release"),
    *("--squeeze", SQUEEZE, "--screen", "volume > 5000", "--cooldown", "0"),
)
COMMON = ("-t", "1m", "-c", "24/7", *RULES)
ONCE = ["threshold", "pattern", "release", "screen 1"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "planted.parquet"
    pl.concat(planted()).write_parquet(path)
    return path


def watched(*arguments: object) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the alerts that are printed, and the summary."""
    result = tallow("watch", *arguments, *COMMON, "--json")
    assert result.exit_code == 0, result.output
    *alerts, last = (json.loads(line) for line in result.stdout.splitlines())
    return alerts, last["summary"]


def test_a_replay_is_told_once_over_restarts(file: Path, tmp_path: Path) -> None:
    where = ("--feed", f"replay:{file}", "--speed", "0", "--record", tmp_path / "record")
    log = tmp_path / "alerts.jsonl"
    alerts, summary = watched(*where, "--log", log)
    assert [each["rule"] for each in alerts] == ONCE
    assert [json.loads(line) for line in log.read_text().splitlines()] == alerts
    assert summary["sinks"] == {f"log {log}": {"sent": 4, "failed": 0, "unknown": 0, "dropped": 0}}
    again, summary = watched(*where, "--log", log)
    assert again == []
    assert summary["rules"]["threshold"]["fired"] == 0


def test_people_are_told_in_lines(file: Path, tmp_path: Path) -> None:
    where = ("--feed", f"replay:{file}", "--speed", "0", "--record", tmp_path / "record")
    result = tallow("watch", *where, *COMMON, "--output-zone", "Asia/Kolkata")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == (
        "2025-07-18 09:21  A: threshold (1m): band width is 0.00 % above its lowest, 7; "
        "bars in range: 1"
    )
    assert lines[4:6] == ["4 alerts", "  threshold: 1 fired"]


def test_rules_of_a_file_and_saved_screens(file: Path, tmp_path: Path) -> None:
    rules, screens = tmp_path / "rules.toml", tmp_path / "screens.toml"
    rules.write_text('[mine]\ncondition = "loud and close > 1"\ntimeframe = "1m"\n')
    screens.write_text('[loud]\ncondition = "volume > 5000"\n')
    where = ("--feed", f"replay:{file}", "--speed", "0", "-c", "24/7", "-t", "1m")
    asked = ("--rules", rules, "--screens", screens, "--screen", "loud", "--json")
    result = tallow("watch", *where, *asked)
    assert result.exit_code == 0, result.output
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["rule"] for each in told[:-1]] == ["loud", "mine"]
    assert "a restart may tell it again; give --record FILE" in result.stderr


def test_a_store_is_followed_until_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallow.runtime.live.session.LIVE_CATCH_UP_SECONDS", 0.05)
    store, log = tmp_path / "store", tmp_path / "log"
    with open_store(store, create=True) as opened:
        opened.write(candles([("A", -1, 1000)]), source_timeframe="1m", adjustment="raw")

    def write() -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until and not (store / "_tallow" / "alerts.sqlite").exists():
            time.sleep(0.05)
        with open_store(store) as opened:
            for part in planted():
                opened.write(part, source_timeframe="1m", adjustment="raw")
        until = time.monotonic() + 60
        while time.monotonic() < until and not (log.exists() and "volume" in log.read_text()):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    writer = threading.Thread(target=write)
    writer.start()
    alerts, summary = watched("--store", store, "--log", log)
    writer.join()
    assert [each["rule"] for each in alerts] == ONCE
    assert summary["unjudged"] == 0
    assert (store / "_tallow" / "alerts.sqlite").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no --feed and no --store; name what is watched"),
        (("--feed", "replay:x.csv"), "no rule; give --threshold"),
        (("--feed", "replay:x.csv", "--screen", "close >"), "screen"),
        (("--feed", "replay:x.csv", "--threshold", "-1"), "within=-1.0; must be a number"),
        (
            ("--feed", "replay:x.csv", "--release", "--webhook", "ftp://me:pw1234@h/"),
            "must be http",
        ),
        (("--feed", "replay:x.csv", "--release", "--cooldown", "-1"), "cooldown"),
    ],
)
def test_what_cannot_be_watched_is_said(arguments: tuple[str, ...], said: str) -> None:
    result = tallow("watch", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr.replace("\n", " ")
    assert "pw1234" not in result.output
