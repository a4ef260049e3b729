"""Later phases of a plan: values that wait for those of all instruments at the same bar time.

Each instrument's own rows come first, with what these are computed of. Then phases follow each
other: over the rows of a moment, where instruments are compared; over those of an instrument again,
in kernels whose source is such a value. A row is compared with those that open with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from tallow.core.arrays import Floats, Ints, Times
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import RangeError, excerpt, near_matches
from tallow.core.operator import PEER
from tallow.core.timeframe import Timeframe
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import NUMBERS, time_view
from tallow.plan.plan import Phase, Plan
from tallow.runtime.operations import Failure, Machine, join_states, split_states, to_series
from tallow.runtime.output_kinds import as_numbers


@dataclass(frozen=True)
class Rows:
    """Rows ``offsets[i]:offsets[i + 1]`` of each of some instruments, in ascending time.

    `times` are microseconds since 1970 UTC; `columns` float64, the prices and what the plan's own
    operations made of them.
    """

    names: Sequence[str]
    offsets: Ints
    times: Times
    columns: Mapping[str, Floats]


_PEER = f"{PEER} "
"""What the inputs begin with that name an instrument."""


class Phases:
    """The later phases of a plan; may be used by several threads."""

    def __init__(self, plan: Plan, calendars: CalendarAssignment, size: Timeframe) -> None:
        self.plan, self._calendars, self._size = plan, calendars, size
        self._machines = [self._machine(phase) for phase in plan.phases]

    def _machine(self, phase: Phase) -> Machine:
        plan = replace(
            self.plan, operations=phase.operations, columns=phase.columns, hidden=(), phases=()
        )
        calendars = () if phase.is_cross else self._calendars.calendars
        return Machine(plan, calendars, size=self._size)

    def new_states(self, count: int) -> Floats:
        """Return the states of instruments before any row, float64 ``[instruments, size]``."""
        parts = [part for phase in self._new_parts(count) for part in phase]
        return join_states(parts) if parts else np.empty((count, 0))

    def _new_parts(self, count: int) -> list[list[Floats]]:
        return [
            [] if phase.is_cross else machine.new_states(count)
            for phase, machine in zip(self.plan.phases, self._machines, strict=True)
        ]

    def require_peers(self, names: Collection[str]) -> None:
        """Raise `RangeError` if an instrument that others are compared with is not there."""
        inputs = {name for s in self.plan.phases for o in s.operations for name in o.inputs}
        for key in (name.removeprefix(_PEER) for name in inputs if name.startswith(_PEER)):
            if names and key not in names:
                hint = near_matches(key, names)
                raise RangeError(f"security: instrument={excerpt(key)}; has no bars; {hint}")

    def compute(self, rows: Rows, states: Floats) -> tuple[dict[str, Floats], dict[str, str]]:
        """Return the columns of all phases, and why instruments lack values there, by name.

        The states change in place. A kernel that raises over a moment leaves all of that without.
        """
        if not len(rows.times):
            return {name: np.empty(0) for s in self.plan.phases for name in s.columns}, {}
        known, failures = dict(rows.columns), dict[str, str]()
        order = np.argsort(rows.times, kind="stable")
        like = self._new_parts(0)
        parts = split_states(states, [part for phase in like for part in phase])
        left = iter(parts)
        for phase, machine, own in zip(self.plan.phases, self._machines, like, strict=True):
            state = [next(left) for _ in own]
            made = np.empty((len(phase.columns), len(rows.times)))
            if phase.is_cross:
                failures |= self._compare(phase, machine, rows, order, known, made)
            else:
                for failure in self._go_on(machine, rows, state, known, made):
                    failures.setdefault(rows.names[failure.instrument], failure.reason)
            known |= zip(phase.columns, made, strict=True)
        if parts:
            states[:] = join_states(parts)
        return {name: known[name] for phase in self.plan.phases for name in phase.columns}, failures

    def _compare(
        self,
        phase: Phase,
        machine: Machine,
        rows: Rows,
        order: Ints,
        known: Mapping[str, Floats],
        made: Floats,
    ) -> dict[str, str]:
        """Fill in what compares the rows of each moment, which `order` brings together.

        Return for which instruments a kernel raised, and why.
        """
        times = rows.times[order]
        moments = np.flatnonzero(np.diff(times, prepend=times[:1] - 1, append=times[-1:] + 1))
        asked = {name for operation in phase.operations for name in operation.inputs}
        asked -= set(phase.columns)
        inputs = {
            name: known[name][order] if name in known else _is_peer(name, rows)[order]
            for name in asked
        }
        ordered = np.empty_like(made)
        failures = machine.fill(machine.new_states(len(moments) - 1), moments, inputs, ordered)
        made[:, order] = ordered
        lost: dict[str, str] = {}
        for failure in failures:
            first, last = moments[failure.instrument], moments[failure.instrument + 1]
            among = np.searchsorted(rows.offsets, order[first:last], "right") - 1
            lost |= dict.fromkeys([rows.names[k] for k in among.tolist()], failure.reason)
        return lost

    def _go_on(
        self,
        machine: Machine,
        rows: Rows,
        states: Sequence[Floats],
        known: Mapping[str, Floats],
        made: Floats,
    ) -> list[Failure]:
        """Fill in what goes on over each instrument's rows."""
        calendar_of = self._calendars.indices(list(rows.names))
        return machine.fill(states, rows.offsets, known, made, rows.times, calendar_of)


