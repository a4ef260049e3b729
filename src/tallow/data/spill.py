"""Sorting more bars than a block holds: sorted runs on disk, merged by ranges of instruments."""

from __future__ import annotations

import tempfile
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from tallow.core.arrays import Ints
from tallow.core.errors import OutputError
from tallow.core.limits import BLOCK_ROWS
from tallow.data.reading.runs import instrument_runs


@dataclass
class _Run:
    """One sorted file: which rows each instrument has in it."""

    path: Path
    names: Sequence[str]
    offsets: Ints

    def read(self, names: Sequence[str]) -> pl.DataFrame:
        """Return the rows of a contiguous range of instruments."""
        low = self.offsets[bisect_left(self.names, names[0])]
        high = self.offsets[bisect_right(self.names, names[-1])]
        return pl.scan_ipc(self.path).slice(int(low), int(high - low)).collect()


@dataclass
class Spill:
    """Frames whose rows ascend in time per instrument, given back sorted by instrument.

    At most `rows` of them are kept in memory; the others lie in a temporary folder, which the
    context removes.
    """

    folder: Path
    rows: int = BLOCK_ROWS
    _held: list[pl.DataFrame] = field(default_factory=list)
    _held_rows: int = 0
    _runs: list[_Run] = field(default_factory=list)

    def __enter__(self) -> Spill:
        self._temporary = tempfile.TemporaryDirectory(prefix=".tallow-", dir=self.folder)
        return self

    def __exit__(self, *_: object) -> None:
        self._temporary.cleanup()

    def add(self, frame: pl.DataFrame) -> None:
        """Take the next frame; per instrument, its rows follow those of the frames before."""
        if not len(frame):
            return
        self._held.append(frame)
        self._held_rows += len(frame)
        if self._held_rows >= self.rows:
            self._write_run()

    def sorted_frames(self) -> Iterator[pl.DataFrame]:
        """Return all rows, sorted by instrument and time, in frames of at most about `rows`."""
        if not self._runs:
            if self._held:
                yield _sort_by_instrument(self._held)
            return
        if self._held:
            self._write_run()
        counts: dict[str, int] = {}
        for run in self._runs:
            for name, count in zip(run.names, np.diff(run.offsets).tolist(), strict=True):
                counts[name] = counts.get(name, 0) + count
        # Several frames wait in the writer's queue: smaller ones than the runs.
        for names in _groups(counts, self.rows // 4):
            yield _sort_by_instrument([run.read(names) for run in self._runs])

    def _write_run(self) -> None:
        frame = _sort_by_instrument(self._held)
        path = Path(self._temporary.name) / f"{len(self._runs)}.arrow"
        try:
            frame.write_ipc(path, compression="uncompressed")
        except (pl.exceptions.PolarsError, OSError) as error:
            raise OutputError(
                f"output: {self.folder}; must have room for temporary files, too; {error}"
            ) from error
        self._runs.append(_Run(path, *instrument_runs(frame)))
        self._held, self._held_rows = [], 0


def _sort_by_instrument(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(frames).sort("instrument", maintain_order=True)


def _groups(counts: dict[str, int], rows: int) -> Iterator[list[str]]:
    group: list[str] = []
    size = 0
    for name in sorted(counts):
        if group and size + counts[name] > rows:
            yield group
            group, size = [], 0
        group.append(name)
        size += counts[name]
    if group:
        yield group
