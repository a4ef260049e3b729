"""Goal: a full disk or a damaged file is an error that says where and what to do, and no more harm.

Method: a store lies on a small disk of its own, mounted for the test, that is filled up but for
some pages: page by page, every step of a write, a flush or a compaction meets the disk's end. What
failed must be invisible, and work once there is room. Files of stores are cut off, removed,
emptied, and have single bits flipped.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from tallow.core.errors import DamagedFileError, StoreError, TallowWarning
from tallow.data.store.maintenance import set_property
from tallow.data.store.store import Store, open_store
from tests.data.store.campaign import (
    LOG_COLUMNS,
    History,
    Step,
    expected_log,
    lower_limits,
    seed_of,
    work,
)
from tests.frames import market
from tests.sizes import sized

ROOT = Path(__file__).parents[3]
PAGE = 4_096
WRITES = [each for each in History(3).steps(range(60)) if each[1].kind == "write"]
LONG = [each for each in WRITES if len(each[1].rows) == 700]
SHORT = [each for each in WRITES if 100 < len(each[1].rows) < 400]
FLUSH, COMPACT = ((-1, Step(kind, pl.DataFrame())) for kind in ("flush", "compact"))

# What is there, and what then meets the end of the disk.
FULL: dict[str, tuple[list[tuple[int, Step]], list[tuple[int, Step]]]] = {
    "short writes": (SHORT[:1], SHORT[1:3]),
    "a long write": (SHORT[:2], LONG[:1]),
    "a flush": (SHORT[:2], [FLUSH]),
    "a compaction": ([LONG[0], SHORT[0], LONG[1], SHORT[1]], [COMPACT]),
    "a write that flushes": (SHORT[:5], SHORT[5:6]),
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    lower_limits(monkeypatch)


@dataclass
class SmallDisk:
    """A disk in memory that can be filled."""

    folder: Path

    def fill(self, leave: int) -> None:
        free = os.statvfs(self.folder)
        (self.folder / "ballast").write_bytes(bytes(free.f_bavail * free.f_frsize - leave))

    def clear(self) -> None:
        (self.folder / "ballast").unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[], SmallDisk]]:
    """Give new small disks; one at a time is mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def unmount() -> None:
        if folder.is_mount():
            subprocess.run(["umount", folder], check=True)

    def new() -> SmallDisk:
        unmount()
        command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        return SmallDisk(folder)

    yield new
    unmount()


def log_of(store: Store) -> pl.DataFrame:
    return store.log().select(LOG_COLUMNS)


@pytest.mark.parametrize("name", FULL)
def test_what_meets_the_end_of_the_disk_leaves_no_trace(name, disk):
    before, steps = FULL[name]
    outcomes = [meets_the_end(disk(), before, steps, pages) for pages in range(0, 90, sized(15, 7))]
    assert outcomes[0] > 0
    assert outcomes[-1] == 0


@pytest.mark.nightly
@pytest.mark.parametrize("name", FULL)
def test_every_page_can_be_the_last(name, disk):
    for pages in range(100):
        meets_the_end(disk(), *FULL[name], pages)


def error_of(store: Store, step: tuple[int, Step]) -> str | None:
    """Do a step; return what the store says against it."""
    try:
        list(work(store, [step]))
    except StoreError as error:
        return str(error)
    return None


def meets_the_end(
    disk: SmallDisk, before: list[tuple[int, Step]], steps: list[tuple[int, Step]], pages: int
) -> int:
    """Do steps with so much room left; return how many failed, without a trace."""
    with warnings.catch_warnings(), open_store(disk.folder / "store", create=True) as store:
        # A flush after a write may fail; the write is safe then, and says so.
        warnings.simplefilter("ignore", TallowWarning)
        done = list(before)
        list(work(store, done))
        disk.fill(leave=pages * PAGE)
        failed = 0
        for step in steps:
            error = error_of(store, step)
            if error is None:
                done.append(step)
            else:
                failed += 1
                assert str(disk.folder / "store") in error
                assert "room" in error
            with open_store(disk.folder / "store") as another:
                assert log_of(store).equals(expected_log(done)), (pages, step[1].kind)
                assert log_of(another).equals(expected_log(done)), (pages, step[1].kind)
        disk.clear()
        list(work(store, steps))
        assert log_of(store).equals(expected_log([*done, *steps]))
        assert store.damaged() == []
    return failed


def test_a_write_whose_flush_fails_is_safe_and_says_so(disk):
    full = disk()
    with open_store(full.folder / "store", create=True) as store:
        list(work(store, SHORT[:4]))
        full.fill(leave=45 * PAGE)
        with pytest.warns(TallowWarning, match="the write itself is safe"):
            list(work(store, SHORT[4:5]))
        assert log_of(store).equals(expected_log(SHORT[:5]))


def test_a_checkpoint_that_finds_the_disk_full_fails_no_write(disk, tmp_path):
    with open_store(tmp_path / "store", create=True) as store:
        list(work(store, [SHORT[0], FLUSH]))
        # Delta's library writes a checkpoint with the version after this one.
        while store.stats().version < 98:
            backend = store.backend
            set_property(backend, "tallow.test", str(store.stats().version))  # type: ignore[arg-type]
    outcomes = set()
    for pages in range(64, 78):
        full = disk()
        shutil.copytree(tmp_path / "store", full.folder / "store")
        with open_store(full.folder / "store") as store:
            full.fill(leave=pages * PAGE)
            is_written = error_of(store, LONG[0]) is None
            steps = [SHORT[0], LONG[0]] if is_written else [SHORT[0]]
            assert log_of(store).equals(expected_log(steps)), pages
        has_checkpoint = any((full.folder / "store" / "_delta_log").glob("*.checkpoint.parquet"))
        outcomes.add((is_written, has_checkpoint))
    assert outcomes == {(False, False), (True, False), (True, True)}


