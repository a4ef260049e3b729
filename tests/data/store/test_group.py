"""Goal: writes of several threads share commits, and a flush keeps nobody waiting; nothing else is
different from writes one after the other.

Method: what threads asked of the disk is what `strace` saw; from it come the number of waits for
the disk, and what a loss of power leaves after any call. Groups are made by holding the lock until
all wait. A commit that fails is one whose connection says so. A flush is stopped on its way, in the
middle of its files and of its commit, while others write and read.
"""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tallow.core.disk import sync_file
from tallow.core.errors import StoreError
from tallow.data.store.files import TableLocation
from tallow.data.store.store import Store, open_store
from tests.data.store.journal import ROOT, Journal, record_work
from tests.data.store.model import at, candle_frame, flat, read
from tests.data.store.test_copies import numbers_of, write

THREADS, WRITES = 4, 12
WORK = f"""
import os, sys, threading
from tallow.data.store.store import open_store
from tests.data.store.test_copies import write
def some(store, first):
    for number in range(first, {THREADS * WRITES}, {THREADS}):
        write(store, number)
        os.write(1, f"{{number}}\\n".encode())
with open_store(sys.argv[1], create=True) as store:
    threads = [threading.Thread(target=some, args=(store, n)) for n in range({THREADS})]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
"""
KILLED = f"""
import sys, threading
from tests.data.store.ingest import SuicideAt
watch = SuicideAt(int(sys.argv[2]))
threading.setprofile(watch)
{WORK}
"""
REFUSED = WORK.replace(
    "        write(store, number)\n",
    "        try:\n            write(store, number)\n"
    "        except StoreError as error:\n            os.write(2, f'{error}\\n'.encode())\n"
    "            continue\n",
).replace("import os", "from tallow.core.errors import StoreError\nimport os")


@pytest.fixture(scope="module")
def journal(tmp_path_factory) -> Journal:
    """Return what threads that write at once asked of the disk."""
    return record_work(WORK, tmp_path_factory.mktemp("group"))


def test_threads_that_write_at_once_wait_for_the_disk_less_often_than_they_write(journal):
    said = [place for place, step in enumerate(journal.steps) if step.kind == "say"]
    assert len(said) == THREADS * WRITES
    wal = next(s.file for s in journal.steps if s.kind == "create" and s.path.endswith("-wal"))
    during = journal.steps[said[0] : said[-1]]
    waits = sum(step.kind == "sync" and step.file == wal for step in during)
    assert 0 < waits <= len(said) * 3 // 4


@pytest.mark.parametrize("model", ["strict", "prefix"])
def test_what_was_acknowledged_outlives_a_loss_of_power(journal, model, tmp_path):
    draw = random.Random(1)
    for until in draw.sample(range(len(journal.steps)), 6):
        said = {int(s.data) for s in journal.steps[:until] if s.kind == "say"}
        folder = tmp_path / str(until)
        folder.mkdir()
        journal.leave(until, model, folder, draw)
        with open_store(folder / "store", create=not said) as store:
            entries = len(store.ledger.entries())
        there = numbers_of(folder / "store")
        assert said <= set(there), (until, model)
        assert len(there) == entries == len(set(there))


@pytest.mark.parametrize("kill_at", [150, 190, 230, 270])
def test_a_kill_in_the_middle_of_a_group_loses_no_acknowledged_write(tmp_path, kill_at):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "store"), str(kill_at)],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    said = set(map(int, done.stdout.split()))
    there = numbers_of(tmp_path / "store")
    assert said <= set(there)
    with open_store(tmp_path / "store") as store:
        assert len(store.ledger.entries()) == len(there) == len(set(there))
        for number in range(THREADS * WRITES):
            write(store, number)
    assert numbers_of(tmp_path / "store") == list(range(THREADS * WRITES))


