"""Goal: many may use a store at once, threads and processes, wherever it lies.

Method: on a folder, a bucket and a database, writers with handles of their own write the same keys
together, readers look while somebody writes, and another process reads. What must be there is known
from what each was told to write.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import polars as pl
import pytest

from tallow import open_store
from tallow.core.errors import StoreError, TallowWarning
from tallow.data.store import flush
from tallow.data.store.delta_backend import DeltaBackend
from tests.data.store.model import at, candle_frame, flat, log

SECOND_PROCESS = """
import json, sys
from pathlib import Path
from tallow.data.store.store import open_store
location, state, options = json.loads(sys.argv[1])
with open_store(location, state=state and Path(state), storage_options=options) as store:
    for line in sys.stdin:
        print(json.dumps(store.read()["close"].to_list()), flush=True)
"""


def test_another_process_sees_a_write_when_it_is_acknowledged(place):
    store = place.open()
    state = place.state()
    asked = json.dumps([place.location, state and str(state), place.options])
    with subprocess.Popen(
        [sys.executable, "-c", SECOND_PROCESS, asked],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(1, 4):
            store.write(candle_frame({("A", at(number)): flat(number)}), source_timeframe="1m")
            process.stdin.write("\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline()) == [float(n) for n in range(1, number + 1)]
        process.stdin.close()


def test_writers_at_once_lose_nothing(place, tiny_limits):
    """Three handles write the same keys and keys of their own; one of them flushes, too."""

    def write(writer):
        store = place.open()
        for number in range(1, 6):
            price = 10.0 * number + writer
            own = ("own", at(10 * writer + number))
            store.write(
                candle_frame({("shared", at(number)): flat(price), own: flat(price)}),
                source_timeframe="1m",
            )
            if writer == 0:
                store.flush()

    place.open()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))
    rows = log(place.open())
    own = [(time, close) for name, time, _, _, close in rows if name == "own"]
    assert own == [(at(10 * w + n), 10.0 * n + w) for w in range(3) for n in range(1, 6)]
    for number in range(1, 6):
        shared = [r for r in rows if r[:2] == ("shared", at(number))]
        assert [r[2] for r in shared] == [1, 2, 3]
        assert {r[4] for r in shared} == {10.0 * number + writer for writer in range(3)}
        assert [r[3] for r in shared] == sorted(r[3] for r in shared)
    # Each write has a moment of its own, which its two rows share.
    assert len({r[3] for r in rows}) == 15


def test_no_reader_sees_half_a_write(place, tiny_limits):
    writer, done = place.open(), threading.Event()
    keys = [(name, at(minute)) for name in "ABC" for minute in range(3)]
    writer.write(candle_frame(dict.fromkeys(keys, flat(1))), source_timeframe="1m")

    def look():
        store, seen = place.open(), set()
        while not done.is_set():
            prices = store.read()["close"].to_list()
            assert len(prices) == len(keys)
            assert len(set(prices)) == 1
            seen.add(prices[0])
        return seen

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(look) for _ in range(2)]
        try:
            for price in range(2, 12):
                writer.write(candle_frame(dict.fromkeys(keys, flat(price))), source_timeframe="1m")
                if price % 3 == 0:
                    writer.flush()
        finally:
            done.set()
    assert all(reader.result() <= {float(price) for price in range(1, 12)} for reader in readers)


def test_tails_beside_one_folder_never_use_a_revision_or_a_receipt_twice(tmp_path):
    """As of machines that share a folder, each with its own state; one has it in the folder."""
    folder, key = tmp_path / "store", ("A", at(0))
    stores = [
        open_store(folder, create=True, state=None if machine == 1 else tmp_path / str(machine))
        for machine in range(3)
    ]
    for turn in range(2):
        for machine, store in enumerate(stores):
            store.write(
                candle_frame({key: flat(10.0 * turn + machine + 1.0)}), source_timeframe="1m"
            )
        for store in stores:
            store.flush()
    rows = stores[0].log(["A"])
    assert rows["revision"].to_list() == [1, 2, 3, 4, 5, 6]
    assert rows["close"].to_list() == [1.0, 2.0, 3.0, 11.0, 12.0, 13.0]
    assert rows["received_at"].is_sorted()
    assert rows["received_at"].is_unique().all()
    for store in stores:
        assert store.read()["close"].to_list() == [13.0]
        store.close()


@pytest.mark.parametrize("state", [None, "elsewhere"])
def test_a_long_write_that_dies_before_it_is_noted_comes_after_the_tail(
    tmp_path, tiny_limits, monkeypatch, state
):
    """The table is committed before the state file: what was in the tail is older all the same."""

    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    place = {"state": state and tmp_path / state}
    keys = [("A", at(minute)) for minute in range(5)]
    store = open_store(tmp_path / "store", create=True, **place)
    store.write(candle_frame({keys[0]: flat(1.0)}), source_timeframe="1m")
    store.write(candle_frame({keys[0]: flat(2.0)}), source_timeframe="1m")
    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr(DeltaBackend, "_make_durable", kill)
        store.write(candle_frame(dict.fromkeys(keys, flat(3.0))), source_timeframe="1m")
    with open_store(tmp_path / "store", **place) as again:
        seen = again.log(["A"])
        assert seen.filter(pl.col("timestamp") == at(0))["close"].to_list() == [1.0, 2.0, 3.0]
        again.write(candle_frame({keys[0]: flat(4.0)}), source_timeframe="1m")
        again.flush()
        assert again.log(["A"]).filter(pl.col("close") < 4.0).equals(seen)
        assert again.read(["A"])["close"].to_list() == [4.0, 3.0, 3.0, 3.0, 3.0]
    store.close()


def test_a_flush_that_fails_is_not_tried_at_every_write(tmp_path, tiny_limits, monkeypatch):
    def fail(backend):
        raise StoreError("store: no room")

    monkeypatch.setattr(flush, "flush", fail)
    rows = [candle_frame({("A", at(number)): flat(1.0)}) for number in range(20)]
    with open_store(tmp_path / "store", create=True) as store:
        for row in rows[:6]:
            store.write(row, source_timeframe="1m")
        with pytest.warns(TallowWarning, match="no room .the write itself is safe"):
            store.write(rows[6], source_timeframe="1m")
        # A second warning would be an error here.
        for row in rows[7:]:
            store.write(row, source_timeframe="1m")
        assert store.stats().tail_rows == len(store.read()) == 20
