"""Goal: a row that was set aside waits no more once the candle of its key is there, whoever brings
it: a candle that was ahead of the clock from anywhere, a bad one from where it came.

Method: a live engine sets rows aside; each way into a store then brings a good candle of the key,
and others that are none of it. What waits in the ledger is held against what a person would say.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from tallow import LiveEngine
from tallow.core.errors import StoreError, TallowWarning
from tallow.core.time import to_us
from tallow.data.ingest.documents import ingest
from tallow.data.store.ledger import SqliteLedger
from tallow.data.store.store import Store
from tests.data.store.conftest import Place
from tests.frames import candles, minutes, moment

OPENS = moment("2025-07-18T09:15+05:30")
NOON = moment("2025-07-18T12:00+05:30")
AFTER = NOON + timedelta(minutes=5)
PRICES = ("open", "high", "low", "close", "volume")

Give = Callable[[LiveEngine, Store, Path, pl.DataFrame], object]


def frame(live: LiveEngine, _store: Store, _folder: Path, rows: pl.DataFrame) -> object:
    return live.update(rows)


def arrays(live: LiveEngine, _store: Store, _folder: Path, rows: pl.DataFrame) -> object:
    numbers = live.numbers(rows["instrument"].to_list())
    return live.update_arrays(numbers, rows["timestamp"].to_physical(), *rows.select(PRICES))


def ticks(live: LiveEngine, _store: Store, _folder: Path, rows: pl.DataFrame) -> object:
    live.update_ticks(
        rows.select(
            "instrument",
            pl.col("timestamp") + timedelta(seconds=20),
            price="close",
            quantity="volume",
        )
    )
    return live.advance(AFTER)


def python(_live: LiveEngine, store: Store, _folder: Path, rows: pl.DataFrame) -> object:
    return store.write(rows, source="another", source_timeframe="1m")


def file(_live: LiveEngine, store: Store, folder: Path, rows: pl.DataFrame) -> object:
    rows.write_parquet(folder / "rows.parquet")
    return ingest(store, folder / "rows.parquet", source_timeframe="1m", adjustment="raw")


WAYS = [frame, arrays, ticks, python, file]
LIVE_WAYS = WAYS[:3]


@pytest.fixture
def ahead() -> pl.DataFrame:
    """Return one candle of noon."""
    return candles("A", [NOON])


def waiting(store: Store) -> list[str]:
    return store.ledger.held()["rule"].to_list()


def settled_by(store: Store) -> list[int | None]:
    return store.ledger.held(everything=True)["settled_by"].to_list()


def early(store: Store) -> LiveEngine:
    """Return an engine that has taken the first candle of the day, at that time."""
    live = LiveEngine("5m", "ema(2)", store=store)
    live.advance(to_us(OPENS))
    live.update(candles("A", [OPENS]))
    return live


@pytest.mark.parametrize("give", WAYS, ids=lambda each: each.__name__)
def test_a_candle_that_was_ahead_is_settled_by_whoever_brings_it_in_time(
    give: Give, place: Place, tmp_path: Path, ahead: pl.DataFrame
) -> None:
    store = place.open()
    live = early(store)
    assert live.update(ahead).report.quarantined == 1
    live.advance(to_us(NOON) - 1)
    # Another minute's candle, and another instrument's, say nothing of it.
    live.update(pl.concat([candles("A", [NOON - timedelta(minutes=1)]), candles("B", [NOON])]))
    assert waiting(store) == ["forming"]
    live.advance(to_us(AFTER) - 1)
    give(live, store, tmp_path, ahead)
    assert waiting(store) == []
    assert settled_by(store) == [store.ledger.entries()["id"].to_list()[-1]]


@pytest.mark.parametrize("give", WAYS, ids=lambda each: each.__name__)
def test_a_bad_candle_is_settled_by_where_it_came_from(
    give: Give, place: Place, tmp_path: Path, ahead: pl.DataFrame
) -> None:
    store = place.open()
    live = early(store)
    live.advance(to_us(NOON))
    live.update(ahead.with_columns(high=pl.lit(0.5)))
    give(live, store, tmp_path, ahead)
    assert waiting(store) == ([] if give in LIVE_WAYS else ["high_below_low"])


def test_the_bad_candle_once_more_settles_nothing(place: Place, ahead: pl.DataFrame) -> None:
    store = place.open()
    live, bad = early(store), ahead.with_columns(high=pl.lit(0.5))
    live.advance(to_us(NOON))
    live.update(bad)
    live.update(pl.concat([bad, ahead]))
    assert waiting(store) == ["high_below_low"]


def test_what_others_set_aside_meanwhile_is_settled_too(place: Place, ahead: pl.DataFrame) -> None:
    live = early(place.open())
    other = early(place.open())
    other.update(ahead)
    live.advance(to_us(NOON))
    live.update(ahead)
    assert waiting(place.open()) == []


def test_a_tick_that_was_set_aside_is_no_candle_of_its_minute(place: Place) -> None:
    store = place.open()
    live = early(store)
    at = OPENS + timedelta(minutes=1)
    tick = {"instrument": ["A"], "timestamp": [at], "price": [None], "quantity": [3.0]}
    live.update_ticks(pl.DataFrame(tick).with_columns(pl.col("price").cast(pl.Float64)))
    live.update(candles("A", [at]))
    assert waiting(store) == ["price_missing"]


def test_where_nothing_is_set_aside_the_ledger_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A live engine writes every minute, and a quarantine may be long."""
    store = Place(str(tmp_path / "s"), tmp_path / "s", local=True).open()
    store.write(candles("A", minutes("2025-07-18T09:15+05:30", 2)), source_timeframe="1m")
    monkeypatch.setattr(SqliteLedger, "held", None)
    for number in range(2, 5):
        store.write(candles("A", minutes("2025-07-18T09:15+05:30", number)), source_timeframe="1m")
    store.close()


def test_a_ledger_that_fails_then_does_not_undo_the_write(
    place: Place, ahead: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = place.open()
    live = early(store)
    live.update(ahead)
    live.advance(to_us(NOON))

    def fail(*_: object) -> None:
        raise StoreError("store: the server is away")

    with monkeypatch.context() as patch:
        patch.setattr(type(store.ledger), "settle", fail)
        with pytest.warns(TallowWarning, match="server is away .the write itself is safe"):
            live.update(ahead)
    assert NOON in store.read(["A"])["timestamp"].to_list()
    live.update(ahead)
    assert waiting(store) == []
