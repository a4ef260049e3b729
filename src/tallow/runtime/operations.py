"""One machine for all drivers: candles into bars, rows through a plan's kernels; arrays in and out.

Batch runs, streams, ranges, the live engine, expressions and explanations of other engines' numbers
run on it. It takes many instruments in each call, and what a value depends on besides the rows is
in their states.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tallow.core.arrays import SMALL_NULL, Floats, Ints, Smalls, Times
from tallow.core.buffers import BUFFERS
from tallow.core.calendars import Calendar
from tallow.core.errors import ParameterError
from tallow.core.kernel import read_only
from tallow.core.text import counted
from tallow.core.time import MINUTE_US
from tallow.core.timeframe import Timeframe
from tallow.data.kernels import aggregate as bars
from tallow.data.kernels.anchors import (
    AnchorTable,
    anchor_columns,
    anchor_table,
    moment_columns,
    moment_starts,
)
from tallow.data.kernels.buckets import BucketTable
from tallow.data.reading.schema import NUMBERS
from tallow.plan.plan import Operation, Plan

T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """A kernel that raised for one instrument, whose values in its columns are missing."""

    instrument: int
    columns: tuple[str, ...]
    kernel: str
    error: Exception

    @property
    def reason(self) -> str:
        """Which kernel raised what."""
        return f"{self.kernel}: {type(self.error).__name__}: {self.error}"


class BarValues(NamedTuple):
    """Bars that candles made, the values beside them, ``[fields, bars]``, and where kernels failed.

    `result` is a view of scratch memory; `small` are values that were to be int8.
    """

    result: bars.AggregateResult
    values: Floats
    failures: list[Failure]
    small: Smalls | None


@dataclass(frozen=True)
class Machine:
    """The kernels of a plan, behind the bars of a timeframe where `buckets` are given.

    States are float64 ``[instruments, size]``: one of the bars, if there are any, then one of each
    operation. They change in place.

    Attributes
    ----------
    calendars
        Of the instruments, by number; operations that take what calendars say of a row need them,
        or are given it as inputs.
    size
        The timeframe of the rows, beside `calendars`.
    """

    plan: Plan
    calendars: tuple[Calendar, ...] = ()
    buckets: BucketTable | None = None
    no_trade: bars.NoTrade = "drop"
    size: Timeframe | None = None

    def __post_init__(self) -> None:
        """Refuse operations whose minutes bars of this timeframe do not fit into."""
        minutes = 0 if self.buckets is None else self.buckets.step_us // MINUTE_US
        if minutes:
            for each in self.plan.operations:
                _require_whole_bars(each, minutes)

    @cached_property
    def anchors(self) -> AnchorTable | None:
        """What calendars say of sessions, if an operation takes it."""
        if not self.calendars or not self.plan.anchors:
            return None
        assert self.size is not None
        return anchor_table(self.calendars, self.size)

    @cached_property
    def starts(self) -> Times | None:
        """When the plan's moments are, int64 ``[moments, calendars]``, if there are any."""
        moments = self.plan.moments
        return moment_starts(moments, self.calendars) if self.calendars and moments else None

    def new_states(self, count: int) -> list[Floats]:
        """Return the states of `count` instruments before any row."""
        states = [o.indicator.new_state(o.values, count) for o in self.plan.operations]
        return states if self.buckets is None else [bars.new_state(count), *states]

    def run(
        self,
        states: Sequence[Floats],
        candles: bars.CandleArrays,
        calendar_of: Ints,
        scratch: bars.Scratch,
        *,
        closing: bool = False,
        lead: int = 0,
        small: bool = False,
    ) -> BarValues:
        """Run candles into bars, as `bars.aggregate`, and these through the kernels.

        `lead` is how many fields of the values the caller fills in, before those of the plan;
        `small` says that those which can be are to be int8.
        """
        assert self.buckets is not None
        where = (calendar_of, closing, self.buckets, self.no_trade)
        result = bars.aggregate(states[0], candles, *where, scratch)
        return self.run_bars(states[1:], result, calendar_of, lead, small=small)

    def run_bars(
        self,
        states: Sequence[Floats],
        result: bars.AggregateResult,
        calendar_of: Ints,
        lead: int = 0,
        *,
        small: bool = False,
    ) -> BarValues:
        """Run bars through the kernels; `states` are those of the operations."""
        built = result.bars
        values, smalls = self.room(len(built.timestamp), lead, small=small)
        inputs = {name: getattr(built, name) for name in NUMBERS}
        where = built.timestamp, calendar_of, smalls
        failures = self.fill(states, built.offsets, inputs, values[lead:], *where)
        return BarValues(result, values, failures, smalls)

    def room(self, rows: int, lead: int = 0, *, small: bool = True) -> tuple[Floats, Smalls | None]:
        """Return room for the values of rows: float64, and int8 for those which can be that.

        Without any such, or if they are not to be `small`, all are float64.
        """
        count = len(self.plan.small) if small else 0
        values = np.empty((lead + len(self.plan.columns) - count, rows))
        return values, np.empty((count, rows), dtype=np.int8) if count else None

    def fill(
        self,
        states: Sequence[Floats],
        offsets: Ints,
        inputs: Mapping[str, Floats],
        out: Floats,
        times: Times | None = None,
        calendar_of: Ints | None = None,
        small: Smalls | None = None,
    ) -> list[Failure]:
        """Run every operation over rows ``offsets[i]:offsets[i + 1]`` of each instrument.

        Parameters
        ----------
        states
            Those of the operations.
        inputs
            float64 columns by name.
        out
            float64 ``[columns, rows]``, filled in. Polars frames may alias it.
        times, calendar_of
            Of the rows, microseconds, and of the instruments: where there are `anchors` or
            `starts`.
        small
            int8 ``[small columns, rows]``, filled in; then `out` has the other columns only.
        """
        rows = out.shape[1]
        if not rows:
            return []
        given = {name: read_only(column) for name, column in inputs.items()}
        if self.anchors is not None or self.starts is not None:
            assert times is not None
            assert calendar_of is not None
            found = self._columns_of_times(times, offsets, calendar_of)
            given |= {name: read_only(column) for name, column in found.items()}
        failures: list[Failure] = []
        unwanted = max((o.columns.count(None) for o in self.plan.operations), default=0)
        spare = unwanted + len(self.plan.hidden)
        with BUFFERS.lend(spare * rows) as memory:
            beside = memory.reshape(spare, rows)
            columns: dict[str, NDArray[Any]] = {}
            if small is not None:
                columns |= zip(self.plan.small, small, strict=True)
            wide = (name for name in self.plan.columns if name not in columns)
            columns |= zip(wide, out, strict=True)
            columns |= zip(self.plan.hidden, beside[unwanted:], strict=True)
            for operation, state in zip(self.plan.operations, states, strict=True):
                free = iter(beside)
                made = [next(free) if name is None else columns[name] for name in operation.columns]
                source = None
                if operation.source is not None:
                    # A later stage is computed of what earlier ones made: that is an input.
                    source = columns.get(operation.source)
                    source = given[operation.source] if source is None else source
                taken = [
                    read_only(source)
                    if source is not None and name == operation.source
                    # What a family is computed of is packed in a column that was filled in.
                    else (given[name] if name in given else read_only(columns[name]))
                    for name in operation.inputs
                ]
                failures += _run_known(operation, state, offsets, taken, made, source)
        return failures

    def _columns_of_times(
        self, times: Times, offsets: Ints, calendar_of: Ints
    ) -> dict[str, Floats]:
        """Return what kernels take of times: numbers of periods, and which moments are past."""
        where, found = (times, offsets, calendar_of), dict[str, Floats]()
        if self.anchors is not None:
            found |= anchor_columns(self.anchors, self.plan.anchors, *where)
        if self.starts is not None:
            found |= moment_columns(self.plan.moments, self.starts, *where)
        return found


