"""Goal: whatever others do to its store, a live engine tells it, and then has what a run from
scratch over the store's candles gives, bit for bit; a consumer who keeps the rows with the higher
revision has the same.

Method: a consumer beside the engine; another handle writes, revises, deletes, prunes, flushes,
compacts, and puts a copy of before back, at random and in cases made by hand. Reading and computing
are made to fail between a write and its effect.
"""

from __future__ import annotations

import random
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow import AnalyticsEngine, LiveEngine, open_store
from tallow.core.errors import StoreError, TallowWarning
from tallow.runtime.live.follower import Follower
from tallow.runtime.live.live_state import LiveState
from tallow.runtime.live.live_store import LiveStore
from tests.runtime.live.markets import Values, frame_of, keys_of
from tests.runtime.live.others import BEGINS, MINUTE_US, OPTIONS, SPECS, Market, bars, key, rows
from tests.runtime.test_batch import FRAGILE_SPEC


@pytest.fixture
def market(tmp_path: Path) -> Market:
    """Return a market of two instruments of which the engine holds the last few candles only."""
    found = Market(tmp_path)
    for name in "AB":
        found.update(rows(name, 0, 400))
    found.catch_up()
    return found


def test_a_pruned_store_is_noticed_by_every_call(market: Market) -> None:
    with open_store(market.folder) as other:
        other.prune(before=BEGINS + 330 * MINUTE_US)
    wanted = LiveEngine(**OPTIONS, store=market.folder)
    wanted.catch_up()
    # `advance` and `latest` take nothing that was added, but what was taken away they see.
    with pytest.warns(TallowWarning, match="history was removed.*query older bars again"):
        market.live.latest("5m")
    for size in market.view:
        assert bars(market.live.latest(size).drop("revision")) == bars(
            wanted.latest(size).drop("revision")
        )
    market.take(market.live.advance(BEGINS))
    told = {place: row for place, row in market.view["5m"].items() if row["candles"]}
    first = datetime.fromtimestamp(BEGINS / 1e6, UTC) + timedelta(minutes=330)
    assert bars(market.live.latest("5m").select("instrument", "timestamp", "ema_9")) == {
        place: (row["ema_9"],) for place, row in told.items() if place[1] == max(told)[1]
    }
    run = AnalyticsEngine("24/7").process_candles(open_store(market.folder).read(), "5m", SPECS)
    assert {place: told[place]["ema_9"] for place in told if place[1] >= first} == {
        row[:2]: row[2] for row in run.frame.select("instrument", "timestamp", "ema_9").rows()
    }


def test_a_copy_of_before_that_is_put_back_is_noticed(market: Market) -> None:
    """Of the same epoch: what the engine knows is no longer in the store."""
    shutil.copytree(market.folder, market.copy)
    market.update(rows("A", 400, 12))
    market.update(rows("B", 395, 2, shift=5.0))
    market.live.save(market.state)
    market.put_back()
    market.catch_up()
    market.update(rows("A", 400, 3, shift=1.0))
    market.agree()
    # Others went on from it, so that its newest row is newer than all that the state knows.
    with open_store(market.folder) as other:
        other.write(rows("B", 400, 9), source_timeframe="1m")
        other.write(rows("C", 17, 30), source_timeframe="1m")
    market.catch_up()
    market.resume()
    (reason,) = market.refused
    assert re.search("made with rows, received at .* does not have.*; rebuilding", reason)
    market.take(market.live.catch_up())
    market.agree()


def test_bars_that_are_pruned_before_they_are_told_are_not(market: Market) -> None:
    """Others' bars that a resumed engine has taken and not told yet."""
    market.live.save(market.state)
    with open_store(market.folder) as other:
        other.write(rows("B", 400, 100), source_timeframe="1m")
        market.resume()
        other.prune(before=BEGINS + 450 * MINUTE_US)
    market.update(rows("A", 450, 1))
    told = {place[1] for place, row in market.view["5m"].items() if row["candles"]}
    first = datetime.fromtimestamp(BEGINS / 1e6, UTC) + timedelta(minutes=450)
    assert {time for time in told if time >= first - timedelta(minutes=50)} == {
        first + timedelta(minutes=5 * k) for k in range(10)
    }


