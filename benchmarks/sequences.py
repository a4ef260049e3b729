"""Sequences of a year of daily bars, beside loops over rows in plain Python."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import polars as pl
from polars import selectors
from polars.testing import assert_frame_equal

import tallow
from benchmarks import sequence_loops
from benchmarks.market import CALENDAR, START
from benchmarks.measure import TIMING_COLUMNS, Figure, Outcome, take_turns
from benchmarks.sequence_loops import HORIZON, LENGTH, THRESHOLD, WEIGHT, Row
from benchmarks.settings import Settings
from tallow.analysis.sequence_result import SequenceResult
from tallow.analysis.sequences import MoveBars, analyse
from tallow.core.calendars import load_calendar
from tallow.core.limits import THREADS_MAX
from tallow.data.kernels.sequences import MoveRows
from tallow.plan.plan import make_plan
from tallow.runtime.operations import Machine, in_parallel, split_evenly

DAYS, SPLIT = 250, 0.5
OUTPUTS = ("direction", "strong", "strength", "bars")
MOVES = f"move({LENGTH}, {THRESHOLD}, {WEIGHT})[{', '.join(OUTPUTS)}]"
THREADS = min(os.cpu_count() or 1, THREADS_MAX)
POOL = ThreadPoolExecutor(THREADS)
INPUTS = ("open", "close", "volume")
LOOPED = 200
"""Instruments that loops go over: each by itself, so that their time can be scaled."""


def measure(settings: Settings) -> Outcome:
    """Measure a year of daily bars of all instruments."""
    instruments = settings.market.instruments
    daily, few = Daily.drawn(instruments), Daily.drawn(min(LOOPED, instruments))
    candles = tallow.read_candles(daily.frame, source_timeframe="1d")
    engine = tallow.AnalyticsEngine(calendar=CALENDAR)
    loops = few.as_rows()
    _require_equal(few.sequences(), sequence_loops.find_all(loops, few.split_at))
    contestants: dict[str, Callable[[], object]] = {
        "candles to sequences": lambda: engine.sequences(candles=candles),
        "bars to sequences": daily.sequences,
        "loops over bars": lambda: sequence_loops.find_all(loops, few.split_at),
    }
    rows = len(daily.frame)
    whole, own, looped = take_turns(contestants, settings.rounds, rows).values()
    looped = replace(looped, rows=len(few.frame)).scaled(looped.name, rows)
    return Outcome(
        "sequences",
        f"Sequences, patterns and scores: {instruments:,} instruments x {DAYS} days",
        TIMING_COLUMNS,
        [each.cells() for each in (whole, own, looped)],
        [
            Figure("candles to sequences", whole.median, "s", 1.0),
            Figure(
                "loops over bars / bars to sequences",
                looped.median / own.median,
                target=100.0,
                better="higher",
            ),
            Figure("loops over bars / candles to sequences", looped.median / whole.median),
        ],
        (f"Loops were over {LOOPED} instruments, one after the other; their time is scaled.",),
    )


@dataclass(frozen=True, eq=False)
class Daily:
    """Daily bars of instruments, the same number of each; times are microseconds."""

    names: Sequence[str]
    opens: np.ndarray
    ends: np.ndarray
    columns: Mapping[str, np.ndarray]

    @classmethod
    def drawn(cls, instruments: int) -> Daily:
        """Return random walks over the sessions before the market's."""
        draw = np.random.default_rng(5)
        sessions = load_calendar(CALENDAR).sessions()
        last = int(np.searchsorted(sessions.day_date, np.datetime64(START)))
        days = np.flatnonzero(sessions.day_known[:last])[-DAYS:]
        shape = (instruments, DAYS)
        close = 100.0 * np.exp(np.cumsum(draw.normal(0.0, 0.015, shape), axis=1))
        opens = close * np.exp(draw.normal(0.0, 0.01, shape))
        volume = np.floor(draw.lognormal(10.0, 0.7, shape))
        columns = {"open": opens, "close": close, "volume": volume}
        return cls(
            [f"I{number:05d}" for number in range(instruments)],
            np.tile(sessions.day_open[days], instruments),
            np.tile(sessions.day_close[days], instruments),
            {name: each.ravel() for name, each in columns.items()},
        )

    @property
    def split_at(self) -> int:
        """By when the first part of all bars has closed."""
        return int(np.sort(self.ends)[int(SPLIT * (len(self.ends) - 1))])

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The bars as candles."""
        opens, close = self.columns["open"], self.columns["close"]
        time = pl.Series(self.opens).cast(pl.Datetime("us", "UTC"))
        return pl.DataFrame(
            {
                "instrument": np.repeat(self.names, DAYS),
                "timestamp": time,
                "open": opens,
                "high": np.maximum(opens, close),
                "low": np.minimum(opens, close),
                "close": close,
                "volume": self.columns["volume"],
            }
        )

    def as_rows(self) -> dict[str, list[Row]]:
        """Return the bars by instrument, a dictionary each."""
        columns = {"opens": self.opens, "ends": self.ends, **self.columns}
        lists = [column.tolist() for column in columns.values()]
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]
        return {name: rows[k * DAYS : (k + 1) * DAYS] for k, name in enumerate(self.names)}

    def sequences(self) -> SequenceResult:
        """Compute moves, and all that is answered of them."""
        rows = len(self.opens)
        offsets, made = np.arange(0, rows + 1, DAYS), np.empty((len(OUTPUTS), rows))
        parts = split_evenly(offsets, THREADS)
        in_parallel(POOL, [partial(self._move, offsets, own, made) for own in parts])
        inputs, asked = (self.columns[name] for name in INPUTS), np.ones(rows, np.bool_)
        found = MoveRows(offsets, self.opens, self.ends, asked, *inputs, *made)
        bars = MoveBars(self.names, found)
        return analyse(bars, HORIZON, SPLIT, THRESHOLD, POOL, THREADS)

    def _move(self, offsets: np.ndarray, own: slice, made: np.ndarray) -> None:
        """Fill in the moves of some instruments."""
        machine, count = Machine(make_plan([MOVES])), own.stop - own.start
        first, last = offsets[own.start], offsets[own.stop]
        inputs = {name: self.columns[name][first:last] for name in INPUTS}
        at = offsets[own.start : own.stop + 1] - first
        assert not machine.fill(machine.new_states(count), at, inputs, made[:, first:last])


KEYS = ("instrument", "start", "type", "direction", "length")
"""What says which row one is, among columns of both."""


def _require_equal(found: SequenceResult, looped: tuple[list[Row], ...]) -> None:
    """Assert that both say the same, value by value, before any is timed."""
    frames = found.sequences, found.patterns, found.pooled, found.scores
    for frame, rows in zip(frames, looped, strict=True):
        keys = [name for name in KEYS if name in frame.columns]
        ours = frame.with_columns(selectors.datetime().dt.epoch("us")).sort(keys)
        theirs = pl.DataFrame(rows, infer_schema_length=None).select(ours.columns).sort(keys)
        assert_frame_equal(ours, theirs, check_dtypes=False, rel_tol=1e-6, abs_tol=1e-9)