def test_a_disk_that_refuses_to_sync_is_told_to_each_and_loses_nothing_in_silence(tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    refuse = ["strace", "-f", "-o", str(tmp_path / "trace"), "-e", "trace=fdatasync,fsync"]
    # Of each thread's own: SQLite asks once a commit, in the thread that leads.
    refuse += ["-e", "inject=fdatasync:error=EIO:when=2..3"]
    open_store(tmp_path / "store", create=True).close()
    done = subprocess.run(
        [*refuse, sys.executable, "-c", REFUSED, str(tmp_path / "store")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    said, failed = set(map(int, done.stdout.split())), done.stderr.splitlines()
    assert len(said) + len(failed) == THREADS * WRITES
    assert failed
    for each in failed:
        assert "state.sqlite: disk I/O error; is there room" in each
    there = numbers_of(tmp_path / "store")
    assert said <= set(there)
    with open_store(tmp_path / "store") as store:
        assert len(store.ledger.entries()) == len(there) == len(set(there))


Work = Callable[[Store, int], Any]


def one_group(store: Store, works: list[Work]) -> list[Future[Any]]:
    """Do works at once, in their order in one commit; return what came of each."""
    with ThreadPoolExecutor(len(works)) as pool:
        with store.backend.writing():
            done = []
            for number, work in enumerate(works):
                done.append(pool.submit(work, store, number))
                until = time.monotonic() + 30
                while len(store.backend._queue._waiting) <= number:  # type: ignore[attr-defined]
                    assert time.monotonic() < until
                    time.sleep(0.001)
        return done


class Watched:
    """A connection that notes commits, and fails them where it is told to."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection, self.commits, self.fails = connection, 0, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *rest: Any) -> sqlite3.Cursor:
        if statement == "COMMIT":
            self.commits += 1
            if self.fails:
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
                raise error
        return self._connection.execute(statement, *rest)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Store, Watched]]:
    """Return a store whose groups wait long for their members, and its connection."""
    with open_store(tmp_path / "store", create=True, longest_wait=1.0) as store:
        write(store, 90)
        file = store.backend.tail_file  # type: ignore[attr-defined]
        file.writer = Watched(file.writer)
        yield store, file.writer
        file.writer = file.writer._connection


def test_a_group_is_one_commit_in_the_order_in_which_it_came(watched):
    store, connection = watched
    before = connection.commits
    done = one_group(store, [same_key] * 4)
    # The lock that was held is one, and the group.
    assert connection.commits == before + 2
    reports = [each.result() for each in done]
    assert [(report.new, report.revised) for report in reports] == [(1, 0), *[(0, 1)] * 3]
    received = [report.received_at for report in reports]
    assert received == sorted(set(received))
    assert [report.follows.received for report in reports[1:]] == received[:-1]
    log = store.log(["A"])
    assert log["close"].to_list() == [1.0, 2.0, 3.0, 4.0]
    assert log["revision"].to_list() == [1, 2, 3, 4]
    assert [report.entry for report in reports] == list(range(2, 6))


def same_key(store: Store, number: int) -> Any:
    return store.write(candle_frame({("A", at(0)): flat(1.0 + number)}), source_timeframe="1m")


def test_one_that_fails_takes_no_other_with_it(watched):
    store, connection = watched

    def fails(store: Store, number: int) -> None:
        def work(writing: Any) -> None:
            write_of(writing)
            raise ZeroDivisionError

        store.backend.write(work, 1)

    def write_of(writing: Any) -> None:
        rows = store.log().with_columns(revision=store.log()["revision"] + 7)
        writing.append(rows)

    before = connection.commits
    done = one_group(store, [same_key, fails, same_key])
    assert connection.commits == before + 2
    assert isinstance(done[1].exception(), ZeroDivisionError)
    assert [done[0].result().new, done[2].result().revised] == [1, 1]
    assert store.log()["close"].to_list() == [1.0, 3.0, 10.0]
    with open_store(store.state_folder.parent) as other:
        assert other.log().equals(store.log())


def test_a_commit_that_fails_fails_all_of_its_group_and_leaves_none_of_it(watched):
    store, connection = watched
    before = store.log()
    connection.fails = True
    with ThreadPoolExecutor(3) as pool:
        done = [pool.submit(same_key, store, number) for number in range(3)]
    for each in done:
        with pytest.raises(StoreError, match=r"state\.sqlite: disk I/O error; is there room"):
            each.result()
    connection.fails = False
    assert store.log().equals(before)
    with open_store(store.state_folder.parent) as other:
        assert other.log().equals(before)
    assert [same_key(store, number).new for number in range(2)] == [1, 0]
    assert store.log(["A"])["close"].to_list() == [1.0, 2.0]


def test_who_stops_waiting_leaves_the_others_their_turn(watched):
    store, _ = watched

    class Stopped(BaseException):
        pass

    def stop() -> AbstractContextManager[object]:
        raise Stopped

    for _ in range(2):
        with pytest.raises(Stopped):
            store.backend.write(lambda _: None, 1, stop)
    assert same_key(store, 0).new == 1


class Halt:
    """Stops who comes by first until it is told to let them go."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()

    def __call__(self) -> None:
        if not self.reached.is_set():
            self.reached.set()
            assert self.go.wait(60)


@contextmanager
def halted(store: Store, halt: Halt) -> Iterator[None]:
    """Begin a flush, which is to meet a halt, and let it end after the block."""
    with ThreadPoolExecutor(1) as pool:
        flushed = pool.submit(store.flush)
        try:
            assert halt.reached.wait(60)
            yield
        finally:
            halt.go.set()
        flushed.result()


@pytest.mark.parametrize("place", ["files", "commit"])
@pytest.mark.parametrize("other", [False, True])
def test_who_writes_and_reads_does_not_wait_for_a_flush(tmp_path, monkeypatch, place, other):
    monkeypatch.setattr("tallow.data.store.state.STORE_LOCK_SECONDS", 1)
    halt = Halt()
    with open_store(tmp_path, create=True) as store, open_store(tmp_path) as second:
        for number in range(20):
            write(store, number)
        stop_at(monkeypatch, place, halt)
        writer = second if other else store
        with halted(store, halt):
            # Enough to be folded twice, together with what came before if nobody took care.
            for number in range(20, 60):
                write(writer, number)
                assert len(writer.read()) == number + 1
            assert len(store.read()) == len(second.read()) == 60
        monkeypatch.undo()
        for each in (store, second):
            assert len(each.log()) == 60
            assert each.log()["revision"].to_list() == [1] * 60
        assert store.stats().tail_rows == 40
        store.flush()
    assert numbers_of(tmp_path) == list(range(60))


def stop_at(monkeypatch: pytest.MonkeyPatch, place: str, halt: Halt) -> None:
    if place == "files":
        write_files = TableLocation.write

        def slowly(self: TableLocation, rows: Any) -> Any:
            halt()
            return write_files(self, rows)

        monkeypatch.setattr(TableLocation, "write", slowly)
        return

    def later(path: Path) -> None:
        halt()
        sync_file(path)

    monkeypatch.setattr("tallow.data.store.commits.sync_file", later)


def test_all_flushes_of_a_store_are_done_by_one_thread_which_ends_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr("tallow.data.store.flush.STORE_FLUSH_ROWS", 4)
    writers = list[threading.Thread]()
    write_files = TableLocation.write

    def note(self: TableLocation, rows: Any) -> Any:
        writers.append(threading.current_thread())
        return write_files(self, rows)

    monkeypatch.setattr(TableLocation, "write", note)
    with open_store(tmp_path, create=True) as store:
        for number in range(40):
            write(store, number)
    assert len(writers) >= 5
    assert len(set(writers)) == 1
    assert writers[0] is not threading.current_thread()
    assert not writers[0].is_alive()


def test_a_long_write_beside_a_flush_is_not_doubled(tmp_path, monkeypatch):
    monkeypatch.setattr("tallow.data.store.flush.STORE_TAIL_BATCH_ROWS", 100)
    halt = Halt()
    with open_store(tmp_path, create=True) as store:
        for number in range(5):
            write(store, number)
        stop_at(monkeypatch, "files", halt)
        long = candle_frame({("Z", at(number)): flat(2.0) for number in range(200)})
        with halted(store, halt):
            assert store.write(long, source_timeframe="1m").new == 200
        log = store.log()
        assert len(log) == 205
        assert log["revision"].unique().to_list() == [1]
        assert store.stats().tail_rows == 0


def test_a_flush_that_was_killed_in_its_middle_is_done_again(tmp_path, monkeypatch):
    with open_store(tmp_path, create=True) as store:
        for number in range(20):
            write(store, number)
        with monkeypatch.context() as patch:
            patch.setattr(TableLocation, "write", broken)
            with pytest.raises(KeyboardInterrupt):
                store.flush()
        for number in range(20, 60):
            write(store, number)
        store.flush()
        assert store.stats().tail_rows == 0
        assert [close for *_, close, _, _ in read(store)] == [10.0] * 60
    assert numbers_of(tmp_path) == list(range(60))


def broken(*_: object) -> None:
    raise KeyboardInterrupt
