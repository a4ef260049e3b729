"""Goal: a store whose state file was lost opens with all that its table holds, and says once what
may be missing; nothing derived from what is missing is used; and nobody is warned for nothing.

Method: the file is taken away, or emptied, between two openings, in a folder and beside a bucket.
In all other tests of stores a warning is an error.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tallow import AnalyticsEngine, open_store
from tallow.core.errors import TallowWarning
from tallow.data.store.store import Store
from tests.data.store.conftest import Place
from tests.frames import assert_same_frame, market
from tests.serve.calling import tallow

FLUSHED, WAITING = market(["A"], rows=90), market(["A"], "2025-06-02T11:00+05:30", rows=30)
SAID = (
    r"state\.sqlite is not there, .*the ledger and the quarantine may be missing.*tallow store re"
)


def without_folder(state: Path) -> None:
    shutil.rmtree(state)


def without_file(state: Path) -> None:
    for path in state.glob("state.sqlite*"):
        path.unlink()


def emptied(state: Path) -> None:
    without_file(state)
    (state / "state.sqlite").touch()


def fill(store: Store) -> None:
    store.write(FLUSHED, source_timeframe="1m")
    store.flush()
    store.write(WAITING, source_timeframe="1m")
    store.close()


@pytest.mark.parametrize("lose", [without_folder, without_file, emptied])
def test_a_lost_state_file_is_told_once_and_the_table_is_whole(
    lose: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = tmp_path / "store"
    fill(open_store(folder, create=True))
    lose(folder / "_tallow")
    with pytest.warns(TallowWarning, match=SAID):
        store = open_store(folder)
    with store:
        assert_same_frame(store.read().drop("open_interest"), FLUSHED)
        assert len(store.ledger.entries()) == 0
        # What is written again is new.
        assert store.write(WAITING, source_timeframe="1m").new == len(WAITING)
    with open_store(folder) as store:
        assert len(store.read()) == len(FLUSHED) + len(WAITING)


def test_the_warning_points_at_who_opens_the_store(tmp_path: Path) -> None:
    fill(open_store(tmp_path, create=True))
    without_folder(tmp_path / "_tallow")
    with pytest.warns(TallowWarning) as told:
        open_store(tmp_path).close()
    assert [each.filename for each in told] == [__file__]


def test_no_snapshot_of_what_is_missing_is_used(tmp_path: Path) -> None:
    later = market(["A"], "2025-07-02T09:15+05:30", rows=30)
    asked = ("A", "5m", "2025-07-02", "2025-07-03", "ema(3)")
    with open_store(tmp_path / "store", create=True) as store:
        store.write(pl.concat([FLUSHED, later]), source_timeframe="1m")
        store.flush()
        store.write(WAITING, source_timeframe="1m")
        with_all = AnalyticsEngine(store=store).query(*asked).frame
    assert (tmp_path / "store" / "_tallow" / "snapshots.sqlite").exists()
    without_file(tmp_path / "store" / "_tallow")
    with pytest.warns(TallowWarning):
        store = open_store(tmp_path / "store")
    with store:
        found = AnalyticsEngine(store=store).query(*asked).frame
    with open_store(tmp_path / "another", create=True) as store:
        store.write(pl.concat([FLUSHED, later]), source_timeframe="1m")
        assert_same_frame(found, AnalyticsEngine(store=store).query(*asked).frame)
    assert not found.equals(with_all)


def test_a_bucket_that_a_machine_opens_for_the_first_time_lacks_nothing(
    new_place: Callable[[str], Place],
) -> None:
    place = new_place("bucket")
    fill(place.open("one"))
    assert len(place.open("two").read()) == len(FLUSHED)
    state = place.state("one")
    assert state is not None
    shutil.copy(state / "state.sqlite", state / "snapshots.sqlite")
    without_file(state)
    with pytest.warns(TallowWarning, match=SAID):
        place.open("one")


def test_the_command_line_says_it_in_a_line_of_its_own(tmp_path: Path) -> None:
    fill(open_store(tmp_path, create=True))
    asked = ("store", "coverage", "--store", tmp_path, "--end", "2025-06-03", "--json")
    before = tallow(*asked)
    assert before.stderr == ""
    without_folder(tmp_path / "_tallow")
    after, again = tallow(*asked), tallow(*asked)
    assert after.exit_code == again.exit_code == 0
    assert after.stderr.startswith(f"Warning: store: {tmp_path}: ")
    assert after.stderr.count("\n") == 1
    assert again.stderr == ""


def test_the_doctor_looks_at_the_store_that_the_environment_names(tmp_path: Path) -> None:
    fill(open_store(tmp_path, create=True))
    named = {"TALLOW_STORE": str(tmp_path)}
    assert f"{tmp_path}: {len(FLUSHED) + len(WAITING)} rows" in tallow("doctor", **named).stdout
    without_folder(tmp_path / "_tallow")
    lost = tallow("doctor", **named)
    assert lost.exit_code == 0
    # The longer the folder's name, the earlier a line of the table ends.
    assert "state.sqlite is not there" in " ".join(lost.stdout.split())
    next(tmp_path.glob("*.parquet")).unlink()
    harmed = tallow("doctor", **named)
    assert harmed.exit_code == 1
    assert "is missing" in harmed.stdout.replace("\n", "")