def _require_whole_bars(operation: Operation, minutes: int) -> None:
    """Raise `ParameterError` where bars of so many minutes would be partly in those it waits."""
    indicator, values = operation.indicator, operation.values
    if indicator.waits is None or float(values[indicator.waits]) % minutes == 0:
        return
    given = values[indicator.waits]
    fits = max(int(float(given)) // minutes, 1) * minutes
    raise ParameterError(
        f"{indicator.name}: {indicator.waits}={given}; must be a whole number of bars, which last "
        f"{counted(minutes, 'minute')} here; give {fits}, or ask for shorter bars"
    )


def _run_known(
    operation: Operation,
    state: Floats,
    offsets: Ints,
    inputs: Sequence[Floats],
    outputs: Sequence[NDArray[Any]],
    source: Floats | None,
) -> list[Failure]:
    """Do as `_run`, over the rows in which the source has a value; the others have none."""
    if source is None or not (missing := np.isnan(source)).any():
        return _run(operation, state, offsets, inputs, outputs)
    known = np.flatnonzero(~missing)
    taken = [read_only(column[known]) for column in inputs]
    made = [np.empty(len(known)) for _ in outputs]
    found = _run(operation, state, np.searchsorted(known, offsets), taken, made)
    for output, values in zip(outputs, made, strict=True):
        output[:] = math.nan
        output[known] = values
    return found


def _run(
    operation: Operation,
    state: Floats,
    offsets: Ints,
    inputs: Sequence[Floats],
    outputs: Sequence[NDArray[Any]],
) -> list[Failure]:
    """Call the kernel once for all; where it raises, once per instrument, to find which ones."""
    advance, parameters, missing = operation.advance, operation.parameters, math.nan
    if outputs[0].dtype == np.int8:
        assert operation.indicator.advance_small is not None
        advance, missing = operation.indicator.advance_small, SMALL_NULL
    before = state.copy()
    try:
        advance(state, parameters, offsets, *inputs, *outputs)
    except Exception:  # noqa: BLE001
        # A user's kernel may raise anything; the others' values must not be lost with it.
        state[:] = before
    else:
        return []
    failures = []
    for i in range(len(state)):
        try:
            advance(state[i : i + 1], parameters, offsets[i : i + 2], *inputs, *outputs)
        except Exception as error:  # noqa: BLE001
            failures.append(Failure(i, operation.affects, operation.indicator.name, error))
            for output in outputs:
                output[offsets[i] : offsets[i + 1]] = missing
    return failures


def join_states(states: Sequence[Floats]) -> Floats:
    """Return states side by side: one row for each instrument, as they are kept."""
    return np.concatenate(states, axis=1)


def split_states(rows: Floats, like: Sequence[Floats]) -> list[Floats]:
    """Return rows of states as arrays of their own, as wide as those of `like`."""
    edges = np.cumsum([0, *(each.shape[1] for each in like)]).tolist()
    return [rows[:, low:high].copy() for low, high in pairwise(edges)]


@dataclass
class States:
    """States of instruments by name, for rows that come in several blocks.

    `make` returns those of so many instruments before any row.
    """

    make: Callable[[int], list[Floats]]
    index: dict[str, int] = field(default_factory=dict)
    _kept: Floats = field(default_factory=lambda: np.empty((0, 0)))

    def take(self, names: Sequence[str]) -> list[Floats]:
        """Return copies of the instruments' states; those not seen before are fresh."""
        fresh = self.make(len(names))
        return split_states(self.rows(names), fresh) if self.index else fresh

    def rows(self, names: Sequence[str]) -> Floats:
        """Return the instruments' states, each as one row."""
        found = join_states(self.make(len(names)))
        if self.index:
            places = np.array([self.index.get(name, -1) for name in names])
            known = places >= 0
            found[known] = self._kept[places[known]]
        return found

    def put(self, names: Sequence[str], rows: Floats) -> None:
        """Keep the instruments' states, each one row, for their next candles."""
        for name in names:
            self.index.setdefault(name, len(self.index))
        room, size = len(self._kept), rows.shape[1]
        if len(self.index) > room:
            more = np.empty((max(len(self.index) - room, room), size))
            self._kept = np.concatenate([self._kept.reshape(room, size), more])
        self._kept[[self.index[name] for name in names]] = rows


def run_one_row(operation: Operation) -> None:
    """Run a kernel over a single row, for it to be compiled, or loaded, as runs call it."""
    matrix = np.ones((len(operation.columns), 1))
    inputs = [read_only(np.ones(1)) for _ in operation.inputs]
    state, offsets = operation.indicator.new_state(operation.values, 1), np.array([0, 1])
    _run(operation, state, offsets, inputs, list(matrix))


def to_columns(matrix: Floats, *, nan_to_null: bool) -> list[pl.Series]:
    """Return the rows of a matrix as columns for a frame, which own its memory and names them.

    One series, then slices: to make a series takes as long as to fill it.
    """
    values, count = (
        pl.Series("values", matrix.reshape(-1), nan_to_null=nan_to_null),
        matrix.shape[1],
    )
    return [values.slice(k * count, count) for k in range(len(matrix))]


def to_series(name: str, values: Floats) -> pl.Series:
    """Return a kernel's column for a frame: NaN becomes null, here and nowhere else."""
    return pl.Series(name, values, nan_to_null=True)


def split_evenly(offsets: Ints, parts: int) -> list[slice]:
    """Return slices of instruments with about equally many rows each, at most `parts`."""
    if parts == 1:
        return [slice(0, len(offsets) - 1)]
    wanted = np.linspace(offsets[0], offsets[-1], parts + 1)[1:-1]
    cuts = np.unique([0, *np.searchsorted(offsets, wanted), len(offsets) - 1])
    return [slice(int(a), int(b)) for a, b in pairwise(cuts)]


def in_parallel(pool: Executor | None, jobs: Sequence[Callable[[], T]]) -> list[T]:
    """Run jobs on the pool's threads, or here where there is no pool or but one job."""
    if pool is None or len(jobs) < 2:
        return [job() for job in jobs]
    return [future.result() for future in [pool.submit(job) for job in jobs]]
