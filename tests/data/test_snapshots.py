"""Goal: a state comes back as the bits that were kept, or not at all; the file stays small, and a
damaged one costs nothing but the states in it.

Method: states of any bits go in and out, also through a second user of the same file; the file's
bytes are then overwritten.
"""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow.core.errors import TallowWarning
from tallow.data import snapshots as module
from tallow.data.snapshots import SnapshotKey, Snapshots

SERIES = b"0123456789abcdef"


def key(boundary: int = 10, known_until: int = 100, series: bytes = SERIES) -> SnapshotKey:
    return SnapshotKey(series, boundary, known_until)


@pytest.fixture
def kept(tmp_path):
    return Snapshots(tmp_path / "snapshots.sqlite")


@settings(max_examples=25)
@given(st.binary(min_size=8, max_size=800))
def test_every_bit_comes_back(tmp_path_factory, content):
    state = np.frombuffer(content[: len(content) // 8 * 8])
    file = tmp_path_factory.mktemp("kept") / "snapshots.sqlite"
    Snapshots(file).save([(key(), state)])
    back = Snapshots(file).load(key())
    assert back is not None
    assert back.tobytes() == state.tobytes()


def test_what_there_is_comes_latest_first(kept):
    places = [key(10), key(30, 200), key(30, 300), key(20), key(50), key(20, series=b"other")]
    kept.save((place, np.arange(3.0)) for place in places)
    assert kept.find([SERIES, b"none"], 30) == {
        SERIES: [key(30, 300), key(30, 200), key(20), key(10)]
    }
    assert kept.find([SERIES, b"other"], 20)[b"other"] == [key(20, series=b"other")]


def test_what_is_not_there_is_none(kept):
    assert kept.load(key()) is None
    kept.save([])
    assert kept.find([SERIES], 100) == {}


def test_a_state_of_the_same_key_is_replaced(kept):
    kept.save([(key(), np.arange(3.0))])
    kept.save([(key(), np.arange(4.0))])
    np.testing.assert_array_equal(kept.load(key()), np.arange(4.0))


def test_a_changed_state_is_noticed_and_everything_begins_anew(kept, tmp_path):
    kept.save([(key(10), np.arange(3.0)), (key(20), np.arange(3.0))])
    with sqlite3.connect(tmp_path / "snapshots.sqlite") as other:
        other.execute("UPDATE snapshot SET state = ? WHERE boundary = 20", (bytes(24),))
    other.close()
    np.testing.assert_array_equal(kept.load(key(10)), np.arange(3.0))
    assert kept.load(key(20)) is None
    assert kept.find([SERIES], 100) == {}
    kept.save([(key(20), np.arange(5.0))])
    assert Snapshots(tmp_path / "snapshots.sqlite").find([SERIES], 100) == {SERIES: [key(20)]}


def test_what_was_not_used_for_long_goes_first(kept, monkeypatch):
    """A hundred states, a day apart, of which the first is used again on the last day."""
    state, day = np.zeros(1_000), 20_000
    for place in range(100):
        monkeypatch.setattr(module, "_today", lambda today=day + place: today)
        if place == 99:
            assert kept.load(key(0)) is not None
            monkeypatch.setattr(module, "SNAPSHOT_BYTES", 400_000)
        kept.save([(key(place), state)])
    left = {found.boundary for found in kept.find([SERIES], 1_000)[SERIES]}
    assert left == {0, *range(27, 100)}


def test_a_file_that_another_holds_is_a_warning(kept, tmp_path):
    kept.save([(key(), np.arange(3.0))])
    other = sqlite3.connect(tmp_path / "snapshots.sqlite")
    other.execute("BEGIN IMMEDIATE")
    with pytest.warns(TallowWarning, match="locked; queries start further back"):
        kept.save([(key(20), np.arange(3.0))])
    other.close()
    np.testing.assert_array_equal(kept.load(key()), np.arange(3.0))
