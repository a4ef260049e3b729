"""Goal: an instrument that goes on where another key ended has the bits of a computation from
scratch, whoever writes to either key, and whenever; the engine itself, above all.

Method: candles of two days under an old key, and of two days under a new one that is joined to it;
an engine and a second one that writes beside it take late and changed candles, deletions and ticks
of both keys at random; an engine that begins anew on the store must show the same.
"""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

import tallow
from tests.frames import assert_same_frame, candles, flat_candle, minutes

JOIN = pl.DataFrame(
    {"instrument": ["NEW"], "ex_date": ["2025-09-22"], "kind": ["join"], "predecessor": ["OLD"]}
)
DAYS = {"OLD": ("2025-09-18", "2025-09-19"), "NEW": ("2025-09-22", "2025-09-23")}


def live_on(store: tallow.Store) -> tallow.LiveEngine:
    live = tallow.LiveEngine(["5m", "1d"], "ema(3), sma(4), vwap", store=store, keep=20)
    live.catch_up(["NEW"])
    return live


def history(name: str, count: int = 30) -> pl.DataFrame:
    times = [time for day in DAYS[name] for time in minutes(f"{day}T09:15+05:30", count)]
    return candles(name, times, seed=len(name) + count)


def same_as_from_scratch(live: tallow.LiveEngine, store: tallow.Store) -> None:
    fresh = live_on(store)
    fresh.numbers(live.names)
    for size in ("5m", "1d"):
        held, right = (each.latest(size).drop("revision") for each in (live, fresh))
        assert_same_frame(held, right)


@pytest.fixture
def store(tmp_path: Path):
    with tallow.open_store(tmp_path / "store", create=True) as store:
        store.write(
            pl.concat([history("OLD"), history("NEW")]).sort("instrument", "timestamp"),
            source_timeframe="1m",
        )
        store.actions.record(JOIN)
        yield store


def late(time: str, price: float, name: str = "OLD") -> pl.DataFrame:
    return flat_candle(name, f"{time}+05:30", price, 10.0)


def test_the_engine_s_own_late_correction_of_the_old_key_changes_the_new_one(store):
    live = live_on(store)
    told = live.update(late("2025-09-19T09:44", 50.0))
    assert set(told.frames["5m"]["instrument"]) == {"OLD", "NEW"}
    # The last bars that the new key has of the old one, and those whose averages go on from it.
    changed = told.frames["5m"].filter(instrument="NEW")
    assert changed["close"][0] == 50.0
    assert changed["timestamp"].is_sorted()
    assert len(changed) > 6
    same_as_from_scratch(live, store)


def test_a_correction_after_the_join_s_date_is_of_the_old_key_alone(store):
    live = live_on(store)
    told = live.update(late("2025-09-23T09:20", 50.0))
    assert set(told.frames["5m"]["instrument"]) == {"OLD"}
    same_as_from_scratch(live, store)


def test_both_keys_in_one_update_and_a_deletion(store):
    live = live_on(store)
    both = pl.concat([late("2025-09-23T09:46", 70.0, "NEW"), late("2025-09-18T09:20", 50.0)])
    report = live.update(both).report
    assert (report.appended, report.late, report.revised) == (1, 0, 1)
    same_as_from_scratch(live, store)
    gone = late("2025-09-19T09:15", 1.0).select("instrument", "timestamp")
    assert "NEW" in set(live.delete(gone).frames["5m"]["instrument"])
    same_as_from_scratch(live, store)


def test_ticks_of_the_old_key_reach_the_new_one_when_they_are_durable(store):
    live = live_on(store)
    time = minutes("2025-09-19T10:00+05:30", 1)[0]
    ticks = {"instrument": ["OLD"], "timestamp": [time], "price": [60.0], "quantity": [5.0]}
    live.update_ticks(pl.DataFrame(ticks))
    live.write_running()
    live.catch_up(["NEW"])
    same_as_from_scratch(live, store)


@pytest.mark.parametrize("seed", range(5))
def test_whoever_changes_either_key_the_state_is_that_of_the_store(store, seed):
    draw = random.Random(seed)
    live, other = live_on(store), live_on(store)
    known = pl.concat([history("OLD", 40), history("NEW", 40)]).rows()
    for _ in range(12):
        writer = draw.choice([live, live, other])
        picked = draw.sample(known, draw.choice((1, 1, 3)))
        rows = pl.concat(
            flat_candle(name, time.isoformat(), draw.uniform(90.0, 110.0), 5.0)
            for name, time, *_ in picked
        )
        if draw.random() < 0.2:
            writer.delete(rows.select("instrument", "timestamp"))
        else:
            writer.update(rows)
        live.catch_up(["NEW"])
        same_as_from_scratch(live, store)
    assert timedelta(0) < live.latest("5m")["timestamp"][-1] - history("OLD")["timestamp"][0]
