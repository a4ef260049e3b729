"""Goal: `tallow serve --demo` has a market that goes on, and what it says to try works.

Method: stores are filled as the demo does, and looked at; the real program serves one, and the
commands that it names are run by a shell.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from tallow.core.errors import ParameterError
from tallow.data.store.store import open_store
from tallow.serve.serve_demo import commands, with_market
from tallow.service.read_settings import read_settings
from tests.service.program import served

FRIDAY_CLOSE = datetime.fromisoformat("2025-07-18T15:30:00+05:30")
MONDAY_OPEN = datetime.fromisoformat("2025-07-21T09:15:00+05:30")


def to_come(store: Path) -> pl.DataFrame:
    """Return the candles that the demo would replay."""
    with with_market(read_settings(store=str(store))) as settings:
        assert settings.feed is not None
        return pl.read_parquet(settings.feed.removeprefix("replay:"))


def moments(frame: pl.DataFrame) -> list[datetime]:
    return frame["timestamp"].to_list()


def test_the_feed_goes_on_where_the_history_ends(tmp_path: Path) -> None:
    first = to_come(tmp_path / "store")
    with open_store(tmp_path / "store") as store:
        history = store.read()
        assert max(moments(history)) < FRIDAY_CLOSE
        assert history["timestamp"].dt.date().n_unique() == 10
        assert min(moments(first)) == MONDAY_OPEN
        assert history["instrument"].n_unique() == first["instrument"].n_unique() == 20
        # As if it had been served for a minute.
        store.write(first.filter(pl.col("timestamp") == MONDAY_OPEN), source_timeframe="1m")
    again = to_come(tmp_path / "store")
    assert again.equals(first.filter(pl.col("timestamp") > MONDAY_OPEN))


def test_a_store_of_others_and_another_feed_are_refused(tmp_path: Path) -> None:
    row = {"instrument": "MINE", "timestamp": MONDAY_OPEN, "volume": 1.0}
    prices = dict.fromkeys(("open", "high", "low", "close"), 1.0)
    with open_store(tmp_path / "store", create=True) as store:
        store.write(pl.DataFrame(row | prices), source_timeframe="1m")
    with pytest.raises(ParameterError, match="has candles of other instruments, such as MINE"):
        to_come(tmp_path / "store")
    with (
        pytest.raises(ParameterError, match="feed=ws://host; the demo has its own"),
        with_market(read_settings(feed="ws://host")),
    ):
        pass


def test_what_it_says_to_try_works(tmp_path: Path) -> None:
    shell = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with served("--demo", "--store", str(tmp_path / "store"), "-i", "ema(9)") as url:
        for command in commands(url):
            # An answer that is a problem fails, too.
            strict = command.replace("curl -s ", "curl -sf ")
            done = subprocess.run(
                ["bash", "-c", strict], env=shell, capture_output=True, text=True, check=True
            )
            assert "NSE_EQ" in done.stdout
