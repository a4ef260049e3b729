"""Goal: of a minute that comes as ticks and as a candle, the one that came last counts, in the
state, in the store and in what is told; nothing is refused in silence.

Method: short scripts with and without a store; that ticks make the bits of a run over the candles
that they make is part of the random histories.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import polars as pl
import pytest

from tallow import LiveEngine, open_store
from tallow.core.errors import CandleInputError, StoreError
from tests.frames import MINUTE, candles, flat_candle, minutes, moment
from tests.runtime.live.markets import microseconds
from tests.runtime.live.tickers import Tick, tick_frame

OPEN = "2025-06-02T09:15+05:30"
LATER = timedelta(seconds=3)
"""More than the grace."""


def tick(minute: int, price: float, second: int = 0) -> pl.DataFrame:
    time = microseconds(moment(OPEN) + minute * MINUTE) + second * 1_000_000
    return tick_frame([(("A", time), Tick(time, price, 1.0))])


@pytest.fixture(params=["memory", "store"])
def store(request, tmp_path):
    if request.param == "memory":
        yield None
    else:
        with open_store(tmp_path / "store", create=True) as opened:
            yield opened


def refuse(*_: Any, **__: Any) -> None:
    raise StoreError("store: no room")


def closed_by(way: str, live: LiveEngine) -> Any:
    """Close the first minute."""
    if way == "clock":
        return live.advance(moment(OPEN) + MINUTE + LATER)
    return live.update_ticks(tick(1, 120.0, second=30))


def closes(live: LiveEngine, store: Any) -> list[float]:
    """Return the closes of the first minute, as told to be final and as stored."""
    stored = (
        []
        if store is None
        else store.read(end=microseconds(moment(OPEN) + MINUTE))["close"].to_list()
    )
    return stored or [live._state.memory.candles_of(0)[0, 4]]


@pytest.mark.parametrize("way", ["clock", "next tick"])
@pytest.mark.parametrize("resumed", [False, True])
def test_a_candle_that_comes_before_its_minute_closes_stays(tmp_path, store, way, resumed):
    live = LiveEngine("1m", "ema(1)", store=store)
    live.update_ticks(tick(0, 100.0))
    live.update(flat_candle("A", OPEN, 100.5, 77.0))
    if resumed:
        live.save(tmp_path / "state")
        live = LiveEngine.load(tmp_path / "state", "1m", "ema(1)", store=store)
    told = closed_by(way, live).frame.rows(named=True)[0]
    assert (told["close"], told["volume"], told["is_final"]) == (100.5, 77.0, True)
    assert closes(live, store) == [100.5]


@pytest.mark.parametrize("way", ["clock", "next tick"])
def test_a_tick_that_comes_after_the_candle_counts(store, way):
    live = LiveEngine("1m", "ema(1)", store=store)
    live.update_ticks(tick(0, 100.0))
    live.update(flat_candle("A", OPEN, 100.5, 77.0))
    live.update_ticks(tick(0, 101.0, second=20))
    told = closed_by(way, live).frame.rows(named=True)[0]
    assert (told["open"], told["close"], told["volume"]) == (100.0, 101.0, 2.0)
    assert closes(live, store) == [101.0]


@pytest.mark.parametrize("way", ["clock", "next tick"])
def test_a_tick_that_closes_its_minute_and_changes_no_field_counts(store, way):
    live = LiveEngine("1m", "ema(1)", grace=90.0, store=store)
    live.update_ticks(pl.concat([tick(0, 100.0), tick(0, 101.0, second=40)]))
    live.update(flat_candle("A", OPEN, 90.0, 9.0))
    within = tick(0, 100.5, second=20).with_columns(quantity=0.0)
    if way == "clock":
        live.update_ticks(within)
        live.advance(moment(OPEN) + 4 * MINUTE)
    else:
        live.update_ticks(pl.concat([tick(4, 120.0), within]))
    assert closes(live, store) == [101.0]


def test_what_the_store_did_not_take_is_written_when_it_can_be(tmp_path, monkeypatch):
    """A minute that was running when a write failed, and closes without another tick."""
    with open_store(tmp_path / "store", create=True) as store:
        live = LiveEngine("1m", "ema(1)", store=store)
        live.update_ticks(tick(0, 100.0))
        with monkeypatch.context() as broken:
            broken.setattr(store, "append", refuse)
            with pytest.raises(StoreError, match="no room"):
                live.update_ticks(tick(1, 101.0, second=30))
            with pytest.raises(StoreError, match="no room"):
                live.advance(moment(OPEN) + 3 * MINUTE)
        told = live.advance(moment(OPEN) + 4 * MINUTE).frame
        assert told.select("close", "is_final").rows() == [(100.0, True), (101.0, True)]
        assert store.read()["close"].to_list() == [100.0, 101.0]


@pytest.mark.parametrize("way", ["clock", "next tick"])
def test_a_minute_that_was_deleted_stays_deleted(store, way):
    live = LiveEngine("1m", "ema(1)", store=store)
    live.update_ticks(tick(0, 100.0))
    live.delete(flat_candle("A", OPEN, 1.0, 1.0).select("instrument", "timestamp"))
    closed_by(way, live)
    assert moment(OPEN) not in live.latest()["timestamp"].to_list()
    assert store is None or len(store.read(end=microseconds(moment(OPEN) + MINUTE))) == 0


def test_a_minute_that_closes_hides_nothing_that_others_wrote(tmp_path):
    with open_store(tmp_path / "store", create=True) as store:
        live = LiveEngine("1m", "ema(1)", store=store)
        live.update(flat_candle("A", OPEN, 100.0, 5.0))
        live.update_ticks(tick(1, 101.0))
        store.write(flat_candle("A", OPEN, 90.0, 9.0), source_timeframe="1m")
        live.advance(moment(OPEN) + 2 * MINUTE + LATER)
        told = live.update_ticks(tick(2, 102.0)).frame
        told = pl.concat([told, live.catch_up().frame])
        assert told.filter(timestamp=moment(OPEN))["close"].to_list() == [90.0]
        assert store.read()["close"].to_list() == [90.0, 101.0]


def test_minutes_that_the_engine_wrote_are_no_news_to_it(tmp_path):
    """Though they have left memory, and others wrote meanwhile."""
    with open_store(tmp_path / "store", create=True) as store:
        live = LiveEngine("5m", "ema(1)", keep=1, grace=90.0, store=store)
        live.update_ticks(pl.concat([tick(minute, 100.0 + minute) for minute in (1, 2, 3)]))
        store.write(flat_candle("B", OPEN, 90.0, 9.0), source_timeframe="1m")
        told = live.advance(moment(OPEN) + 7 * MINUTE)
        update = live.update(flat_candle("A", "2025-06-02T09:18+05:30", 9.0, 5.0))
        assert update.revision > told.revision
        assert update.frame.select("instrument", "close", "candles").rows() == [("A", 9.0, 3)]


def test_a_correction_from_before_memory_keeps_the_running_minute(tmp_path):
    with open_store(tmp_path / "store", create=True) as store:
        live = LiveEngine("5m", "ema(1)", keep=1, store=store)
        for time in minutes(OPEN, 6):
            live.update(candles("A", [time]))
        live.update_ticks(tick(6, 110.0))
        live.update(flat_candle("A", OPEN, 50.0, 9.0))
        assert live.latest().select("close", "candles").row(0) == (110.0, 2)


def test_a_tick_of_a_minute_before_memory_is_refused():
    live = LiveEngine("1m", "ema(1)", keep=1)
    for minute in range(6):
        live.update_ticks(tick(minute, 100.0 + minute))
    update = live.update_ticks(tick(1, 99.0, second=5))
    assert update.report.quarantine["rule"].to_list() == ["older_than_memory"]
    assert (update.report.rows_in, update.report.refused, len(update.frame)) == (1, 1, 0)


def test_two_columns_of_one_name_are_a_doubt() -> None:
    columns = ["instrument", "timestamp", "price", "quantity", "price"]
    twice = pd.DataFrame([["A", moment(OPEN), 700.0, 1.0, 900.0]], columns=columns)
    with pytest.raises(CandleInputError, match="columns 'price', 'price_duplicated_4' had one"):
        LiveEngine("1m", "").update_ticks(twice)
    keys = pd.DataFrame([["A", moment(OPEN), "B"]], columns=["symbol", "ts", "symbol"])
    with pytest.raises(CandleInputError, match="columns 'symbol', 'symbol_duplicated_2' had one"):
        LiveEngine("1m", "").delete(keys)