def test_a_store_that_was_taken_away_is_not_written_to(market: Market) -> None:
    shutil.copytree(market.folder, market.copy)
    shutil.rmtree(market.folder)
    with pytest.raises(StoreError, match="holds no store"):
        market.live.update(rows("A", 400, 1))
    assert len(market.live.latest("5m")) == 2
    shutil.copytree(market.copy, market.folder)
    market.update(rows("A", 400, 1))
    market.agree()


def test_every_instrument_that_others_add_is_told(market: Market) -> None:
    """One of long ago, and one that the feed names before the engine has looked."""
    with open_store(market.folder) as other:
        other.write(rows("C", 0, 30), source_timeframe="1m")
        other.write(rows("D", 0, 30), source_timeframe="1m")
    market.update(rows("D", 30, 1))
    assert {name for name, _ in market.view["5m"]} == {"A", "B", "D"}
    market.catch_up()
    assert {name for name, _ in market.view["5m"]} == {"A", "B", "C", "D"}


def test_open_interest_that_others_know_is_the_engines(market: Market) -> None:
    """A minute of ticks closes while another writes it, with open interest that stays."""
    market.live.catch_up()
    minute = BEGINS + 400 * MINUTE_US
    tick = {"instrument": ["A"], "price": [10.0], "quantity": [1.0]}
    time = pl.Series("timestamp", [minute]).cast(pl.Datetime("us", "UTC"))
    market.live.update_ticks(pl.DataFrame(tick).with_columns(time))
    with open_store(market.folder) as other:
        said = Values(11.0, 11.0, 11.0, 11.0, 2.0, 500.0)
        other.write(frame_of({("A", minute): said}, interest=True), source_timeframe="1m")
    market.live.advance(minute + 10 * MINUTE_US)
    market.live.catch_up()
    held = market.live.latest("5m", ["A"]).select("close", "open_interest").row(0)
    assert held == (10.0, 500.0)
    fresh = LiveEngine(**OPTIONS, store=market.folder)
    fresh.catch_up()
    assert fresh.latest("5m", ["A"]).select("close", "open_interest").row(0) == held


def test_revisions_do_not_go_back(tmp_path: Path) -> None:
    """After a restart from an older file, and from none."""
    market = Market(tmp_path)
    market.update(rows("A", 0, 1))
    market.live.save(market.state)
    for shift in range(1, 6):
        market.update(rows("A", 0, 1, shift=shift))
    market.resume()
    market.update(rows("A", 0, 1, shift=50.0))
    market.agree()
    market.live = LiveEngine(**OPTIONS, store=market.folder)
    market.update(rows("A", 0, 1, shift=60.0))
    market.agree()


def fails(*_: Any, **__: Any) -> None:
    raise StoreError("store: a disk is away")


def breaks_off(apply: Any) -> Any:
    """Return an `apply` that does its work, and then finds no memory for the answer."""

    def broken(self: LiveState, given: Any, **options: Any) -> Any:
        apply(self, given, **options)
        raise MemoryError

    return broken


@pytest.mark.parametrize("where", ["older rows", "others' rows", "half way"])
@pytest.mark.parametrize("way", ["update", "arrays", "delete"])
def test_a_durable_row_is_taken_later_where_it_cannot_be_now(
    market: Market, monkeypatch: pytest.MonkeyPatch, where: str, way: str
) -> None:
    candle = rows("A", 3, 1, shift=40.0)
    columns = [candle[name].to_physical().to_numpy() for name in candle.columns[1:]]
    give = {
        "update": lambda: market.live.update(candle),
        "arrays": lambda: market.live.update_arrays(market.live.numbers(["A"]), *columns),
        "delete": lambda: market.live.delete(key("A", 3)),
    }
    if where == "others' rows":
        with open_store(market.folder) as other:
            other.write(rows("B", 390, 1, shift=3.0), source_timeframe="1m")
    with monkeypatch.context() as broken:
        if where == "older rows":
            broken.setattr(LiveStore, "states_before", fails)
        elif where == "others' rows":
            broken.setattr(Follower, "follow", fails)
        else:
            broken.setattr(LiveState, "apply", breaks_off(LiveState.apply))
        with pytest.raises(StoreError, match="is in the store, and is taken by the next call"):
            give[way]()
        if where == "older rows":
            assert "behind the store" in market.live.failures["A"]
            # Others do not wait for it.
            market.update(rows("B", 400, 1))
    market.update(rows("A", 400, 1))
    market.agree()
    assert market.live.failures == {}


