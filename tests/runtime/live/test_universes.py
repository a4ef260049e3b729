"""Goal: a live engine with a universe reports the rows of members on their dates, as one without
would, and takes all candles; a session leaves out who is never a member.

Method: two engines get the same minutes, some late and corrected; each update of the one is picked
from that of the other by a loop over its rows.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import tallow
from tallow import LiveEngine, read_universe
from tallow.core.errors import UniverseError
from tallow.data.feeds.replay import ReplayFeed
from tallow.runtime.live.session import LiveSession
from tests.frames import assert_same_frame, local
from tests.runtime.members import DAYS, LIST, market, of_members

SIZES = ("15m", "1d")


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text(LIST)
    return path


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Return rows without the revision, which is a time."""
    return frame.drop("revision")


def test_updates_are_those_of_members(listed: Path) -> None:
    whole = LiveEngine(SIZES, "ema(3)")
    of_list = LiveEngine(SIZES, "ema(3)", universe=listed)
    left_out = 0
    report = of_list.universe_report
    assert report is not None
    assert report.unknown == ("A", "B", "Z")

    def same(ask: Any, counted: bool = True) -> None:
        nonlocal left_out
        all_rows, own = ask(whole), ask(of_list)
        for size in SIZES:
            left = of_members(all_rows.frames[size])
            left_out += (len(all_rows.frames[size]) - len(left)) * counted
            assert_same_frame(plain(own.frames[size]), plain(left))
            assert len(own.rows[size]) == len(left)
        assert own.report.rows_in == all_rows.report.rows_in

    minutes = market().partition_by("timestamp", maintain_order=True)
    for minute in minutes:
        same(lambda live, rows=minute: live.update(rows))
    same(lambda live: live.peek(minutes[-1].with_columns(volume=pl.lit(1.0))), counted=False)
    # A correction of the first day of B, which is a member, and of A, which is none.
    for late in (minutes[3], minutes[3].head(1)):
        revised = late.with_columns(volume=pl.lit(7.0) + len(late))
        same(lambda live, rows=revised: live.update(rows))
    one = market().filter(instrument="A").row(-1)
    moment = int(one[1].timestamp() * 1e6) + 60_000_000
    for name in "AC":
        same(lambda live, name=name: live.update_one(name, moment, *one[2:]))
    for name in "AC":
        same(lambda live, name=name: live.update(minutes[-1].filter(instrument=name)))
    # One that comes for the first time, and always was a member.
    late = market().filter(instrument="A").tail(1).with_columns(instrument=pl.lit("Z"))
    assert of_list.update(late).frames["15m"]["instrument"].to_list() == ["Z"]
    whole.update(late)
    for size in SIZES:
        kept = of_list.latest(size).filter(pl.col("instrument") != "Z")
        assert_same_frame(plain(kept), plain(of_members(whole.latest(size))))
        assert kept["instrument"].to_list() == ["A", "B"]
    said = of_list.universe_report
    assert said is not None
    assert (said.name, said.members, said.unknown) == ("list", 3, ())
    assert said.bars_left_out == left_out
    assert whole.universe_report is None


def test_rows_as_arrays_are_those_of_members(listed: Path) -> None:
    whole, of_list = LiveEngine("15m", ""), LiveEngine("15m", "", universe=listed)
    first = market().filter(pl.col("timestamp").dt.date() == date(2025, 7, 8))
    for minute in first.partition_by("timestamp", maintain_order=True):
        values = [minute[name].to_numpy() for name in minute.columns[2:]]
        times = minute["timestamp"].to_physical().to_numpy()
        rows, left = (
            live.update_arrays(live.numbers(minute["instrument"]), times, *values).rows["15m"]
            for live in (whole, of_list)
        )
        # On the first day only the second of the three is a member.
        assert set(rows.instrument.tolist()) == {0, 1, 2}
        assert set(left.instrument.tolist()) == {1}
        own = rows.instrument == 1
        assert left["close"].tolist() == rows["close"][own].tolist()
        assert left.timestamp.tolist() == rows.timestamp[own].tolist()


def test_an_engine_with_a_store_knows_its_names_and_its_symbols(
    listed: Path, tmp_path: Path
) -> None:
    with tallow.open_store(tmp_path / "store", create=True) as store:
        keys = market().with_columns(
            instrument=pl.concat_str(pl.lit("K|"), "instrument"), symbol=pl.col("instrument")
        )
        store.write(keys, source_timeframe="1m")
        store.universes.record(read_universe(listed, "kept"))
        live = LiveEngine("1d", "", store=store, universe="kept")
        live.catch_up()
        assert live.latest()["instrument"].to_list() == ["K|A", "K|B"]
        assert sorted(live.members or ()) == ["K|A", "K|B", "Z"]
        with pytest.raises(UniverseError, match=r"did you mean kept\?"):
            LiveEngine("1d", "", store=store, universe="keep")
        again = tallow.AnalyticsEngine(store=store).live("1d", "", universe="kept")
        assert again.members == live.members


def test_a_session_leaves_out_who_is_never_a_member(listed: Path, tmp_path: Path) -> None:
    frame = market()
    with tallow.open_store(tmp_path / "store", create=True) as store:
        live = LiveEngine("15m", "", store=store, universe=listed)
        statistics = LiveSession(live, ReplayFeed(frame), store=store).run()
        # All of C; and what the others did before they were members is in the store.
        assert statistics.left_out == 30 * len(DAYS)
        assert len(store.read()) == 2 * 30 * len(DAYS)
        assert store.instruments() == ["A", "B"]
    live = LiveEngine("15m", "", universe=listed)
    shown: list[pl.DataFrame] = []
    statistics = LiveSession(live, ReplayFeed(frame), instruments=["A", "C"]).run(
        on_step=lambda updates: shown.extend(update.frame for update in updates)
    )
    assert statistics.left_out == 2 * 30 * len(DAYS)
    bars = pl.concat(shown)
    assert bars["instrument"].unique().to_list() == ["A"]
    assert {text[:10] for text in local(bars["timestamp"])} == set(DAYS[2:])
