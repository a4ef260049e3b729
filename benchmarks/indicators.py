"""Every indicator that TA-Lib has, too, each beside it: a kernel alone, one thread, defaults.

Which function it is, the indicator's own declaration says. Only what has the same values is timed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
import talib
from talib import abstract

from benchmarks.kernel_peers import Peer, agree, start_peers
from benchmarks.kernels import ROWS_MAX, Floats, Rows, first_instrument, rows_of, run_kernels
from benchmarks.measure import Figure, Outcome, Timing, take_turns
from benchmarks.settings import Settings
from tallow.core.operator import CROSS
from tallow.core.registry import registry
from tallow.plan.plan import Operation, make_plan

REASONS = {
    "hma": "three weighted means, each of them exact at every row; TA-Lib's are running sums",
}
"""Why a kernel takes longer than TA-Lib's function, where it does."""


@dataclass(frozen=True)
class Call:
    """A function of TA-Lib that has an indicator's values, with its arguments."""

    operation: Operation
    function: str
    inputs: tuple[str, ...]
    arguments: tuple[float, ...]

    @property
    def name(self) -> str:
        """Return the indicator with its lengths."""
        return ", ".join(column for column in self.operation.columns[:1] if column)

    def run(self, instruments: Sequence[Mapping[str, Floats]]) -> object:
        """Call it for each instrument."""
        function, found = getattr(talib, self.function), None
        for columns in instruments:
            found = function(*(columns[name] for name in self.inputs), *self.arguments)
        return found

    def line(self) -> str:
        """Return what a process of another library is told."""
        inputs, arguments = ",".join(self.inputs), ",".join(map(str, self.arguments))
        return f"{self.function}:{inputs}:{arguments}"


def measure(settings: Settings) -> Outcome:
    """Measure one-minute rows."""
    rows = rows_of(pl.read_parquet(settings.market.main_file)).head(ROWS_MAX)
    first, blocks = rows.part(0, 1), list(rows.blocks())
    calls, others = _equal(list(_calls()), first)
    outputs = np.zeros((max(len(c.operation.columns) for c in calls), max(map(len, blocks))))
    instruments = [rows.part(i, i + 1).columns for i in range(len(rows.offsets) - 1)]
    contestants: dict[str, Callable[[], object]] = {}
    arrays = {**rows.columns, "offsets": rows.offsets}
    with (
        tempfile.TemporaryDirectory() as folder,
        start_peers(arrays, Path(folder), ["ta-lib-takt"]) as peers,
    ):
        for each in calls:
            contestants[each.name] = partial(run_kernels, [each.operation], blocks, outputs)
            contestants[f"{each.name} talib"] = partial(each.run, instruments)
            for peer in peers:
                contestants[f"{each.name} takt"] = partial(_run_peer, peer, each)
        timings = take_turns(contestants, settings.rounds, len(rows))
    return _outcome(calls, timings, rows, others)


def _run_peer(peer: Peer, call: Call) -> object:
    return peer.run(call.line(), 0)


def _calls() -> list[Call]:
    """Return what is TA-Lib's by its declaration, once, with our defaults."""
    found = []
    for indicator in registry().by_name.values():
        names = indicator.names.get("talib", "").split()
        if not names or indicator.memory == CROSS or indicator.family is not None:
            continue
        (operation,) = make_plan([indicator.name], convention="talib").operations[-1:]
        described = abstract.Function(names[0])
        given = described.input_names.values()
        inputs = [x for each in given for x in ([each] if isinstance(each, str) else each)]
        inputs = [
            wanted if len(inputs) == 1 else x for x in inputs for wanted in operation.inputs[:1]
        ]
        numbers = [v for v in operation.values.values() if not isinstance(v, str)]
        theirs = list(described.parameters.values())
        arguments = (*numbers[: len(theirs)], *theirs[len(numbers) :])
        cast = tuple(type(t)(a) for t, a in zip(theirs, arguments, strict=True))
        found.append(Call(operation, names[0], tuple(inputs), cast))
    return found


def _equal(calls: Sequence[Call], first: Rows) -> tuple[list[Call], list[str]]:
    """Return the calls whose first output is one of ours, and the names of others."""
    equal, others = [], []
    for each in calls:
        theirs = np.atleast_2d(np.asarray(each.run([first.columns]), dtype=np.float64))
        own = first_instrument(each.operation, first)
        is_equal = any(agree(row[np.newaxis], theirs[:1]) for row in own)
        (equal if is_equal else others).append(each if is_equal else each.function)
    return equal, others


def _outcome(
    calls: Sequence[Call], timings: Mapping[str, Timing], rows: Rows, others: Sequence[str]
) -> Outcome:
    ratios, table = {}, []
    for each in calls:
        own, talibs = timings[each.name], timings[f"{each.name} talib"]
        takt = timings.get(f"{each.name} takt")
        ratio = ratios[each.operation.indicator.name] = own.median / talibs.median
        beside = ("", "") if takt is None else (takt.ns_per_row, own.median / takt.median)
        table.append((each.name, own.ns_per_row, talibs.ns_per_row, ratio, *beside))
    slow = [
        f"{name}: {REASONS.get(name, 'no reason is known')}."
        for name, ratio in ratios.items()
        if ratio > 1.0
    ]
    if others:
        slow.append(f"Other values with these arguments, and not timed: {', '.join(others)}.")
    return Outcome(
        "indicators",
        f"Indicators beside TA-Lib's functions, one thread: {len(rows):,} 1m rows",
        ("", "Tallow ns a row", "TA-Lib ns a row", "ratio", "ta-lib-takt ns a row", "ratio"),
        table,
        [
            Figure("an indicator / TA-Lib's, median", median(ratios.values()), target=0.7),
            Figure("the slowest of them / TA-Lib's", max(ratios.values()), target=2.0),
        ],
        slow,
    )
