"""Goal: a candle that is later than all of its instrument is written without a read, and only such.

Method: reads of the log are counted while candles are written beside others' writes, flushed files,
corporate actions of next year, and a write that failed; what each write is called is known.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow.data.actions import ACTION_SCHEMA
from tallow.data.store.store import Store, open_store
from tallow.data.store.view import DeltaView
from tests.data.store.model import at, candle_frame, counts, flat

NEW, SAME, REVISED = (1, 0, 0), (0, 1, 0), (0, 0, 1)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list to which each read of a view is added."""
    found: list[Any] = []
    scan = DeltaView.scan

    def noted(self: DeltaView, selection: Any, *rest: Any, **options: Any) -> Any:
        found.append(selection)
        return scan(self, selection, *rest, **options)

    monkeypatch.setattr(DeltaView, "scan", noted)
    return found


def put(store: Store, name: str, minute: int, price: float = 1.0) -> tuple[int, int, int]:
    return counts(
        store.write(candle_frame({(name, at(minute)): flat(price)}), source_timeframe="1m")
    )


def test_a_later_candle_is_new_without_a_read_and_any_other_is_looked_at(tmp_path: Path, reads):
    with open_store(tmp_path, create=True) as store, open_store(tmp_path) as other:
        assert [put(store, "A", minute) for minute in range(3)] == [NEW] * 3
        assert reads == []
        assert [put(store, "A", 2), put(store, "A", 2, 2.0)] == [SAME, REVISED]
        assert put(store, "B", 1) == NEW
        # All that there is was written here: B has none.
        assert len(reads) == 2
        # Of what others wrote only the longest series is known: B's next may be there, A's not.
        assert put(other, "B", 5) == NEW
        reads.clear()
        assert [put(store, "B", 5), put(store, "B", 6), put(store, "A", 6)] == [SAME, NEW, NEW]
        assert len(reads) == 1


def test_files_with_actions_of_next_year_hide_no_end(tmp_path: Path, reads):
    with open_store(tmp_path, create=True) as store:
        put(store, "A", 0)
        row = ("A", date(2031, 1, 2), "split", 5.0, 1.0, None, None)
        store.actions.record(pl.DataFrame([row], ACTION_SCHEMA, orient="row"))
        store.flush()
        reads.clear()
        assert put(store, "A", 1) == NEW
        assert reads == []


def test_a_write_that_failed_is_no_end(tmp_path: Path, reads):
    with open_store(tmp_path, create=True) as store:
        put(store, "A", 0)

        def work(writing: Any) -> None:
            rows = store.log()
            assert writing.all_new("1m", "raw", ["A"], [at(1)])
            writing.append(rows)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            store.backend.write(work, 1)
        assert [put(store, "A", 1), put(store, "A", 1)] == [NEW, SAME]