def _is_peer(name: str, rows: Rows) -> Floats:
    """Return 1 for each row of the instrument that an input names, and 0 for others."""
    key = name.removeprefix(_PEER)
    return np.repeat([float(each == key) for each in rows.names], np.diff(rows.offsets))


@dataclass(frozen=True)
class KeptStates:
    """States from which the later phases of a plan go on, and where new ones are kept.

    Attributes
    ----------
    states
        Of instruments by name, before all rows; others have none yet.
    cuts
        Ascending times, microseconds, before which states are kept.
    keep
        Takes such a time, and the states of instruments by name.
    """

    states: Mapping[str, Floats]
    cuts: Sequence[int]
    keep: Callable[[int, Mapping[str, Floats]], None]


def add_phases(
    frame: pl.DataFrame,
    plan: Plan,
    calendars: CalendarAssignment,
    size: Timeframe,
    kept: KeptStates | None = None,
    known: Collection[str] | None = None,
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Return a frame with the columns that were asked for, of all phases; and failures by name.

    The frame has those of the plan's own operations, and is sorted by instrument and time; `size`
    is its timeframe. `known`
    are the instruments that others may be compared with; by default, those with a bar in it.
    """
    names, offsets = instrument_runs(frame)
    own = [name for name in (*NUMBERS, *plan.columns) if name in frame.columns]
    columns = {name: as_numbers(frame[name], plan.kinds.get(name)) for name in own}
    phases = Phases(plan, calendars, size)
    phases.require_peers(names if known is None else known)
    rows = Rows(names, offsets, time_view(frame), columns)
    if kept is None:
        made, failures = phases.compute(rows, phases.new_states(len(names)))
    else:
        made, failures = _in_pieces(phases, rows, kept)
    added = [to_series(name, made[name]) for name in plan.outputs if name in made]
    others = [name for name in frame.columns if name not in plan.columns]
    return frame.with_columns(added).select(*others, *plan.outputs), failures


def _in_pieces(
    phases: Phases, rows: Rows, kept: KeptStates
) -> tuple[dict[str, Floats], dict[str, str]]:
    """Compute rows from kept states on, and keep those between the pieces."""
    states = phases.new_states(len(rows.names))
    begun = np.array([name in kept.states for name in rows.names], dtype=np.bool_)
    for number in np.flatnonzero(begun).tolist():
        states[number] = kept.states[rows.names[number]]
    made: dict[str, Floats] = {}
    failures: dict[str, str] = {}
    piece_of = np.searchsorted(kept.cuts, rows.times, "right")
    for piece in range(len(kept.cuts) + 1):
        inside = np.flatnonzero(piece_of == piece)
        offsets = np.searchsorted(inside, rows.offsets)
        given = {name: column[inside] for name, column in rows.columns.items()}
        part = Rows(rows.names, offsets, rows.times[inside], given)
        found, failed = phases.compute(part, states)
        failures |= failed
        for name, values in found.items():
            made.setdefault(name, np.full(len(rows.times), np.nan))[inside] = values
        begun |= np.diff(offsets) > 0
        if piece < len(kept.cuts):
            some = {rows.names[n]: states[n].copy() for n in np.flatnonzero(begun).tolist()}
            others = {name: s for name, s in kept.states.items() if name not in rows.names}
            kept.keep(kept.cuts[piece], others | some)
    return made, failures
