"""Goal: a saved engine is resumed bit for bit, or refused with the reason; a file is whole or old.

Method: files cut short, flipped and made by others are loaded, with a store behind and without; a
process is killed where it makes a file durable. That a resumed engine goes on as if nothing had
been is part of the random histories.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow import LiveEngine, load_calendar, open_store
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import StateError, TallowWarning
from tallow.core.timeframe import parse_timeframe
from tallow.data.kernels import aggregate as bars
from tallow.data.state_file import read_state, write_state
from tallow.plan.plan import make_plan
from tallow.runtime.bar_frames import BAR_COLUMNS
from tallow.runtime.batch import BarOptions
from tallow.runtime.live import saved_state
from tallow.runtime.run_snapshots import run_identity
from tests.frames import assert_same_frame, candles, market, minutes

ROOT = Path(__file__).parents[3]
MARKET = market(["A", "B"])
OPTIONS: dict[str, Any] = {"timeframes": ["5m", "1d"], "indicators": "ema(3), rsi(4)", "keep": 30}
OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("timeframes", {"timeframes": ["5m", "1h"]}),
    ("indicators", {"indicators": "ema(3), rsi(5)"}),
    ("convention", {"convention": "talib"}),
    ("calendars", {"calendar": "24/7"}),
    ("no_trade", {"no_trade": "keep"}),
    ("grace", {"grace": 3.0}),
    ("keep", {"keep": 100}),
]


@pytest.fixture
def path(tmp_path):
    """Return the file of an engine that holds the market."""
    live = LiveEngine(**OPTIONS)
    live.update(MARKET)
    live.save(tmp_path / "state")
    return tmp_path / "state"


@pytest.fixture
def store(tmp_path):
    """Return a store that holds the market."""
    with open_store(tmp_path / "store", create=True) as opened:
        opened.write(MARKET, source_timeframe="1m")
        yield opened


def test_a_state_of_other_rules_for_bars_is_refused(path, monkeypatch):
    """In a store's snapshots and the cache, the version is in what names them."""
    monkeypatch.setattr(bars, "BARS_VERSION", bars.BARS_VERSION - 1)
    with pytest.raises(StateError, match="made with other bars; rebuild it"):
        LiveEngine.load(path, **OPTIONS)
    options = BarOptions(parse_timeframe("5m"), parse_timeframe("1m"), CalendarAssignment("XNSE"))
    plan, calendar = make_plan("ema(3)", "tradingview", BAR_COLUMNS), load_calendar("XNSE")
    before = run_identity(plan, options, calendar)
    monkeypatch.undo()
    assert run_identity(plan, options, calendar) != before


def assert_same_state(one: LiveEngine, other: LiveEngine) -> None:
    for size in OPTIONS["timeframes"]:
        frames = [engine.latest(size).drop("revision") for engine in (one, other)]
        assert_same_frame(*frames)


def fresh(store) -> LiveEngine:
    live = LiveEngine(**OPTIONS, store=store)
    live.catch_up()
    return live


def assert_rebuilt(path: Path, store, reason: str) -> None:
    """Assert that a warning says why a state is refused, and that the store makes good for it."""
    with pytest.warns(TallowWarning, match=f"{reason}.*rebuilding from the store"):
        live = LiveEngine.load(path, **OPTIONS, store=store)
    assert_same_state(live, fresh(store))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.999])
