"""Goal: an output appears whole or not at all, and whoever broke a run learns why.

Method: runs over files are cancelled, interrupted, given bad files and full disks, in each of the
ways that a stream can take; the folder must be as it was before.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tallow.core.errors import (
    AllFailedError,
    CandleInputError,
    OutputError,
    RangeError,
    TimeframeError,
)
from tallow.data import writers
from tests.frames import flat_candle
from tests.runtime.files import rows, write

pytestmark = pytest.mark.usefixtures("small_blocks")

ORDERS = {
    "by instrument": rows(),
    "by time": rows().sort("timestamp", "instrument"),
    "shuffled": rows().sample(fraction=1.0, shuffle=True, seed=5),
}


@pytest.fixture
def target(tmp_path):
    """Return an output that has an older run's content."""
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "bars.parquet"
    path.write_bytes(b"the older run's bars")
    return path


def assert_untouched(target: Path) -> None:
    assert list(target.parent.iterdir()) == [target]
    assert target.read_bytes() == b"the older run's bars"


class StopError(Exception):
    """What a caller raises to cancel."""


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("error", [StopError, KeyboardInterrupt])
@pytest.mark.parametrize("after", [1, 3])
def test_a_cancelled_run_leaves_nothing(order, error, after, engine, tmp_path, target):
    left = [after]

    def progress(_done, _total):
        left[0] -= 1
        if left[0] == 0:
            raise error

    path = write(ORDERS[order], tmp_path / "in.csv")
    try:
        engine.process_files(path, target, progress=progress)
    except error:
        assert_untouched(target)
    else:
        # Few blocks: the run was over before it could be cancelled.
        assert left[0] > 0
    engine.process_files(path, target)
    assert len(pl.read_parquet(target)) > 0


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_told_by_the_output(order, engine, tmp_path, target, monkeypatch):
    path = write(ORDERS[order], tmp_path / "in.parquet")
    aside = target.parent / "aside"
    aside.symlink_to("/dev/full")
    monkeypatch.setattr(writers, "make_temporary", lambda _path: aside)
    with pytest.raises(
        OutputError, match=r"output: .*bars\.parquet; could not be written; .*space"
    ):
        engine.process_files(path, target)
    assert_untouched(target)


def test_a_disk_too_full_for_sorting(engine, tmp_path, target, monkeypatch):
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    path = write(rows().sort("timestamp"), tmp_path / "in.parquet")
    monkeypatch.setattr(pl.DataFrame, "write_ipc", full)
    with pytest.raises(OutputError, match="must have room for temporary files"):
        engine.process_files(path, target)
    assert_untouched(target)


def test_a_file_that_breaks_off_leaves_nothing(engine, tmp_path, target):
    good = write(rows(), tmp_path / "a.parquet")
    bad = tmp_path / "b.parquet"
    bad.write_bytes(good.read_bytes()[:900])
    with pytest.raises(CandleInputError, match=r"b\.parquet"):
        engine.process_files([good, bad], target)
    assert_untouched(target)


def test_what_is_wrong_is_told_before_or_after_but_nothing_is_left(engine, tmp_path, target):
    path = write(rows(), tmp_path / "in.parquet")
    with pytest.raises(RangeError, match=r"instrument: 'BB'; not in the input; did you mean B\?"):
        engine.process_files(path, target, instruments=["A", "BB"])
    with pytest.raises(TimeframeError):
        engine.process_files(path, target, "5m", source_timeframe="15m")
    late = write(flat_candle("A", "2014-12-31T09:15+05:30", 1.0, 1.0), tmp_path / "late.parquet")
    with pytest.raises(
        AllFailedError, match="A: calendar XNSE:cash-other: date=2014-12-31; covers"
    ):
        engine.process_files([late], target, instruments="A")
    assert_untouched(target)


@pytest.mark.parametrize("name", ["bars.xlsx", "bars", "bars.csv.gz"])
def test_outputs_that_are_not_written(name, engine, tmp_path):
    path = write(rows(), tmp_path / "in.parquet")
    with pytest.raises(OutputError, match=r"must end in \.parquet, \.pq, \.arrow"):
        engine.process_files(path, tmp_path / name)
