"""Goal: rows that ascend in time come back sorted by instrument, however few of them are held.

Method: random frames go in with every size of memory, and are compared with Polars' own sort.
"""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow.core.errors import OutputError
from tallow.data.spill import Spill
from tests.frames import assert_same_frame, candles, market, minutes

NAMES = ["A", "B", "NSE|é", "Z", "a"]


@settings(max_examples=40)
@given(
    rows=st.integers(1, 500),
    cuts=st.lists(st.integers(0, 300), max_size=8),
    share=st.floats(0.1, 1.0),
)
def test_rows_come_back_sorted(tmp_path_factory, rows, cuts, share):
    frame = market(NAMES, rows=90).sample(fraction=share, seed=1).sort("timestamp", "instrument")
    bounds = [0, *sorted(min(cut, len(frame)) for cut in cuts), len(frame)]
    folder = tmp_path_factory.mktemp("spill")
    with Spill(folder, rows) as spill:
        for low, high in pairwise(bounds):
            spill.add(frame[low:high])
        back = list(spill.sorted_frames())
    assert_same_frame(pl.concat(back), frame.sort("instrument", "timestamp"))
    assert list(folder.iterdir()) == []


def test_frames_are_of_about_the_size_asked_for(tmp_path):
    times = minutes("2025-06-02T09:15+05:30", 30)
    frame = pl.concat([candles(f"I{k:02}", times) for k in range(20)]).sort("timestamp")
    with Spill(tmp_path, 100) as spill:
        for piece in frame.iter_slices(45):
            spill.add(piece)
        sizes = [len(each) for each in spill.sorted_frames()]
    assert sum(sizes) == len(frame)
    assert max(sizes) <= 100


def test_nothing_in_is_nothing_out(tmp_path):
    with Spill(tmp_path) as spill:
        spill.add(market(["A"]).clear())
        assert list(spill.sorted_frames()) == []


def test_the_temporary_folder_goes_away_with_an_error(tmp_path):
    def spill_and_fail():
        with Spill(tmp_path, 10) as spill:
            spill.add(market(NAMES))
            assert len(list(tmp_path.glob("*/*.arrow"))) == 1
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        spill_and_fail()
    assert list(tmp_path.iterdir()) == []


def test_no_room_for_the_temporary_files(tmp_path, monkeypatch):
    def full(*_given, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_ipc", full)
    with (
        pytest.raises(OutputError, match=r"must have room.*No space left"),
        Spill(tmp_path, 1) as s,
    ):
        s.add(market(["A"]))
