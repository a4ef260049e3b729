"""Goal: a backup is there whole, with its ledger and quarantine, or not at all; one that was killed
can be begun again; and it is of one moment, whatever is written meanwhile.

Method: between stores of every kind, a copy is cut off at each step that makes something durable.
Writers go on while copies are taken: each write enters one row in the log and its number in the
ledger and the quarantine, so that these must agree in every copy.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from tallow.core.errors import StoreError
from tallow.data.store import copying, flush, tail
from tallow.data.store.delta_backend import DeltaBackend
from tallow.data.store.files import TableLocation
from tallow.data.store.location import plain_location
from tallow.data.store.store import Store, open_store
from tests.data.store.conftest import KINDS, Place
from tests.frames import flat_candle
from tests.sizes import sized

ROOT = Path(__file__).parents[3]
MINUTE = "2025-07-18T09:15+05:30"


class Killed(BaseException):
    """No code that cleans up expects this."""


def write(store: Store, number: int) -> None:
    """Write a good and a bad candle."""
    good = flat_candle(f"I{number}", MINUTE, 10.0, 1.0)
    store.write(pl.concat([good, bad(f"B{number}")]), source=str(number), source_timeframe="1m")


def bad(name: str) -> pl.DataFrame:
    return flat_candle(name, MINUTE, 10.0, 1.0).with_columns(high=pl.lit(9.0))


def told(store: Store) -> dict[str, Any]:
    """Return all that a copy must have, in plain values."""
    return {
        "log": store.log().rows(),
        "entries": store.ledger.entries().rows(),
        "held": store.ledger.held(everything=True).rows(),
        "horizon": store.stats().horizon,
    }


def filled(place: Place) -> Store:
    store = place.open()
    for number in range(3):
        write(store, number)
    store.delete(store.read(["I0"]).select("instrument", "timestamp"))
    store.prune(superseded_before=store.last_received() - 1)
    write(store, 3)
    return store


# Each step costs a place of its own.
@pytest.mark.parametrize(
    ("kind", "stride"),
    [("folder", sized(2, 1)), ("bucket", sized(6, 3)), ("database", sized(8, 4))],
)
@pytest.mark.parametrize("into", ["nothing", "an empty store"])
def test_a_copy_cut_off_at_any_step_is_whole_or_not_there(
    into, kind, stride, new_place, monkeypatch
):
    source = filled(new_place("folder"))
    before = told(new_place("folder").open()) if into == "an empty store" else None
    outcomes = []
    for step in range(0, 40, stride):
        target = new_place(kind)
        if before is not None:
            target.open().close()
        with monkeypatch.context() as patch:
            left = cut_off_at(patch, step)
            with suppress(Killed):
                backup(source, target)
        found = told_if_a_store(target)
        assert found in (before, told(source)), step
        outcomes.append(found == before)
        if found == before:
            backup(source, target)
            assert told(target.open()) == told(source)
        if left():
            break
    assert outcomes[0]
    assert not outcomes[-1]
    assert len(outcomes) < 40 // stride


def backup(source: Store, target: Place) -> None:
    source.backup(target.location, state=target.state(), storage_options=target.options)


def told_if_a_store(target: Place) -> dict[str, Any] | None:
    """Return all that a copy has; None where it is not opened, whoever asks for it."""
    try:
        store = open_store(target.location, state=target.state(), storage_options=target.options)
    except StoreError as error:
        if "holds no store" not in str(error):
            with pytest.raises(StoreError, match="is not whole; begin it again"):
                target.open()
        return None
    with store:
        return told(store)


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_ledgers_of_copies_that_were_cut_off_go_with_the_next_one(kind, new_place, monkeypatch):
    source, target = filled(new_place("folder")), new_place(kind)
    source.flush()
    at = place_of(target)
    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr(DeltaBackend, "commit", kill)
        # A power cut cleans nothing up.
        patch.setattr(type(at), "remove", lambda *_: None)
        backup(source, target)
    left = ledgers(at)
    assert len(left) == 2
    backup(source, target)
    assert len(ledgers(at)) == 2
    assert not ledgers(at) & left


def kill(*_: Any) -> None:
    raise Killed


def place_of(target: Place) -> TableLocation:
    return TableLocation.at(plain_location(target.location), target.options)


def ledgers(place: TableLocation) -> set[str]:
    return {path for path in place.beside("_tallow") if path.endswith(".parquet")}


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_a_store_that_is_only_read_is_copied_after_commits_that_its_ledger_lacks(
    kind, new_place, monkeypatch
):
    place, copies = new_place(kind), [new_place("folder") for _ in range(2)]
    store = filled(place)
    table = DeltaTable(place.location, storage_options=place.options)
    table.alter.set_table_properties({"owner": "somebody"}, raise_if_not_exists=False)
    monkeypatch.setattr(tail, "may_write", lambda path: path.parent != state_folder(place))
    with monkeypatch.context() as patch:
        # Nobody waits for another tool to enter what it did: none does.
        patch.setattr(time, "sleep", kill)
        backup(place.open(), copies[0])
    assert told(copies[0].open()) == told(store)
    # And a writer that died between the table and the ledger.
    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr(DeltaBackend, "_make_durable", kill)
        patch.setattr(flush, "STORE_TAIL_BATCH_ROWS", 1)
        store.write(flat_candle("Z", MINUTE, 10.0, 1.0), source_timeframe="1m")
    monkeypatch.setattr(copying, "STORE_COMMIT_ATTEMPTS", 3)
    backup(place.open(), copies[1])
    assert told(copies[1].open()) == told(store)
    assert "Z" in told(store)["log"][-1]


def state_folder(place: Place) -> Path:
    return place.state() or place.folder / "_tallow"


def cut_off_at(patch: pytest.MonkeyPatch, step: int) -> Callable[[], bool]:
    """Make the process end at the n-th durable step of what follows; say whether it came so far."""
    from tallow.data.store import files, server, tail

    count = [step]

    def cut(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def act(*args: Any, **options: Any) -> Any:
            count[0] -= 1
            if count[0] < 0:
                raise Killed
            return real(*args, **options)

        patch.setattr(owner, name, act)

    cut(DeltaTable, "create_write_transaction")
    cut(files.TableLocation, "write")
    cut(files.TableLocation, "put")
    cut(tail.TailFile, "run")
    cut(tail.TailFile, "reached")
    for name in ("run", "copy", "commit"):
        cut(server.ServerSession, name)
    return lambda: count[0] >= 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_and_its_copy_back_are_what_was_there(kind, new_place):
    source, there, back = filled(new_place("folder")), new_place(kind), new_place("folder")
    source.backup(there.location, state=there.state(), storage_options=there.options)
    there.open("two").backup(back.location)
    assert told(back.open()) == told(source)
    with pytest.raises(StoreError, match="is not empty"):
        there.open().backup(back.location)
    # The numbers go on.
    write(back.open(), 9)
    assert back.open().ledger.entries()["id"].to_list()[-1] == 1 + len(source.ledger.entries())


def test_a_ledger_without_rows_is_copied_and_not_written_over(new_place):
    source, target = new_place("folder").open(), new_place("folder")
    source.write(bad("A"), source_timeframe="1m")
    assert len(source.log()) == 0
    source.backup(target.location)
    assert told(target.open()) == told(source)
    with pytest.raises(StoreError, match="is not empty"):
        source.backup(target.location)


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_of_one_moment_while_others_write(kind, new_place, tiny_limits):
    place = new_place(kind)
    source, stop = place.open(), threading.Event()

    def go_on() -> None:
        writer, number = place.open(), 0
        while not stop.is_set():
            write(writer, number)
            number += 1
            if number % 5 == 0:
                writer.compact(keep_hours=0)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        for _ in range(6):
            target = new_place("folder")
            source.backup(target.location)
            copy = told(target.open())
            numbers = {str(number) for number in range(len(copy["entries"]))}
            assert {row[2] for row in copy["entries"]} == numbers
            assert {row[2][1:] for row in copy["log"]} == numbers
            assert len(copy["held"]) == len(numbers)
    finally:
        stop.set()
        thread.join()


def test_a_process_killed_between_rows_and_ledger_leaves_a_whole_copy(new_place, tmp_path):
    source = new_place("folder")
    store, target = filled(source), new_place("folder")
    code = (
        "import os, signal, tallow; from tallow.data.store import copying, delta_backend\n"
        "copying.take_ledger = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"tallow.open_store({source.location!r}).backup({target.location!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == -9
    with open_store(target.location) as copy:
        assert told(copy) == told(store)
