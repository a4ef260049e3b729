"""Goal: a store keeps universes as it keeps candles: with revisions, wherever it lies, for good.

Method: one story of a list that changes - recorded, the same again, replaced, asked as it was
known, compacted, pruned, copied - is told on a folder, on a bucket and in a database, with limits
so low that rows move from the tail to files.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from tallow import Universe, open_store, read_universe
from tallow.core.errors import UniverseError
from tallow.data.store.store import Store
from tests.frames import flat_candle

MAY, JUNE = date(2025, 5, 31), date(2025, 6, 1)


def listed(name: str, *rows: tuple[Any, ...]) -> Universe:
    """Return a universe of rows of an instrument, its first and last date, and its sector."""
    columns = {"symbol": pl.String, "from": pl.Date, "to": pl.Date, "sector": pl.String}
    whole = [(*row, *[None] * (len(columns) - len(row))) for row in rows]
    return read_universe(pl.DataFrame(whole, columns, orient="row"), name)


def members(store: Store, name: str, known_at: int | None = None) -> dict[date, list[str]]:
    universe = store.universes.read(name, known_at=known_at)
    return {day: universe.members(day) for day in (MAY, JUNE)}


def candle(name: str, day: str) -> pl.DataFrame:
    return flat_candle(name, f"{day}T09:15+05:30", 10.0, 5.0)


@pytest.mark.usefixtures("tiny_limits")
def test_a_story_of_a_list(place: Any, tmp_path: Any) -> None:
    store = place.open()
    store.write(
        pl.concat([candle("A", "2025-05-05"), candle("A", "2025-05-06")]), source_timeframe="1m"
    )
    span = store.stats().first, store.stats().last
    before = store.last_received()
    first = listed("index", ("A",), ("B", None, MAY, "X"), ("C", JUNE, None, "Y"))
    report = store.universes.record(first)
    assert (report.new, report.identical, report.revised) == (3, 0, 0)
    again = store.universes.record(first)
    assert (again.new, again.identical, again.revised, again.received_at) == (0, 3, 0, None)
    assert store.universes.read("index") == first
    assert store.universes.read("index/Y").members(JUNE) == ["C"]
    known = store.last_received()

    # A leaves, B comes back, C's sector is another one.
    second = listed("index", ("B", None, MAY, "X"), ("B", date(2026, 1, 1), None, "X"), ("C",))
    report = store.universes.record(second)
    assert (report.new, report.identical, report.revised) == (2, 1, 2)
    store.universes.record(listed("own", ("A", JUNE)))
    assert store.universes.names() == ["index", "own"]
    assert members(store, "index") == {MAY: ["B", "C"], JUNE: ["C"]}

    def told(other: Store) -> None:
        assert other.universes.names() == ["index", "own"]
        assert other.universes.names(known_at=known) == ["index"]
        assert other.universes.names(known_at=before) == []
        assert other.universes.read("index") == second
        assert other.universes.read("index", known_at=known) == first
        assert members(other, "own") == {MAY: [], JUNE: ["A"]}
        with pytest.raises(UniverseError, match="does not know it at that moment; it has none"):
            other.universes.read("own", known_at=before)

    told(store)
    # What is no candle is in no list of candles, and the store's span is theirs.
    assert store.instruments() == ["A"]
    assert (store.stats().first, store.stats().last) == span
    store.compact()
    # Another process; a machine's tail is its own where the store is a bucket.
    told(place.open("two"))
    store.backup(tmp_path / "copy")
    with open_store(tmp_path / "copy") as copy:
        told(copy)
        copy.backup(tmp_path / "restored")
    with open_store(tmp_path / "restored") as restored:
        told(restored)
    store.prune(before=2_000_000_000_000_000)
    assert store.read().is_empty()
    told(store)
    # The list of before: A and C of Y are back, C of no sector and B's second time are not in it.
    assert store.universes.record(first).revised == 4
    assert store.universes.read("index") == first


def test_a_list_that_another_thread_wrote_meanwhile_is_replaced_as_a_whole(tmp_path: Any) -> None:
    with open_store(tmp_path, create=True) as one, open_store(tmp_path) as other:
        one.universes.record(listed("u", ("A",), ("B",)))
        other.universes.record(listed("u", ("C",)))
        one.universes.record(listed("u", ("D",)))
        assert other.universes.read("u").members(MAY) == ["D"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a/b", "a name is a word without /, which is for groups"),
        (" ", "a name is a word"),
        ("x\ny", "a name is a word"),
        ("nifty.csv", "is the name of a file; leave out its ending"),
    ],
)
def test_a_name_that_would_be_read_as_something_else_is_refused(
    tmp_path: Any, name: str, said: str
) -> None:
    with open_store(tmp_path, create=True) as store:
        with pytest.raises(UniverseError) as caught:
            store.universes.record(listed(name, ("A",)))
        assert said in str(caught.value)
        assert store.universes.names() == []


def test_a_name_that_is_not_known_is_refused_with_those_like_it(tmp_path: Any) -> None:
    with open_store(tmp_path, create=True) as store:
        with pytest.raises(UniverseError, match="nifty; the store does not know it; it has none"):
            store.universes.read("nifty")
        store.universes.record(listed("nifty50", ("A", None, None, "IT")))
        with pytest.raises(UniverseError, match=r"nifty; .* did you mean nifty50\?"):
            store.universes.read("nifty")
        with pytest.raises(UniverseError, match=r"nifty50/I T; unknown group; did you mean IT\?"):
            store.universes.read("nifty50/I T")
