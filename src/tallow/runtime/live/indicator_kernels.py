"""The indicators of one timeframe's bars: one kernel call per operation, for all instruments.

A user's kernel may raise anything. Then it runs instrument by instrument, and those for which it
raises have no values in its columns any more, until they are rebuilt.
"""

from __future__ import annotations

import numpy as np

from tallow.core.arrays import Floats, Ints, Times
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.kernel import read_only
from tallow.data.kernels.anchors import AnchorTable, anchor_columns, anchor_table
from tallow.data.reading.schema import NUMBERS
from tallow.plan.plan import Plan
from tallow.runtime.live.bar_rows import BAR_FIELDS
from tallow.runtime.operations import run_operations

StateArrays = list[Floats]
"""What a timeframe's values depend on, of some instruments: the state of the bars, with the open
one, and each operation's after the last closed bar; float64 ``[instruments, size]`` each."""


class IndicatorKernels:
    """The operations of a plan, with what they read besides bars, and where they have failed.

    Attributes
    ----------
    fields
        The fields of a bar's row: those of the bar, then the indicators' columns.
    failed
        Of columns whose kernel raised, the instruments that have no values there any more.
    failures
        Why, by instrument.
    """

    def __init__(self, plan: Plan, calendars: CalendarAssignment) -> None:
        self.plan = plan
        self.fields = (*BAR_FIELDS, *plan.columns)
        self.failed: dict[str, set[int]] = {}
        self.failures: dict[int, str] = {}
        self.anchors = anchor_table(calendars.calendars) if plan.anchors else None
        self._one_calendar = len(calendars.calendars) == 1
        self._session: tuple[int, int, dict[str, Floats]] = (0, 0, {})
        places = {name: place for place, name in enumerate(self.fields)}
        self._outputs = [
            (operation, [None if name is None else places[name] for name in operation.columns])
            for operation in plan.operations
        ]

    def inputs(
        self, calendar: Ints, offsets: Ints, times: Times, rows: Floats
    ) -> dict[str, Floats]:
        """Return the inputs of operations, read-only."""
        inputs = dict(zip(NUMBERS, read_only(rows), strict=False))
        if self.anchors is not None:
            inputs |= self._anchor_columns(self.anchors, calendar, offsets, times)
        return inputs

    def run_all(
        self, state: StateArrays, offsets: Ints, inputs: dict[str, Floats], rows: Floats
    ) -> None:
        """Run every operation, for all instruments at once; raise what a kernel raises."""
        for (operation, fields), each in zip(self._outputs, state, strict=True):
            operation.advance(
                each,
                operation.parameters,
                offsets,
                *[inputs[name] for name in operation.inputs],
                *[np.empty(rows.shape[1]) if k is None else rows[k] for k in fields],
            )

    def run_by_instrument(
        self,
        which: Ints,
        state: StateArrays,
        offsets: Ints,
        inputs: dict[str, Floats],
        rows: Floats,
    ) -> None:
        """Fill in bars' indicators, float64 ``[fields, bars]``; note for whom kernels fail."""
        done = run_operations(self.plan, state, offsets, inputs, rows[len(BAR_FIELDS) :])
        for failure in done.failures:
            number = int(which[failure.instrument])
            self.failures.setdefault(number, failure.reason)
            for column in failure.columns:
                self.failed.setdefault(column, set()).add(number)
        self.remove_failed(which, offsets, rows)

    def remove_failed(self, which: Ints, offsets: Ints, rows: Floats) -> None:
        """Remove the values of kernels that have failed."""
        for column, numbers in self.failed.items():
            lost = np.repeat(np.isin(which, list(numbers)), np.diff(offsets))
            rows[self.fields.index(column), lost] = np.nan

    def forget_failures(self, number: int) -> None:
        """Let a rebuilt instrument have values again where kernels failed."""
        self.failures.pop(number, None)
        for numbers in self.failed.values():
            numbers.discard(number)

    def _anchor_columns(
        self, table: AnchorTable, calendar: Ints, offsets: Ints, times: Times
    ) -> dict[str, Floats]:
        wanted, count = self.plan.anchors, len(times)
        if not self._one_calendar or not count or not _all_equal(times):
            columns = anchor_columns(table, wanted, times, offsets, calendar)
            return {name: read_only(column) for name, column in columns.items()}
        # One minute of all instruments: one value for all, mostly that of the minute before.
        first, until, known = self._session
        if first <= times[0] < until and len(next(iter(known.values()))) == count:
            return known
        numbers = anchor_columns(table, wanted, times[:1], np.array([0, 1]), calendar[:1])
        known = {name: read_only(np.full(count, each[0])) for name, each in numbers.items()}
        after = int(np.searchsorted(table.boundaries, times[0], "right"))
        if 0 < after < len(table.boundaries):
            self._session = int(table.boundaries[after - 1]), int(table.boundaries[after]), known
        return known


def _all_equal(times: Times) -> bool:
    # Half the time of `all`, for a few.
    return int(np.count_nonzero(times == times[0])) == len(times)
