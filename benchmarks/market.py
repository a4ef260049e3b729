"""The simulated market that all workloads run on, as files in one temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from tallow.core.calendars import load_calendar
from tallow.data.simulate import simulate_blocks
from tallow.data.writers import FrameWriter

CALENDAR = "XNSE"
START = date(2025, 6, 2)

ROWS_PER_SESSION = 360
"""Candles of an instrument in a session, on the average, illiquid ones counted."""

ROWS_IN_MEMORY_MAX = 10_000_000
"""Larger files are streamed out, so that the benchmark does not need their memory."""

SESSIONS_AT_ONCE = 5
"""Sessions sorted by time at once."""


@dataclass
class Market:
    """Candle files, each made when it is first asked for.

    `instruments` and `sessions` are the size of the main file.
    """

    folder: Path
    instruments: int
    sessions: int
    _rows: dict[Path, int] = field(default_factory=dict)

    @property
    def main_file(self) -> Path:
        """The file that most workloads read: Polars' default layout, by instrument and time."""
        return self.by_instrument(self.instruments, self.sessions)

    def by_instrument(self, instruments: int, sessions: int) -> Path:
        """Return a file sorted by instrument, then time."""
        path = self.folder / f"candles-{instruments}x{sessions}.parquet"
        if not path.exists():
            if instruments * sessions * ROWS_PER_SESSION <= ROWS_IN_MEMORY_MAX:
                pl.concat(_blocks(instruments, sessions), rechunk=True).write_parquet(path)
            else:
                _stream(path, _blocks(instruments, sessions))
        return path

    def by_time(self, instruments: int, sessions: int) -> Path:
        """Return the same rows, sorted by time, then instrument."""
        path = self.folder / f"candles-{instruments}x{sessions}-by-time.parquet"
        if not path.exists():
            source = self.by_instrument(instruments, sessions)
            if self.rows(source) <= ROWS_IN_MEMORY_MAX:
                pl.read_parquet(source).sort("timestamp", "instrument").write_parquet(path)
            else:
                _stream(path, _sessions_sorted(source))
        return path

    def some(self, instruments: int) -> Path:
        """Return the main file's first instruments as a file of their own."""
        return self.by_instrument(min(instruments, self.instruments), self.sessions)

    def rows(self, path: Path) -> int:
        """Return the number of rows in a file."""
        if path not in self._rows:
            self._rows[path] = int(pl.scan_parquet(path).select(pl.len()).collect().item())
        return self._rows[path]


def _blocks(instruments: int, sessions: int) -> Iterator[pl.DataFrame]:
    calendar = load_calendar(CALENDAR)
    return simulate_blocks(instruments, sessions, calendar=calendar, start=START)


def _stream(path: Path, frames: Iterator[pl.DataFrame]) -> None:
    first = next(frames)
    with FrameWriter(path, first.schema) as writer:
        writer.write(first)
        for frame in frames:
            writer.write(frame)


def _sessions_sorted(source: Path) -> Iterator[pl.DataFrame]:
    day = pl.col("timestamp").dt.date()
    days = pl.scan_parquet(source).select(day.unique().sort()).collect()["timestamp"].to_list()
    for first in range(0, len(days), SESSIONS_AT_ONCE):
        some = days[first : first + SESSIONS_AT_ONCE]
        part = pl.scan_parquet(source).filter(day.is_between(some[0], some[-1]))
        yield part.collect().sort("timestamp", "instrument")
