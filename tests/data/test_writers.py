"""Goal: a file that is written frame by frame is what writing it at once gives, in every format;
after any failure, the folder is as it was.

Method: frames are written and read back; the sink is broken in each place where it can break, with
a limit on time instead of a hang.
"""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path

import polars as pl
import pytest

from tallow.core.errors import OutputError
from tallow.data import writers
from tallow.data.writers import FrameWriter, check_output
from tests.frames import assert_same_frame, market

READERS = {
    "parquet": pl.read_parquet,
    "pq": pl.read_parquet,
    "arrow": pl.read_ipc,
    "ipc": pl.read_ipc,
}


@pytest.fixture(autouse=True)
def _no_thread_stays():
    yield
    assert not [each for each in threading.enumerate() if each.name == "tallow-writer"]


@pytest.fixture
def old(tmp_path):
    """Return a file that an older run has left."""
    path = tmp_path / "bars.parquet"
    path.write_bytes(b"old")
    return path


def write(path, schema, frames, then=None):
    """Write frames, and then call something within the writer's context."""
    with FrameWriter(path, schema) as writer:
        for frame in frames:
            writer.write(frame)
        if then is not None:
            then()


def assert_only_old(path: Path) -> None:
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("ending", READERS)
@pytest.mark.parametrize("pieces", [0, 1, 3, 50])
def test_frames_come_back_as_one(ending, pieces, tmp_path):
    frame = market(["A", "B"], rows=200)
    path = tmp_path / f"bars.{ending}"
    with FrameWriter(path, frame.schema) as writer:
        for piece in range(pieces):
            writer.write(frame[piece * len(frame) // pieces : (piece + 1) * len(frame) // pieces])
    assert_same_frame(READERS[ending](path), frame if pieces else frame.clear())
    assert list(tmp_path.iterdir()) == [path]


def test_a_sink_that_is_slower_than_the_run(tmp_path, monkeypatch):
    """The queue is full again and again; nothing is lost while the run waits."""
    monkeypatch.setattr(writers, "_POLL_SECONDS", 1e-5)
    frame = market(["A"], rows=20_000)
    write(tmp_path / "bars.parquet", frame.schema, [frame] * 30)
    assert_same_frame(pl.read_parquet(tmp_path / "bars.parquet"), pl.concat([frame] * 30))


def test_times_in_text_carry_their_offset(tmp_path):
    frame = market(["A"], rows=2)
    with FrameWriter(tmp_path / "bars.csv", frame.schema) as writer:
        writer.write(frame)
    first = (tmp_path / "bars.csv").read_text().splitlines()[1]
    assert re.match(r"A,2025-06-02T03:4\d:00\+00:00,\d+\.\d+,", first)


def test_the_file_appears_only_when_it_is_whole(old):
    frame = market(["A"])
    with FrameWriter(old, frame.schema) as writer:
        writer.write(frame)
        assert old.read_bytes() == b"old"
    assert_same_frame(pl.read_parquet(old), frame)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("frames", [0, 1, 20])
def test_an_error_of_the_caller_leaves_the_folder_as_it_was(error, frames, old):
    frame = market(["A"])

    def fail():
        raise error("mine")

    with pytest.raises(error, match="mine"):
        write(old, frame.schema, [frame] * frames, fail)
    assert_only_old(old)


@pytest.mark.parametrize("frames", [1, 40])
def test_a_sink_that_fails_is_told_and_does_not_hang(frames, old):
    """Frames of another schema break the sink at once; the queue must not fill up behind it."""
    frame = market(["A"])
    with pytest.raises(OutputError, match=r"output: .*bars\.parquet; could not be written; "):
        write(old, frame.schema, [frame.rename({"close": "last"})] * frames)
    assert_only_old(old)


@pytest.mark.parametrize("ending", ["parquet", "arrow", "csv"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk(ending, tmp_path, monkeypatch):
    """The file aside is made to lie on a device without room."""
    path = tmp_path / f"bars.{ending}"
    path.write_bytes(b"old")
    aside = tmp_path / "aside"
    aside.symlink_to("/dev/full")
    monkeypatch.setattr(writers, "make_temporary", lambda _path: aside)
    frame = market(["A"], rows=5_000)
    with pytest.raises(OutputError, match=r"could not be written; .*No space left") as caught:
        write(path, frame.schema, [frame] * 30)
    assert caught.value.__cause__ is not None
    assert_only_old(path)


def test_a_folder_that_goes_away(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    frame = market(["A"])
    with pytest.raises(OutputError, match="could not be written"):
        write(folder / "bars.parquet", frame.schema, [frame], lambda: shutil.rmtree(folder))
    assert not folder.exists()


@pytest.mark.parametrize("name", ["bars", "bars.txt", "bars.parquet.gz", "parquet"])
def test_endings_that_are_not_written(name, tmp_path):
    with pytest.raises(OutputError, match=r"must end in \.parquet, \.pq, \.arrow, .*\.csv"):
        check_output(tmp_path / name)


def test_places_where_no_file_can_be(tmp_path):
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(OutputError, match="is a folder; add a file name"):
        check_output(tmp_path / "folder.parquet")
    with pytest.raises(OutputError, match="the folder does not exist; create it first"):
        check_output(tmp_path / "none" / "bars.parquet")
    assert check_output(str(tmp_path / "BARS.PARQUET")) == tmp_path / "BARS.PARQUET"
