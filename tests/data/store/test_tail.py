"""Goal: a tail stays short however many small writes make it, and nobody misses or doubles a row.

Method: rows are added to the file of a tail one by one. After each, the batches are counted; who
wrote, who looks now and then, and who opens the file anew must find the rows added so far. Twice
fifteen batches is what the rule leaves: sixteen of a kind become one of the next.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

from tallow.core.limits import STORE_TAIL_FOLD, STORE_TAIL_FOLD_ROWS, STORE_TAIL_LOOSE
from tallow.data.reading.schema import NUMBERS, OPEN_INTEREST
from tallow.data.store import tail
from tallow.data.store.log import LOG_SCHEMA, Selection
from tallow.data.store.state import connect
from tallow.data.store.store import open_store
from tallow.data.store.tail import TailFile
from tests.data.store.model import at, candle_frame, flat, read

WRITES = 400
SMALL_BATCHES_MAX = 2 * (STORE_TAIL_FOLD - 1)
ALL = Selection(None, None, None)


def write_of(number: int, rows: int = 1) -> pl.DataFrame:
    """Return rows of the log as a write's: of an instrument of seven, received at its number."""
    same = {"timeframe": "1m", "adjustment": "raw", "instrument": f"I{number % 7}"}
    prices = dict.fromkeys((*NUMBERS, OPEN_INTEREST), 100.0 + number)
    own = {"revision": 1, "received_at": number, "source": "feed", "deleted": False}
    times = pl.Series("timestamp", range(at(number), at(number) + rows))
    row = {name: pl.lit(value) for name, value in (same | prices | own).items()}
    return pl.DataFrame(times).with_columns(**row).select(list(LOG_SCHEMA)).cast(LOG_SCHEMA)  # type: ignore[arg-type]


def add(file: TailFile, rows: pl.DataFrame) -> None:
    with file.locked() as tail:
        file.add(rows, tail)


def numbers_in(file: TailFile, selection: Selection = ALL) -> list[int]:
    """Return the receipts of all rows, sorted: each stands for a write."""
    rows = file.tail().scan(selection, ["instrument", "timestamp", "revision", "received_at"])
    return sorted(rows["received_at"].to_physical().to_list())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a tail's file is to lie."""
    return tmp_path / "state" / "state.sqlite"


def test_a_tail_of_small_writes_stays_short_for_everybody(path):
    file, other = TailFile(path), TailFile(path)
    for number in range(WRITES):
        add(file, write_of(number))
        assert len(file.tail().batches) <= SMALL_BATCHES_MAX + number // STORE_TAIL_FOLD_ROWS
        if number % 37 == 0:
            assert numbers_in(other) == list(range(number + 1))
    new = TailFile(path)
    for each in (file, other, new):
        assert numbers_in(each) == list(range(WRITES))
        assert each.tail().token == file.tail().token
        assert [b.id for b in each.tail().batches] == [b.id for b in file.tail().batches]
    one = ALL.replace(instruments=("I3",))
    assert numbers_in(other, one) == [number for number in range(WRITES) if number % 7 == 3]
    (held,) = sqlite3.connect(path).execute("SELECT sum(length(body)) FROM batches").fetchone()
    assert held < 1_000 * WRITES
    for each in (file, other, new):
        each.close()


def test_long_writes_are_left_alone_among_short_ones(path):
    file = TailFile(path)
    long = range(0, 60, 3)
    for number in range(60):
        add(file, write_of(number, STORE_TAIL_FOLD_ROWS if number in long else 1))
    batches = file.tail().batches
    assert sum(len(batch.frame) == STORE_TAIL_FOLD_ROWS for batch in batches) == len(long)
    assert len(batches) - len(long) <= SMALL_BATCHES_MAX
    assert len(long) > STORE_TAIL_LOOSE
    for name in range(7):
        wanted = [n for n in range(60) if n % 7 == name for _ in range(512 if n in long else 1)]
        assert numbers_in(file, ALL.replace(instruments=(f"I{name}",))) == wanted
    file.close()


def test_what_was_dropped_is_gone_for_who_knew_it_and_numbers_go_on(path):
    file, other = TailFile(path), TailFile(path)
    for number in range(20):
        add(file, write_of(number))
    assert numbers_in(other) == list(range(20))
    with file.locked() as tail:
        file.drop(tail.batches[-1].id)
    add(file, write_of(20))
    for each in (file, other):
        assert numbers_in(each) == [20]
        assert [batch.id for batch in each.tail().batches] == [21]
        each.close()


def test_what_was_dropped_is_not_seen_while_its_room_is_not_given_back(path):
    """As a process leaves it that was killed in between."""
    file = TailFile(path)
    for number in range(20):
        add(file, write_of(number))
    with file.locked() as tail:
        file.drop(tail.batches[-1].id)
    add(file, write_of(20))
    new = TailFile(path)
    rows = sqlite3.connect(path)
    assert rows.execute("SELECT count(*) FROM batches").fetchone()[0] > 1
    assert numbers_in(new) == numbers_in(file) == [20]
    with new.locked():
        assert not new.sweep()
    assert rows.execute("SELECT count(*) FROM batches").fetchone()[0] == 1
    assert numbers_in(file) == [20]
    for each in (file, new, rows):
        each.close()


