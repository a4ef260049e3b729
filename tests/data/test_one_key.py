"""Goal: files of several instruments never become one by the key that was given for all of them.

Method: two files of the same minutes, with prices of their own or of one instrument; what the store
has of them, and what is said of the second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow import AnalyticsEngine
from tallow.core.errors import CandleInputError
from tallow.data.ingest.documents import ingest
from tallow.data.reading.readers import read_candles
from tallow.data.store.store import open_store
from tests.frames import candles, minutes
from tests.serve.calling import tallow

ONE = candles("A", minutes("2025-06-02T09:15+05:30", 30), seed=1)
TWO = candles("A", minutes("2025-06-02T09:15+05:30", 30), seed=2)
SAID: dict[str, Any] = {"source_timeframe": "1m", "adjustment": "raw", "instrument_key": "A"}


def files(folder: Path, *frames: pl.DataFrame, name: str = "{}_minute.csv") -> list[Path]:
    paths = [folder / name.format(letter) for letter in "ABC"[: len(frames)]]
    for path, frame in zip(paths, frames, strict=True):
        frame.drop("instrument").write_csv(path)
    return paths


def test_a_file_of_another_instrument_is_refused_with_what_to_do(tmp_path: Path) -> None:
    later = candles("A", minutes("2025-06-02T10:00+05:30", 5))
    paths = files(tmp_path, ONE, TWO, later)
    with open_store(tmp_path / "store", create=True) as store:
        report = ingest(store, paths, **SAID)
        assert list(report.failures) == [str(paths[1])]
        assert "not one of their 30 candles of the same time is equal" in str(report.failures)
        # What comes after it is read all the same.
        assert store.read().select(ONE.columns).equals(pl.concat([ONE, later]))


def test_the_pattern_that_is_asked_for_gives_each_its_own_key(tmp_path: Path) -> None:
    paths = files(tmp_path, ONE, TWO)
    where = (*paths, "--store", tmp_path / "store", "-t", "1m", "--adjustment", "raw", "--quiet")
    told = tallow("ingest", *where, "--instrument-key", "A").stderr
    pattern = told.partition("--pattern '")[2].partition("'")[0]
    done = tallow("ingest", *where, "--pattern", pattern)
    assert done.exit_code == 0, done.output
    with open_store(tmp_path / "store") as store:
        assert {"A_minute", "B_minute"} <= set(store.read()["instrument"])


@pytest.mark.parametrize("shared", [1, 30])
def test_files_of_one_instrument_may_overlap(tmp_path: Path, shared: int) -> None:
    """One that was forming when it was fetched, and many of which one was corrected."""
    corrected = pl.when(pl.int_range(30) == 29).then(pl.lit(9.0)).otherwise("volume")
    again = ONE.with_columns(volume=corrected).tail(shared)
    with open_store(tmp_path / "store", create=True) as store:
        report = ingest(store, files(tmp_path, ONE, again), **SAID)
        assert not report.failures
        assert report.total("revised") == 1
        # By itself, or of another timeframe, anything may be said of it.
        assert not ingest(store, files(tmp_path, TWO), **SAID).failures
        sizes = tmp_path / "sizes"
        sizes.mkdir()
        paths = files(sizes, ONE, TWO, name="{}m.csv")
        paths = [path.rename(sizes / f"{n}m.csv") for n, path in zip((1, 5), paths, strict=True)]
        given = SAID | {"source_timeframe": None, "pattern": r"(?P<timeframe>\dm)\.csv"}
        assert not ingest(store, paths, **given).failures


def test_a_folder_for_each_instrument_makes_no_mixture(tmp_path: Path) -> None:
    """The pattern sees `1m.csv` twice: the folder, which says whose it is, is no part of it."""
    for folder, frame in (("A", ONE), ("B", TWO)):
        (tmp_path / folder).mkdir()
        frame.drop("instrument").write_csv(tmp_path / folder / "1m.csv")
    paths = [tmp_path / folder / "1m.csv" for folder in "AB"]
    pattern = r"(?P<instrument>.+)\.csv"
    with pytest.raises(CandleInputError, match=r"has the name of .*and their times overlap"):
        read_candles(paths, pattern=pattern)
    with pytest.raises(CandleInputError, match=r"has the name of .*and their times overlap"):
        AnalyticsEngine().process_files(paths, tmp_path / "bars.csv", "5m", "", pattern=pattern)
    said: dict[str, Any] = {"source_timeframe": "1m", "adjustment": "raw", "pattern": pattern}
    with open_store(tmp_path / "store", create=True) as store:
        report = ingest(store, paths, **said)
        assert list(report.failures) == [str(paths[1])]
        assert (report.total("new"), report.total("revised")) == (30, 0)


def test_a_folder_for_each_year_may_have_files_of_one_name(tmp_path: Path) -> None:
    later = candles("A", minutes("2025-06-03T09:15+05:30", 5))
    paths = []
    for folder, frame in (("first", ONE), ("second", later)):
        (tmp_path / folder).mkdir()
        paths.append(tmp_path / folder / "A.csv")
        frame.drop("instrument").write_csv(paths[-1])
    assert read_candles(paths, pattern=r"(?P<instrument>.+)\.csv").report.accepted == 35
