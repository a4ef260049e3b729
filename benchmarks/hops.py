"""Hops: how many files and functions of the package each way through it enters.

A hop is a file or a named function that is entered while one thing is done, once the same was done
before: compiled kernels, and what is remembered, are there. Beside that, some costly things are
counted: views of a store, looks at its tail, rows aggregated anew.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import shutil
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import polars as pl

import tallow
from benchmarks.market import CALENDAR
from benchmarks.measure import Figure, Outcome
from benchmarks.settings import Settings
from tallow.data.kernels import aggregate
from tallow.data.reading import readers
from tallow.data.store.delta_backend import DeltaBackend
from tallow.data.store.store import open_store
from tallow.data.store.tail import TailFile
from tallow.serve.cli import app

INSTRUMENTS, SESSIONS = 3, 2
BACK = timedelta(minutes=10)
"""How far back a correction goes."""

SIDES = ("--control", "talib", "--candidate", "tallow")
PACKAGE = str(Path(tallow.__file__).parent)
COSTLY: dict[str, CodeType] = {
    "views": DeltaBackend.view.__code__,
    "looks": TailFile.tail.__code__,
    "reads": readers.read_candles.__code__,
    "aggregated": aggregate.aggregate.__code__,
}
"""What is counted by itself: a store's views, looks at its tail, checks of input, aggregations."""

COLUMNS = ("", "files", "functions", "calls", "moves", *COSTLY)


class Hops:
    """What was entered, as a profiler's hook sees it, in this thread and in those begun since."""

    def __init__(self) -> None:
        self.calls: Counter[CodeType] = Counter()
        self._moves, self._last = 0, ""

    def count(self, do: Callable[[], object]) -> None:
        """Count anew what is entered while something is done."""
        self.calls.clear()
        self._moves, self._last = 0, ""
        # A thread of a pool keeps the hook that it began with: it is always this one.
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        try:
            do()
        finally:
            sys.setprofile(None)

    def cells(self) -> tuple[int, ...]:
        """Return the numbers below `COLUMNS`, without the name."""
        files = {code.co_filename for code in self.calls}
        costly = (self.calls[code] for code in COSTLY.values())
        return len(files), len(self.calls), self.calls.total(), self._moves, *costly

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(PACKAGE) or code.co_name[0] == "<":
            return
        self.calls[code] += 1
        self._moves += code.co_filename != self._last
        self._last = code.co_filename


def measure(settings: Settings) -> Outcome:
    """Count every way, each after it was gone once."""
    folder = settings.market.folder / "hops"
    folder.mkdir()
    source = settings.market.by_instrument(INSTRUMENTS, SESSIONS)
    hops, found = Hops(), {}
    for name, make_ready in _ways(source, folder).items():
        for _ in range(2):
            hops.count(make_ready())
        found[name] = hops.cells()
    threading.setprofile(None)  # type: ignore[arg-type]
    shutil.rmtree(folder)
    return Outcome(
        "hops",
        f"Hops: what is entered of the package, {INSTRUMENTS} instruments, {SESSIONS} sessions",
        COLUMNS,
        [(name, *cells) for name, cells in found.items()],
        [Figure(f"{name}, files", cells[0]) for name, cells in found.items()],
        ["moves are calls from one file into another; reads are checks of input"],
    )


def _ways(source: Path, folder: Path) -> dict[str, Callable[[], Callable[[], object]]]:
    """Return by name what makes a way ready to be gone."""
    frame, output = pl.read_parquet(source), folder / "bars.parquet"
    engine = tallow.AnalyticsEngine(calendar=CALENDAR)
    name, times = frame["instrument"][0], frame["timestamp"].unique().sort()
    end = times[-1].date()
    store = open_store(folder / "store", create=True)
    store.write(frame.filter(pl.col("timestamp") < times[-60]), source_timeframe="1m")
    minutes = (frame.filter(pl.col("timestamp") == time) for time in times[-60:])
    warm = tallow.AnalyticsEngine(calendar=CALENDAR, store=store)
    live_store = open_store(folder / "live", create=True)
    live_store.write(frame.filter(pl.col("timestamp") < times[-60]), source_timeframe="1m")
    live = tallow.LiveEngine("5m", calendar=CALENDAR, store=live_store)
    live.update(frame.filter(pl.col("timestamp") == times[-60]))
    fresh = (frame.filter(pl.col("timestamp") == time) for time in times[-59:])
    prices = itertools.count(1)

    def correction() -> Callable[[], object]:
        row = frame.filter(pl.col("instrument") == name, pl.col("timestamp") == times[-58] - BACK)
        volume = pl.col("volume") + next(prices)
        return lambda: live.update(row.with_columns(volume))

    def cold() -> Callable[[], object]:
        engine = tallow.AnalyticsEngine(calendar=CALENDAR, store=store)
        return lambda: engine.query(name, "5m", end)

    def ready(way: Callable[[], object]) -> Callable[[], Callable[[], object]]:
        return lambda: way

    write = partial(store.write, source_timeframe="1m")
    return {
        "tallow run": ready(lambda: _command("run", source, "-o", output, "--quiet")),
        "process_files": ready(lambda: engine.process_files(str(source), output, "5m")),
        "store write": lambda: _with(write, next(minutes)),
        "cold query": cold,
        "warm query": ready(lambda: warm.query(name, "5m", end)),
        "live append": lambda: _with(live.update, next(fresh)),
        "live correction": correction,
        "compare": ready(lambda: _command("compare", source, *SIDES, "--runs", 0)),
    }


def _with(do: Callable[[Any], object], given: object) -> Callable[[], object]:
    return lambda: do(given)


def _command(*words: object) -> None:
    """Run a command as a user does, and let what it prints go."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        code = app([str(word) for word in words], standalone_mode=False)
    # 1 is what a comparison says that does not advise the change.
    assert code in (None, 0, 1), (words, code, shown.getvalue())
