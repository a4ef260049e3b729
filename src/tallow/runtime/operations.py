"""Running a plan's kernels over columns of rows, for many instruments in one call each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

import numpy as np
import polars as pl

from tallow.core.arrays import Floats, Ints
from tallow.core.buffers import BUFFERS
from tallow.core.kernel import read_only
from tallow.plan.plan import Operation, Plan

T = TypeVar("T")
Fresh = Callable[[int], Floats]


@dataclass
class States:
    """Kernel states of instruments whose rows come in several blocks: one matrix per kernel."""

    fresh: Sequence[Fresh]
    index: dict[str, int] = field(default_factory=dict)
    matrices: list[Floats] = field(default_factory=list)

    def take(self, names: Sequence[str]) -> list[Floats]:
        """Return copies of the instruments' states; those not seen before are fresh."""
        if not self.index:
            return [make(len(names)) for make in self.fresh]
        rows = np.array([self.index.get(name, -1) for name in names])
        known = rows >= 0
        taken = [make(len(names)) for make in self.fresh]
        for state, matrix in zip(taken, self.matrices, strict=True):
            state[known] = matrix[rows[known]]
        return taken

    def keep(self, names: Sequence[str], states: Sequence[Floats]) -> None:
        """Keep the instruments' states for their next rows."""
        if not self.matrices:
            self.matrices = [make(0) for make in self.fresh]
        for name in names:
            self.index.setdefault(name, len(self.index))
        rows = [self.index[name] for name in names]
        for k, (make, state) in enumerate(zip(self.fresh, states, strict=True)):
            missing = len(self.index) - len(self.matrices[k])
            if missing > 0:
                self.matrices[k] = np.concatenate(
                    [self.matrices[k], make(max(missing, len(self.matrices[k])))]
                )
            self.matrices[k][rows] = state


def fresh_states(plan: Plan) -> list[Fresh]:
    """Return per operation what makes states before any row."""
    return [
        lambda count, o=operation: o.indicator.new_state(o.values, count)  # type: ignore[misc]
        for operation in plan.operations
    ]


@dataclass(frozen=True)
class Failure:
    """A kernel that raised for one instrument, whose values in its columns are missing."""

    instrument: int
    columns: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class OutputColumns:
    """Output columns as rows of one fresh matrix, and where kernels failed."""

    columns: dict[str, Floats]
    failures: list[Failure]


def run_operations(
    plan: Plan,
    states: Sequence[Floats],
    offsets: Ints,
    inputs: Mapping[str, Floats],
    out: Floats | None = None,
) -> OutputColumns:
    """Run every operation of `plan` over rows ``offsets[i]:offsets[i + 1]`` of each instrument.

    `states` are float64 ``[instruments, state_size]`` per operation, changed in place; `inputs` are
    float64 columns by name. The columns go to `out`, float64 ``[columns, rows]``; to a fresh one by
    default, as Polars frames alias what is returned.
    """
    rows = len(next(iter(inputs.values()))) if inputs else 0
    matrix = np.empty((len(plan.columns), rows)) if out is None else out
    columns = dict(zip(plan.columns, matrix, strict=True))
    failures: list[Failure] = []
    given = {name: read_only(column) for name, column in inputs.items()}
    spare = max((o.columns.count(None) for o in plan.operations), default=0)
    with BUFFERS.lend(spare * rows) as memory:
        for operation, state in zip(plan.operations, states, strict=True):
            free = iter(memory.reshape(spare, rows))
            outputs = [next(free) if name is None else columns[name] for name in operation.columns]
            taken = [given[name] for name in operation.inputs]
            failures += _run(operation, state, offsets, taken, outputs)
    return OutputColumns(columns, failures)


def _run(
    operation: Operation,
    state: Floats,
    offsets: Ints,
    inputs: Sequence[Floats],
    outputs: Sequence[Floats],
) -> list[Failure]:
    """Call the kernel once for all; where it raises, once per instrument, to find which ones."""
    advance, parameters = operation.advance, operation.parameters
    before = state.copy()
    try:
        advance(state, parameters, offsets, *inputs, *outputs)
    except Exception:  # noqa: BLE001
        # A user's kernel may raise anything; the others' values must not be lost with it.
        state[:] = before
    else:
        return []
    columns = tuple(column for column in operation.columns if column is not None)
    failures = []
    for i in range(len(state)):
        try:
            advance(state[i : i + 1], parameters, offsets[i : i + 2], *inputs, *outputs)
        except Exception as error:  # noqa: BLE001
            reason = f"{operation.indicator.name}: {type(error).__name__}: {error}"
            failures.append(Failure(i, columns, reason))
            for output in outputs:
                output[offsets[i] : offsets[i + 1]] = math.nan
    return failures


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
