"""A request whose bars are arrays: what a frame costs is half of a small one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import polars as pl

from tallow.core.arrays import Ints
from tallow.core.text import counted
from tallow.data.coverage.provisional import NONE_PROVISIONAL, provisional_bars
from tallow.data.reading.candles import Candles
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import OPEN_INTEREST, TIME_TYPE
from tallow.plan.plan import Plan
from tallow.runtime.bar_frames import BarColumns
from tallow.runtime.batch import BarOptions, BarRun
from tallow.runtime.blocks import Block, candle_arrays
from tallow.runtime.cross import Phases, Rows
from tallow.runtime.outputs import report_of_run
from tallow.runtime.parts import Part
from tallow.runtime.results import RunReport, raise_if_all_failed, raise_if_all_refused


@dataclass(frozen=True, repr=False)
class ArrayResult:
    """Bars with their indicators as arrays, each of as many values as there are bars.

    Attributes
    ----------
    instruments, offsets
        Rows ``offsets[i]:offsets[i + 1]``, int64, are bars of ``instruments[i]``, in time order.
    columns
        By name: ``timestamp``, int64 microseconds since 1970 UTC; the prices, the volume and
        the outputs, float64 (also whole numbers, and names as the bits of one), NaN where
        unavailable; ``open_interest`` where the candles have it;
        ``candles``, uint32, how many a bar is made of; ``is_final``, flags.
    report
        Where every row went, and failed instruments.
    """

    instruments: Sequence[str]
    offsets: Ints
    columns: BarColumns
    report: RunReport

    def __len__(self) -> int:
        return int(self.offsets[-1])

    def __repr__(self) -> str:
        return f"ArrayResult({counted(len(self), 'bar')}, {counted(len(self.columns), 'column')})"


def run_to_arrays(
    candles: Candles, plan: Plan, options: BarOptions, pool: Executor | None, threads: int
) -> ArrayResult:
    """Run candles in memory into arrays of bars; errors are those of a run into frames."""
    frame, runs = candles.frame, candles.runs
    run = BarRun(plan, options, pool, threads, OPEN_INTEREST in frame.columns, as_arrays=True)
    names, offsets = instrument_runs(frame) if runs is None else runs
    parts = run.run([Block(names, candle_arrays(frame, offsets), closing=True)])
    read, quarantine = candles.report, candles.quarantine
    raise_if_all_refused(read, run.counts, run.quarantine(quarantine))
    raise_if_all_failed(run.failures, read.instruments)
    ends, columns = _joined(run, parts)
    if plan.phases:
        columns = _compared(plan, options, Rows(names, ends, columns["timestamp"], columns))
    provisional = _provisional(options, names, ends, columns)
    report = report_of_run(run, read, quarantine, int(ends[-1]), provisional)
    return ArrayResult(names, ends, columns, report)


def _joined(run: BarRun, parts: Sequence[Part]) -> tuple[Ints, BarColumns]:
    """Return where the bars of each instrument begin, and the columns of all parts."""
    if len(parts) == 1:
        return parts[0].result.bars.offsets, parts[0].columns
    counts = [np.diff(part.result.bars.offsets) for part in parts]
    ends = np.cumsum(np.concatenate([np.zeros(1, np.int64), *counts]))
    every = [part.columns for part in parts] or [_no_columns(run)]
    return ends, {name: np.concatenate([each[name] for each in every]) for name in every[0]}


def _compared(plan: Plan, options: BarOptions, rows: Rows) -> BarColumns:
    """Return the columns that were asked for, of all phases."""
    phases = Phases(plan, options.calendars, options.timeframe)
    phases.require_peers(rows.names)
    made, failures = phases.compute(rows, phases.new_states(len(rows.names)))
    raise_if_all_failed(failures, len(rows.names))
    found = {**rows.columns, **made}
    own = [name for name in rows.columns if name not in plan.columns]
    return {name: found[name] for name in (*own, *plan.outputs)}


def _no_columns(run: BarRun) -> BarColumns:
    """Return the columns of no bars."""
    none = run.empty_frame().drop("instrument")
    found = {name: none[name].to_physical().to_numpy() for name in none.columns}
    return found | {name: np.empty(0) for name in run.plan.columns}


def _provisional(
    options: BarOptions, names: Sequence[str], offsets: Ints, columns: BarColumns
) -> pl.DataFrame:
    """Return the bars of assumed sessions, as `tallow.RunReport` has them."""
    assumed = provisional_bars(options.calendars, options.timeframe)
    if not assumed.may_have(columns["timestamp"]):
        return NONE_PROVISIONAL
    instrument = pl.Series("instrument", names, dtype=pl.String)
    which = np.repeat(np.arange(len(names)), np.diff(offsets))
    time = pl.Series("timestamp", columns["timestamp"]).cast(TIME_TYPE)
    return assumed.among(pl.DataFrame([instrument[which], time]))