def test_a_file_that_was_cut_short_is_refused(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(
        StateError, match=r"state: file=.*state; (its checksum|not a state).*rebuil"
    ):
        LiveEngine.load(path, **OPTIONS)


def test_a_flipped_bit_is_found(path):
    content, draw = path.read_bytes(), random.Random(5)
    places = [0, 20, len(content) - 1, *(draw.randrange(len(content)) for _ in range(60))]
    for place in places:
        broken = bytearray(content)
        broken[place] ^= 1 << draw.randrange(8)
        path.write_bytes(broken)
        with pytest.raises(StateError, match="rebuild it"):
            LiveEngine.load(path, **OPTIONS)


def test_a_file_that_is_not_there_is_refused(tmp_path, store):
    with pytest.raises(StateError, match="No such file"):
        LiveEngine.load(tmp_path / "nowhere", **OPTIONS)
    assert_rebuilt(tmp_path / "nowhere", store, "No such file")


def test_a_damaged_state_is_rebuilt_from_the_store(tmp_path, store):
    path = tmp_path / "state"
    fresh(store).save(path)
    path.write_bytes(path.read_bytes()[:-1])
    assert_rebuilt(path, store, "checksum")


@pytest.mark.parametrize(("reason", "options"), OTHERS, ids=[name for name, _ in OTHERS])
def test_a_state_of_another_engine_is_refused(tmp_path, store, path, reason, options):
    with pytest.raises(StateError, match=f"made with other .*{reason}"):
        LiveEngine.load(path, **(OPTIONS | options))
    other = LiveEngine(**(OPTIONS | options), store=store)
    other.catch_up()
    other.save(path)
    assert_rebuilt(path, store, reason)


def test_a_state_of_other_versions_is_refused(path, monkeypatch):
    monkeypatch.setattr(saved_state, "TICKS_VERSION", 0)
    with pytest.raises(StateError, match="made with other ticks"):
        LiveEngine.load(path, **OPTIONS)


def test_a_state_of_another_store_is_rebuilt(tmp_path, store, path):
    assert_rebuilt(path, store, "another store")
    with open_store(tmp_path / "second", create=True) as second:
        fresh(second).save(path)
    assert_rebuilt(path, store, "another store")


def test_what_is_not_reported_yet_is_saved_with_the_state(tmp_path, store):
    """An engine that goes on from a file reports with its next update what others wrote."""
    files = [tmp_path / name for name in ("first", "second")]
    LiveEngine(store=store, **OPTIONS).save(files[0])
    later = candles("A", minutes("2025-07-21T09:15+05:30", 2))
    with open_store(tmp_path / "store") as other:
        other.write(later, source_timeframe="1m")
    LiveEngine.load(files[0], store=store, **OPTIONS).save(files[1])
    update = LiveEngine.load(files[1], store=store, **OPTIONS).catch_up()
    alone = LiveEngine(**OPTIONS)
    alone.update(MARKET)
    for size, frame in alone.update(later).frames.items():
        reported = update.frames[size].filter(pl.col("timestamp") >= later["timestamp"][0])
        assert len(frame)
        assert_same_frame(
            reported.drop("revision"),
            frame.filter(pl.col("timestamp") >= later["timestamp"][0]).drop("revision"),
        )


def test_deferred_rows_that_do_not_fit_are_refused(tmp_path, store):
    path = tmp_path / "state"
    LiveEngine(store=store, **OPTIONS).save(path)
    header, arrays = read_state(path)
    header["store"]["deferred"] = [["00", "00", "00", "00"], None]
    write_state(path, header, arrays)
    with pytest.warns(TallowWarning, match="store="):
        LiveEngine.load(path, store=store, **OPTIONS)


def test_open_interest_is_remembered(tmp_path):
    live = LiveEngine(**OPTIONS)
    live.update(MARKET.with_columns(open_interest=1.5))
    live.save(tmp_path / "state")
    again = LiveEngine.load(tmp_path / "state", **OPTIONS)
    assert again.latest("5m")["open_interest"].to_list() == [1.5, 1.5]


def test_a_resumed_engine_takes_new_instruments(path):
    live = LiveEngine.load(path, **OPTIONS)
    frame = candles("C", minutes("2025-06-02T09:15+05:30", 7))
    live.update(frame)
    alone = LiveEngine(**OPTIONS)
    alone.update(frame)
    assert_same_frame(
        live.latest("5m", ["C"]).drop("revision"), alone.latest("5m").drop("revision")
    )


# The file


def test_a_full_disk_leaves_the_old_file(path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    content = path.read_bytes()
    live = LiveEngine.load(path, **OPTIONS)
    live.update(candles("B", minutes("2025-06-03T09:15+05:30", 3)))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateError, match=r"file=.*; No space left.*; choose another place"):
        live.save(path)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named(path):
    with pytest.raises(StateError, match=r"nowhere/state; No such file"):
        LiveEngine.load(path, **OPTIONS).save(path.parent / "nowhere" / "state")


KILLED = """
import os, pathlib, signal, sys
from tallow.data.state_file import write_state
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(*{"fsync": (os, "fsync", die), "replace": (pathlib.Path, "replace", die)}[sys.argv[2]])
write_state(pathlib.Path(sys.argv[1]), {"version": "new"}, {})
"""


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_kill_while_saving_leaves_the_old_file(tmp_path, moment):
    path = tmp_path / "state"
    write_state(path, {"version": "old"}, {})
    command = [sys.executable, "-c", KILLED, str(path), moment]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert read_state(path) == ({"version": "old"}, {})
    write_state(path, {"version": "newer"}, {})
    assert read_state(path)[0] == {"version": "newer"}