@pytest.fixture
def two_files(tmp_path: Path) -> tuple[Path, list[pl.DataFrame], list[Path]]:
    """Return a store of two files, the candles in each, and the files."""
    frames = [market([name], rows=1_200, seed=seed) for name, seed in (("A", 1), ("B", 2))]
    files: list[Path] = []
    with open_store(tmp_path / "store", create=True) as store:
        for frame in frames:
            assert store.write(frame, source_timeframe="1m").new > 400
            files += set((tmp_path / "store").glob("*.parquet")) - set(files)
    return tmp_path / "store", frames, files


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def scribble(path: Path) -> None:
    """Make the end of a file unreadable, where Parquet has its directory; its length stays."""
    body = path.read_bytes()
    path.write_bytes(body[:-200] + bytes(200))


@pytest.mark.parametrize("harm", [cut, empty, Path.unlink, scribble])
def test_a_damaged_data_file_is_named_and_the_rest_can_be_read(two_files, harm):
    folder, frames, files = two_files
    harm(files[0])
    with open_store(folder) as store:
        with pytest.raises(StoreError, match=files[0].name) as caught:
            store.read()
        assert "partial" in str(caught.value)
        rest = store.read(partial=True)
        assert rest.drop("open_interest").equals(frames[1])
        # What lies in the other file is not touched by it.
        assert store.read(["B"]).equals(rest)
        assert store.write(frames[1], source_timeframe="1m").identical == len(frames[1])
        if harm is not scribble:
            assert [files[0].name in line for line in store.damaged()] == [True]


def test_a_file_put_back_heals_the_store(two_files):
    folder, frames, files = two_files
    body = files[0].read_bytes()
    files[0].unlink()
    with open_store(folder) as store:
        with pytest.raises(DamagedFileError):
            store.read()
        files[0].write_bytes(body)
        assert len(store.read()) == len(frames[0]) + len(frames[1])


def with_tail(folder: Path) -> tuple[pl.DataFrame, Path]:
    """Make a store with three files and a tail; return its log, and where it is."""
    with open_store(folder / "store", create=True) as store:
        list(work(store, [LONG[0], SHORT[0], FLUSH, LONG[1], SHORT[1]]))
        assert store.stats().files == 3
        assert store.stats().tail_rows
        return store.log(), folder / "store"


@pytest.mark.parametrize("version", [0, 1, 2, 3])
@pytest.mark.parametrize("harm", [cut, empty, Path.unlink])
def test_a_damaged_table_log_is_refused(tmp_path, version, harm):
    _, folder = with_tail(tmp_path)
    harm(folder / "_delta_log" / f"{version:020d}.json")
    with pytest.raises(StoreError, match=str(folder)):
        open_store(folder)


@pytest.mark.parametrize("rest", [b"", b"\x07" * 60_000])
def test_a_damaged_state_file_is_refused(tmp_path, rest):
    _, folder = with_tail(tmp_path)
    file = folder / "_tallow" / "state.sqlite"
    file.write_bytes(file.read_bytes()[:12_288] + rest)
    with pytest.raises(StoreError, match=r"state\.sqlite"), open_store(folder) as store:
        store.read()


def flip(tmp_path: Path, pattern: str, seed: int, flips: int) -> Counter[str]:
    """Flip bits of the first file of a pattern; return how often a read had which outcome.

    A flip that ended the process, as a size beyond all memory does, counts as `aborted`.
    """
    _, folder = with_tail(tmp_path)
    file = min(folder.glob(pattern))
    body, outcomes = file.read_bytes(), list[str]()
    command = [sys.executable, "-m", "tests.data.store.flips", str(folder), str(file)]
    while len(outcomes) < flips:
        said = subprocess.run(
            [*command, str(seed), str(flips), str(len(outcomes))],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=600,
            check=False,
        )
        outcomes += [line.partition(" ")[2] for line in said.stdout.splitlines()]
        if said.returncode:
            assert said.returncode == -signal.SIGABRT
            outcomes.append("aborted")
            file.write_bytes(body)
    return Counter(outcomes)


@pytest.mark.parametrize(
    ("pattern", "unnoticed"),
    [
        ("_tallow/state.sqlite", set()),
        ("_delta_log/*03.json", {"other"}),
        # Parquet as Polars writes it has no checksums: docs/adr/0007.
        ("*.parquet", {"other", "aborted"}),
    ],
)
def test_a_flipped_bit_ends_in_candles_or_in_an_error_that_names_the_store(
    tmp_path, request, pattern, unnoticed
):
    outcomes = flip(tmp_path, pattern, seed_of(request), flips=60)
    assert set(outcomes) <= {"right", "refused"} | unnoticed
    assert outcomes["refused"] > 0


@pytest.mark.nightly
@pytest.mark.parametrize("pattern", ["_tallow/state.sqlite", "_delta_log/*03.json", "*.parquet"])
def test_two_thousand_flipped_bits(tmp_path, request, pattern):
    outcomes = flip(tmp_path, pattern, seed_of(request), flips=2_000)
    # A Parquet file's sizes are Polars' to believe: docs/adr/0007.
    ended = {"aborted"} if pattern == "*.parquet" else set()
    assert set(outcomes) <= {"right", "refused", "other"} | ended
    assert outcomes["aborted"] <= 5