def test_what_is_rebuilt_has_values_again_where_a_kernel_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "store"
    open_store(folder, create=True).close()
    options: Any = {"calendar": "24/7", "store": folder}
    live = LiveEngine("5m", [FRAGILE_SPEC], **options)
    live.update(rows("A", 0, 40))
    live.update(rows("A", 40, 1, shift=900.0))
    assert live.failures["A"].startswith("fragile: ArithmeticError")
    with monkeypatch.context() as broken:
        broken.setattr(LiveState, "apply", breaks_off(LiveState.apply))
        with pytest.raises(StoreError, match="is taken by the next call"):
            live.update(rows("A", 40, 1))
    live.update(rows("A", 41, 1))
    other = LiveEngine("5m", [FRAGILE_SPEC], **options)
    other.catch_up()
    assert live.failures == {}
    assert bars(live.latest().drop("revision")) == bars(other.latest().drop("revision"))


def test_an_engine_that_is_behind_is_saved_so(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(LiveStore, "states_before", fails)
        with pytest.raises(StoreError, match="disk is away"):
            market.live.update(rows("A", 3, 1, shift=40.0))
        market.live.save(market.state)
    market.resume()
    market.catch_up()


# Random histories


def check_at_random(folder: Path, seed: int, steps: int) -> None:
    """Let others and the engine do anything to a store, and look after each catching up."""
    draw, market = random.Random(seed), Market(folder)
    ends = dict.fromkeys("ABCD", 0)
    gone = 0

    def drawn(*, late: bool) -> pl.DataFrame:
        name = draw.choice("ABCD")
        count = draw.choice([1, 2, 30, 150])
        if late and ends[name] > gone:
            return rows(name, draw.randrange(gone, ends[name]), draw.choice([1, 3]), draw.random())
        found = rows(name, max(ends[name], gone), count, draw.random())
        ends[name] = max(ends[name], gone) + count
        return found

    def others(act: str) -> None:
        nonlocal gone
        with open_store(market.folder) as other:
            if act == "write":
                other.write(drawn(late=draw.random() < 0.5), source_timeframe="1m")
            elif act == "delete":
                name = draw.choice("ABCD")
                other.delete(key(name, draw.randrange(gone, max(ends[name], gone + 1))))
            elif act == "prune":
                gone += draw.choice([0, 5, 60])
                other.prune(before=BEGINS + gone * MINUTE_US)
                # What lay before memory is told no more, and who keeps it drops it himself.
                early = datetime.fromtimestamp(BEGINS / 1e6, UTC) + timedelta(minutes=gone)
                for size, kept in market.view.items():
                    length = timedelta(minutes=5 if size == "5m" else 60)
                    for place in [place for place in kept if place[1] + length <= early]:
                        del kept[place]
            else:
                getattr(other, act)()

    for _ in range(steps):
        act = draw.choice(
            ["update"] * 4
            + ["write"] * 4
            + ["delete", "prune", "flush", "compact"]
            + ["look"] * 3
            + ["save", "resume"]
        )
        if act == "update":
            market.update(drawn(late=draw.random() < 0.4))
        elif act == "look":
            market.catch_up()
        elif act == "save":
            market.live.save(market.state)
        elif act == "resume":
            if market.state.exists() and draw.random() < 0.7:
                market.resume()
        else:
            others(act)
    market.catch_up()


def test_open_interest_of_a_candle_that_others_deleted_is_gone(tmp_path: Path) -> None:
    """It came again without one before the engine looked; the store has none, nor has a query."""
    key = ("A", 1_741_319_100_000_000)
    with open_store(tmp_path, create=True) as store, open_store(tmp_path) as other:
        live = LiveEngine("1m", (), store=store)
        live.update(frame_of({key: Values(1.0, 1.0, 1.0, 1.0, 5.0, 7.0)}, True))
        other.delete(keys_of([key]))
        other.write(
            frame_of({key: Values(2.0, 2.0, 2.0, 2.0, 5.0, None)}, True), source_timeframe="1m"
        )
        reported = live.catch_up().frame
        for frame in (reported, live.latest("1m"), other.read(["A"])):
            assert frame.select("close", "open_interest").rows() == [(2.0, None)]


@pytest.mark.parametrize("seed", range(6))
def test_other_writers_beside_a_live_engine(tmp_path: Path, seed: int) -> None:
    check_at_random(tmp_path, seed, 14)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(100, 220))
def test_other_writers_beside_a_live_engine_at_length(tmp_path: Path, seed: int) -> None:
    check_at_random(tmp_path, seed, 40)
