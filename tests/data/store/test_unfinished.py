"""Goal: what a loss of power leaves of commits and checkpoints that were not on disk is no harm:
the store opens with all that was acknowledged; what was acknowledged and is damaged is refused.

Method: a process ends just before it waits for a commit, or for a checkpoint, whose file is then
emptied, cut off, filled with zeros or removed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tallow.core.errors import DamagedFileError, StoreError
from tallow.data.store import commits, delta
from tallow.data.store.store import Store, open_store
from tests.frames import market


class PowerOff(BaseException):
    """No code that cleans up expects this."""


def off(*_: object) -> None:
    raise PowerOff


def off_at_a_checkpoint(path: Path) -> None:
    if "check" in path.name:
        raise PowerOff


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:150])


def cut_between_lines(path: Path) -> None:
    path.write_bytes(path.read_bytes().rpartition(b"\n")[0])


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def zero_in_the_middle(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[len(body) // 3 : len(body) // 2] = bytes(len(body) // 2 - len(body) // 3)
    path.write_bytes(body)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def newest(folder: Path, pattern: str = "*.json") -> Path:
    return max((folder / "_delta_log").glob(pattern))


def write(store: Store, seed: int) -> None:
    store.write(market(["A", "B"], rows=30, seed=seed), source_timeframe="1m")


@pytest.mark.parametrize("harm", [cut, cut_between_lines, zero, zero_in_the_middle, empty])
def test_a_commit_that_never_was_on_disk_never_was(tmp_path, monkeypatch, harm):
    store = open_store(tmp_path, create=True)
    write(store, 1)
    store.flush()
    write(store, 2)
    log, version = store.log(), store.stats().version
    with monkeypatch.context() as patch:
        patch.setattr(delta, "sync_commits", off)
        with pytest.raises(PowerOff):
            store.flush()
    store.close()
    assert newest(tmp_path).name == f"{version + 1:020d}.json"
    harm(newest(tmp_path))
    with open_store(tmp_path) as again:
        assert again.log().equals(log)
        write(again, 3)
        again.flush()
        assert again.stats().version == version + 1
        assert len(again.ledger.entries()) == 3
    # That one was acknowledged: no power is lost without a trace.
    harm(newest(tmp_path))
    with pytest.raises(DamagedFileError, match="backup"):
        open_store(tmp_path)


@pytest.mark.parametrize("harm", [cut, zero, empty])
def test_a_store_that_was_not_made_is_made_again(tmp_path, monkeypatch, harm):
    with monkeypatch.context() as patch:
        patch.setattr("tallow.data.store.table.sync_commits", off)
        with pytest.raises(PowerOff):
            open_store(tmp_path, create=True)
    harm(newest(tmp_path))
    with pytest.raises(StoreError, match="holds no store"):
        open_store(tmp_path)
    with open_store(tmp_path, create=True) as store:
        write(store, 1)
        store.flush()
    assert len(open_store(tmp_path).log())


def test_a_damaged_commit_beside_a_lost_state_is_no_unfinished_one(tmp_path):
    with open_store(tmp_path, create=True) as store:
        write(store, 1)
        store.flush()
    for path in (tmp_path / "_tallow").iterdir():
        path.unlink()
    empty(newest(tmp_path))
    with pytest.raises(DamagedFileError, match="backup"):
        open_store(tmp_path)


@pytest.mark.parametrize("harm", [zero_in_the_middle, empty, Path.unlink])
@pytest.mark.parametrize("file", ["*.checkpoint.parquet", "_last_checkpoint"])
def test_a_checkpoint_that_never_was_on_disk_is_no_harm(tmp_path, monkeypatch, harm, file):
    monkeypatch.setattr(commits, "STORE_CHECKPOINT_VERSIONS", 3)
    store = open_store(tmp_path, create=True)
    for seed in range(4):
        write(store, seed)
        store.flush()
    write(store, 5)
    log = store.log()
    # The second checkpoint, with the version that is made now.
    with monkeypatch.context() as patch:
        patch.setattr(commits, "sync_file", off_at_a_checkpoint)
        with pytest.raises(PowerOff):
            store.flush()
    store.close()
    assert len(list((tmp_path / "_delta_log").glob("*.checkpoint.parquet"))) == 2
    harm(newest(tmp_path, file))
    with open_store(tmp_path) as again:
        assert again.log().equals(log)
        write(again, 6)
        again.flush()
        assert len(again.log()) > len(log)
