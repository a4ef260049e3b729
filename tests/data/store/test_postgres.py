"""Goal: what only a database can do to a store is told plainly, and costs no row.

Method: a real server that is stopped, started again, told to end a connection, to cancel a
statement or to refuse one, by its own tools. What the contract asks of every store is asked in
`test_contract.py`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time

import polars as pl
import pytest

from tallow.core.errors import LostConnectionError, StoreError
from tallow.data.store import server
from tallow.data.store.store import open_store
from tests.data.store.model import Values, at, candle_frame, counts, flat, log, read

A0, A1 = ("A", at(0)), ("A", at(1))


@pytest.fixture
def place(new_place):
    """Return a database without a store in it yet."""
    return new_place("database")


def refusal(url, tmp_path):
    with pytest.raises(StoreError) as caught:
        open_store(url, create=True, state=tmp_path)
    return str(caught.value)


def test_a_server_that_is_not_there_is_named(tmp_path):
    said = refusal(f"postgresql://me:hush@/candles?host={tmp_path}&password=hush", tmp_path)
    assert said.startswith(f"store: postgresql://me@/candles?host={tmp_path}: ")
    assert "No such file or directory; is the server running" in said
    assert "hush" not in said


def test_a_wrong_password_is_said_and_not_shown(cluster, tmp_path):
    said = refusal(cluster.url("postgres", "wrong"), tmp_path)
    assert 'password authentication failed for user "tallow"; is the server running' in said
    assert "wrong" not in said


def test_a_database_that_is_not_there_is_named(cluster, tmp_path):
    assert 'database "nowhere" does not exist' in refusal(cluster.url("nowhere"), tmp_path)


def test_a_store_needs_a_database_in_utf8(cluster, tmp_path):
    url = cluster.database("ENCODING 'LATIN1' TEMPLATE template0")
    assert "encoding=LATIN1; must be UTF8; create another database" in refusal(url, tmp_path)


def test_a_store_of_a_newer_version_is_not_touched(place, cluster, tmp_path):
    place.open()
    cluster.sql(place.location, "UPDATE tallow.facts SET version = '2'")
    assert "was made by a newer tallow; update this one" in refusal(place.location, tmp_path)


def test_somebody_without_the_right_is_told(place, cluster, tmp_path):
    place.open()
    cluster.sql(place.location, "CREATE ROLE guest LOGIN PASSWORD 's3cret'")
    said = refusal(place.location.replace("//tallow:", "//guest:"), tmp_path)
    assert "permission denied for schema tallow; ask the owner of the database" in said


@pytest.mark.parametrize("call", ["read", "write"])
def test_a_restart_of_the_server_between_two_calls_is_not_noticed(place, cluster, call):
    store = place.open()
    store.write(candle_frame({A0: flat(1)}), source_timeframe="1m")
    cluster.stop()
    cluster.start()
    if call == "write":
        assert counts(store.write(candle_frame({A1: flat(1)}), source_timeframe="1m")) == (1, 0, 0)
    assert len(store.read()) == (2 if call == "write" else 1)


def test_a_store_goes_on_when_the_server_is_back(place, cluster):
    store = place.open()
    store.write(candle_frame({A0: flat(1)}), source_timeframe="1m")
    cluster.stop()
    for _ in range(2):
        with pytest.raises(LostConnectionError, match="is the server running"):
            store.read()
        with pytest.raises(LostConnectionError, match="What was not acknowledged can be written"):
            store.write(candle_frame({A1: flat(1)}), source_timeframe="1m")
    cluster.start()
    assert counts(store.write(candle_frame({A0: flat(1), A1: flat(1)}), source_timeframe="1m")) == (
        1,
        1,
        0,
    )


def test_a_connection_that_ends_in_the_middle_of_a_write_leaves_nothing_of_it(place, cluster):
    store = place.open()
    store.write(candle_frame({A0: flat(1)}), source_timeframe="1m")

    def write():
        with store.backend.writing() as writing:
            writing.append(store.log().with_columns(revision=pl.lit(2, pl.Int32)))
            cluster.sql(
                place.location,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND state = 'idle in transaction'",
            )

    with pytest.raises(LostConnectionError):
        write()
    assert counts(store.write(candle_frame({A0: flat(1), A1: flat(1)}), source_timeframe="1m")) == (
        1,
        1,
        0,
    )
    assert [row[:3] for row in log(store)] == [(*A0, 1), (*A1, 1)]


def test_a_cancelled_statement_is_said_to_be_one(place, cluster):
    place.open()
    name = place.location.split("/")[3].split("?")[0]
    cluster.sql(place.location, f"ALTER DATABASE {name} SET statement_timeout = '500ms'")
    store = place.open()
    with pytest.raises(StoreError, match=r"statement timeout; a time limit or an administrator"):
        store.backend._server.run("SELECT pg_sleep(10)")
    with pytest.raises(StoreError, match="statement timeout"):
        store.backend._server.scan("SELECT pg_sleep(10)")
    assert read(store) == []


def test_a_write_waits_for_another_one_only_so_long(place, monkeypatch):
    monkeypatch.setattr(server, "_SETTINGS", "SET lock_timeout = '50ms'")
    first, second = place.open(), place.open()
    with first.backend.writing():
        with pytest.raises(StoreError, match="lock timeout; another write held the store for"):
            second.write(candle_frame({A0: flat(1)}), source_timeframe="1m")
        assert read(second) == []
    assert counts(second.write(candle_frame({A0: flat(1)}), source_timeframe="1m")) == (1, 0, 0)


@pytest.mark.parametrize("name", ["NSE_EQ|INE301A01014", "it's", 'a"b', "a\\'; --", "É✓", "{}%$1"])
def test_a_name_is_a_name_whatever_is_in_it(place, name):
    store = place.open()
    frame = candle_frame({(name, at(0)): flat(1), ("other", at(0)): flat(2)})
    assert counts(store.write(frame, source=name, adjustment="it's", source_timeframe="1m")) == (
        2,
        0,
        0,
    )
    assert counts(store.write(frame, source=name, adjustment="it's", source_timeframe="1m")) == (
        0,
        2,
        0,
    )
    assert read(store, ("1m", "it's"), instruments=[name]) == [(name, at(0), *flat(1))]
    assert store.ledger.entries()["source"].to_list() == [name, name]


def test_a_name_with_a_zero_byte_is_refused(place):
    store = place.open()
    with pytest.raises(StoreError, match="zero byte; PostgreSQL holds none; change the name"):
        store.write(candle_frame({("a\0b", at(0)): flat(1)}), source_timeframe="1m")
    assert read(store) == []


def test_a_long_row_that_was_set_aside_is_kept(place):
    store, long = place.open(), "x" * 20_000
    wrong = Values(open=1, high=0, low=1, close=1, volume=1)
    bad = candle_frame({(long, at(0)): wrong, ("zero\0byte", at(0)): wrong})
    for _ in range(2):
        assert store.write(bad, source="bad", source_timeframe="1m").quarantined == 2
    assert store.ledger.held()["instrument"].to_list() == [long, "zero\\u0000byte"]


def test_more_connections_than_are_kept_are_closed(place, cluster, monkeypatch):
    monkeypatch.setattr(server, "STORE_CONNECTIONS", 2)
    store = place.open()
    store.write(candle_frame({A0: flat(1)}), source_timeframe="1m")
    together = threading.Barrier(5, timeout=30)

    def look():
        with store.backend._server.transaction() as session:
            together.wait()
            session.query("SELECT 1 AS one")

    threads = [threading.Thread(target=look) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    # One of them is the one that asks; the server takes a moment to see the others go.
    deadline = time.monotonic() + 30.0
    while (count := int(cluster.sql(place.location, asked))) > 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert count <= 3
    assert len(store.read()) == 1


def test_one_instrument_is_found_by_the_primary_key(place, cluster):
    store = place.open()
    store.write(
        candle_frame({(f"I{n:03}", at(m)): flat(1) for n in range(100) for m in range(50)}),
        source_timeframe="1m",
    )
    store.compact()
    wanted = "timeframe = '1m' AND adjustment = 'raw' AND instrument = ANY (ARRAY['I050'])"
    plan = cluster.sql(place.location, f"EXPLAIN SELECT * FROM tallow.log WHERE {wanted}")
    assert re.search(r"(Index|Bitmap Index) Scan (using|on) log_pkey", plan)


WITHOUT_PYARROW = """
import sys
sys.modules["pyarrow"] = None
from pathlib import Path
import polars as pl
from tallow.data.store.store import open_store
candle = {"symbol": ["A"], "ts": ["2025-07-18T09:15+05:30"], "v": [900]}
prices = {"o": [700.0], "h": [702.0], "l": [699.0], "c": [701.0]}
with open_store(sys.argv[1], create=True, state=Path(sys.argv[2])) as store:
    store.write(pl.DataFrame(candle | prices), source_timeframe="1m")
    print(store.read()["close"].to_list(), len(store.ledger.entries()))
"""


def test_the_base_install_needs_no_pyarrow(place, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_PYARROW, place.location, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[701.0] 1\n", "")