def test_a_sealed_batch_is_not_folded(path):
    file = TailFile(path)
    for number in range(STORE_TAIL_FOLD - 1):
        add(file, write_of(number))
    with file.locked() as tail:
        sealed = [batch.id for batch in tail.batches]
        file.seal(sealed[-1])
    other = TailFile(path)
    for number in range(STORE_TAIL_FOLD - 1, 3 * STORE_TAIL_FOLD):
        add(other, write_of(number))
    assert [batch.id for batch in other.tail().batches][: len(sealed)] == sealed
    assert numbers_in(file) == numbers_in(other) == list(range(3 * STORE_TAIL_FOLD))
    for each in (file, other):
        each.close()


def test_a_file_from_before_folding_goes_on(path):
    """It has no count of writes in a batch, and the first two of five were flushed."""
    file = TailFile(path)
    for number in range(5):
        add(file, write_of(number))
    file.close()
    old = sqlite3.connect(path)
    old.executescript(
        "DELETE FROM batches WHERE id <= 2; ALTER TABLE batches DROP COLUMN writes;"
        "DELETE FROM facts WHERE name = 'dropped'; PRAGMA user_version = 0;"
    )
    old.close()
    file = TailFile(path)
    for number in range(5, 40):
        add(file, write_of(number))
    assert numbers_in(file) == list(range(2, 40))
    assert len(file.tail().batches) <= SMALL_BATCHES_MAX
    file.close()


def test_an_older_copy_of_the_file_uses_no_number_again(tmp_path):
    """A number that the table names as flushed would make a write invisible."""
    with open_store(tmp_path / "store", create=True) as store:
        store.write(candle_frame({("A", at(0)): flat(1)}), source_timeframe="1m")
    state, copy = tmp_path / "store" / "_tallow", tmp_path / "copy"
    shutil.copytree(state, copy)
    with open_store(tmp_path / "store") as store:
        store.write(candle_frame({("A", at(1)): flat(2)}), source_timeframe="1m")
        store.write(candle_frame({("A", at(2)): flat(3)}), source_timeframe="1m")
        store.flush()
    shutil.rmtree(state)
    shutil.copytree(copy, state)
    # What the copy knows of the table is older, too: that it grew is no harm.
    with open_store(tmp_path / "store") as store:
        store.write(candle_frame({("A", at(3)): flat(4)}), source_timeframe="1m")
        assert [close for *_, close, _, _ in read(store)] == [1.0, 2.0, 3.0, 4.0]


def test_a_write_is_not_read_back_but_what_others_wrote_is(path, monkeypatch):
    decoded = []
    decode = tail._decoded

    def noted(*row):
        decoded.append(row[0])
        return decode(*row)

    monkeypatch.setattr(tail, "_decoded", noted)
    file, other = TailFile(path), TailFile(path)
    for number in range(STORE_TAIL_FOLD):
        add(file, write_of(number))
        assert numbers_in(file) == list(range(number + 1))
    assert decoded == []
    add(other, write_of(STORE_TAIL_FOLD))
    add(file, write_of(STORE_TAIL_FOLD + 1))
    assert numbers_in(file) == list(range(STORE_TAIL_FOLD + 2))
    # The folded batch by the other one, its own by the first.
    assert decoded == [STORE_TAIL_FOLD, STORE_TAIL_FOLD + 1]
    file.close()
    other.close()


def test_a_write_that_fails_is_not_remembered(path):
    file = TailFile(path)
    add(file, write_of(0))
    with suppress(ZeroDivisionError), file.locked() as known:
        file.add(write_of(1), known)
        raise ZeroDivisionError
    assert numbers_in(file) == [0]
    add(file, write_of(2))
    assert numbers_in(file) == [0, 2]
    file.close()


class WrittenMeanwhile:
    """A connection that moves what waits: while it does so for the first time, a write comes."""

    def __init__(self, inner: sqlite3.Connection, path: Path, write: Callable[[], object]) -> None:
        self._inner, self._path, self._write, self._came = inner, path, write, False

    def execute(self, statement: str) -> None:
        if self._came:
            self._inner.execute(statement)
            return
        # What came after a reader began is not moved: as if it came too late.
        self._came, reader = True, sqlite3.connect(self._path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM facts").fetchall()
        self._write()
        self._inner.execute(statement)
        reader.close()

    def close(self) -> None:
        self._inner.close()


def test_what_lies_beside_a_file_is_begun_anew_though_writes_go_on(path, monkeypatch):
    file, writes = TailFile(path), 24
    numbers = iter(range(writes))
    monkeypatch.setattr(
        tail,
        "connect",
        lambda where: WrittenMeanwhile(
            connect(where), where, lambda: add(file, write_of(next(numbers)))
        ),
    )
    sizes = []
    for _ in range(writes):
        file.checkpoint()
        sizes.append(path.with_name(f"{path.name}-wal").stat().st_size)
    file.close()
    # Room for a write that folds sixteen; all writes together take far more.
    assert max(sizes) < 4 * sizes[0]
    monkeypatch.undo()
    again = TailFile(path)
    assert numbers_in(again) == list(range(writes))
    again.close()
