"""Goal: machines that share a bucket lose nothing to each other, and agree in the end.

Method: two machines, each with a state folder of its own, write to one bucket behind a real server
of S3's protocol. What one has in its tail the other cannot see until it is flushed; revisions must
come out as one line all the same. Expected logs are written down by hand.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tallow.core.errors import StoreError
from tests.data.store.conftest import Clock
from tests.data.store.model import at, candle_frame, flat, keys_frame, log, read
from tests.frames import market
from tests.sizes import sized

A0, A1, B0 = ("A", at(0)), ("A", at(1)), ("B", at(0))


@pytest.fixture
def place(new_place):
    """Return a place in the bucket without a store in it yet."""
    return new_place("bucket")


def test_a_write_in_two_tails_becomes_two_revisions(place):
    first, second = place.open("first", Clock(1_000)), place.open("second", Clock(2_000))
    first.write(candle_frame({A0: flat(1), A1: flat(1)}), source_timeframe="1m")
    second.write(candle_frame({A0: flat(2), B0: flat(2)}), source_timeframe="1m")
    assert read(first) == [(*A0, *flat(1)), (*A1, *flat(1))]
    assert read(second) == [(*A0, *flat(2)), (*B0, *flat(2))]
    second.flush()
    first.flush()
    assert log(first) == log(second)
    assert log(second) == [
        (*A0, 1, 2_000, 2.0),
        (*A0, 2, 2_001, 1.0),
        (*A1, 1, 2_001, 1.0),
        (*B0, 1, 2_000, 2.0),
    ]
    # What came late was received late: nobody's past changes.
    assert read(second, known_at=2_000) == [(*A0, *flat(2)), (*B0, *flat(2))]
    assert second.changed_since(2_000) == {"A": at(0)}
    assert read(second) == [(*A0, *flat(1)), (*A1, *flat(1)), (*B0, *flat(2))]


def test_a_long_write_comes_after_the_short_ones_before_it(place, tiny_limits):
    store = place.open(clock=Clock(1_000))
    store.write(candle_frame({A0: flat(1)}), source_timeframe="1m")
    store.write(
        candle_frame({A0: flat(2), **{("B", at(m)): flat(1) for m in range(9)}}),
        source_timeframe="1m",
    )
    store.flush()
    assert log(store)[:2] == [(*A0, 1, 1_000, 1.0), (*A0, 2, 1_001, 2.0)]
    assert read(store, instruments=["A"]) == [(*A0, *flat(2))]


def test_a_correction_of_what_another_machine_deleted_comes_after_it(place):
    first, second = place.open("first", Clock(1_000)), place.open("second", Clock(2_000))
    first.write(candle_frame({A0: flat(1)}), source_timeframe="1m")
    first.flush()
    first.write(candle_frame({A0: flat(5)}), source_timeframe="1m")
    first.write(candle_frame({A0: flat(6)}), source_timeframe="1m")
    second.delete(keys_frame([A0]))
    second.flush()
    first.flush()
    revisions = [(number, close) for *_, number, _, close in log(second)]
    assert revisions == [(1, 1.0), (2, None), (3, 5.0), (4, 6.0)]
    assert [moment for *_, moment, _ in log(second)] == [1_000, 2_000, 2_001, 2_002]
    assert read(second, known_at=2_001) == [(*A0, *flat(5))]
    assert read(first) == read(second)
    assert read(second) == [(*A0, *flat(6))]


def test_writes_that_a_flush_moves_keep_a_moment_each(place, tiny_limits):
    """The first machine's clock is behind; its long write takes what is in its tail with it."""
    first, second = place.open("first", Clock(1_000)), place.open("second", Clock(2_000))
    for price in (1, 2):
        first.write(candle_frame({A0: flat(price)}), source_timeframe="1m")
    first.write(candle_frame({A0: flat(3)}), adjustment="split", source_timeframe="1m")
    second.write(candle_frame({B0: flat(9)}), source_timeframe="1m")
    second.flush()
    rows = {A0: flat(4), **{("C", at(minute)): flat(1) for minute in range(4)}}
    report = first.write(candle_frame(rows), source_timeframe="1m")
    assert report.received_at == 2_004
    assert [row for row in log(second) if row[0] == "A"] == [
        (*A0, 1, 2_001, 1.0),
        (*A0, 2, 2_002, 2.0),
        (*A0, 3, 2_004, 4.0),
    ]
    assert log(second, ("1m", "split")) == [(*A0, 1, 2_003, 3.0)]
    assert read(second, instruments=["A"], known_at=2_003) == [(*A0, *flat(2))]


def test_machines_that_write_at_once_lose_nothing(place, tiny_limits):
    """Every other write is too long for the tail, and goes to the bucket at once."""
    numbers = range(1, sized(4, 7))

    def candles(machine, number):
        minutes = range(100 * number, 100 * number + (5 if number % 2 else 1))
        own = {(f"own {machine}", at(minute)): flat(1) for minute in minutes}
        return {("shared", at(0)): flat(10.0 * number + machine), **own}

    def write(machine):
        store = place.open(f"machine {machine}")
        for number in numbers:
            store.write(candle_frame(candles(machine, number)), source_timeframe="1m")
        store.flush()

    place.open()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))
    store, written = place.open("another"), [candles(m, n) for m in range(3) for n in numbers]
    own = [row[:2] for row in log(store) if row[0] != "shared"]
    assert own == sorted(key for each in written for key in each if key[0] != "shared")
    shared = [row for row in log(store) if row[0] == "shared"]
    assert [row[2] for row in shared] == list(range(1, 3 * len(numbers) + 1))
    assert [row[3] for row in shared] == sorted(row[3] for row in shared)
    assert {row[4] for row in shared} == {each["shared", at(0)].close for each in written}
    for machine in range(3):
        prices = [row[4] for row in shared if row[4] % 10 == machine]
        assert prices == sorted(prices)


def test_a_bucket_that_refuses_a_file_is_an_error_that_names_it(new_place, monkeypatch):
    from obstore.exceptions import PermissionDeniedError

    def refuse(*_: object) -> None:
        raise PermissionDeniedError("403 Forbidden")

    store = new_place("bucket").open()
    store.write(market(["A"], rows=9), source_timeframe="1m")
    monkeypatch.setattr("obstore.put", refuse)
    with pytest.raises(StoreError, match="403 Forbidden; check"):
        store.flush()
    assert len(store.read()) > 0
