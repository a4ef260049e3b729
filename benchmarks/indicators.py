"""Every indicator that TA-Lib has, too, each beside it: a kernel alone, one thread, defaults.

Which function it is, the indicator's own declaration says. Only what has the same values is timed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations, product
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
import talib
from talib import abstract

from benchmarks.kernel_peers import Peer, agree, start_peers
from benchmarks.kernels import ROWS_MAX, Floats, Rows, first_instrument, rows_of, run_kernels
from benchmarks.measure import Figure, Outcome, Taken, Timing, take_turns
from benchmarks.settings import Settings
from tallow.core.operator import CROSS, RECURSIVE, WINDOW
from tallow.core.registry import registry
from tallow.plan.plan import Operation, make_plan

REASONS = {
    WINDOW: "each window is added up by itself, so that nothing drifts; TA-Lib's are running sums",
    RECURSIVE: "looks for a missing row at each row, and keeps what fades away exact",
}
"""Why a kernel takes longer than TA-Lib's functions, by its memory, where nothing else is known."""

KNOWN_REASONS = {
    "accbands": "three means, each window added up by itself, beside three running sums",
    "adosc": "four columns are laid out anew, for eight instruments side by side",
    "ao": "means of 5 and 34 rows, each window added up by itself",
    "atr": "true ranges are written first and averaged then; TA-Lib's are both in one pass",
    "bollinger": "six columns beside three, and squares about each window's newest row",
    "chaikin_volatility": "row by row: the averages kept are lifted before they fade away",
    "cmf": "sums of flows and of volumes, each window added up by itself",
    "correlation": "five sums of each window, added up anew; TA-Lib carries them on",
    "dpo": "each window is added up by itself, and so are missing rows of the shift",
    "elder_ray": "three columns are laid out anew, for eight instruments side by side",
    "heikin_ashi": "four columns in and four out are laid out anew, for eight instruments",
    "hma": "three weighted means, each window added up by itself",
    "ht_dcperiod": "smoothed prices are differences of prices, which keeps small moves",
    "ht_trendline": "as ht_dcperiod; and the mean of a period is added up anew on each row",
    "kama": "row by row; sums of changes are made of blocks, so that nothing drifts",
    "mama": "smoothed prices are differences of prices, which keeps small moves",
    "mass": "25 ratios are added up anew for each row",
    "midpoint": "the highest and the lowest of each window are made of blocks, whatever prices do",
    "midprice": "the highest and the lowest of each window are made of blocks, whatever prices do",
    "momentum": "closes are copied behind the earlier ones, and missing rows are counted",
    "natr": "as atr, and one more pass for the quotient",
    "smi": "row by row: extremes of blocks, and four averages that wait for one another",
    "stoch_rsi": "row by row: extremes and sums of blocks, of which a null is no value",
    "supertrend": "row by row: bands and direction wait for the row before",
    "tsi": "six values wait for the row before, and are kept for eight instruments",
    "ultimate": "sums of 7, 14 and 28 rows of two columns, each window added up by itself",
    "vortex": "three sums of each window, added up anew, over three columns",
    "vwma": "sums of prices by volume and of volumes, each window added up by itself",
    "williams_r": "the highest and the lowest of each window are made of blocks, and a quotient",
    "wma": "weighted sums of each window, added up anew; TA-Lib carries them on",
    "zlema": "row by row: the closes of the lag are kept in a ring",
}
"""What these do that TA-Lib's functions do not, or do otherwise."""


@dataclass(frozen=True)
class Function:
    """A function of TA-Lib with its arguments."""

    name: str
    inputs: tuple[str, ...]
    arguments: tuple[float, ...]

    def run(self, columns: Mapping[str, Floats]) -> object:
        """Return its output, or a tuple of them, as it gives them: what is timed."""
        given = (columns[name] for name in self.inputs)
        return getattr(talib, self.name)(*given, *self.arguments)

    def values(self, columns: Mapping[str, Floats]) -> Floats:
        """Return copies of its outputs, float64 ``[outputs, rows]``."""
        return np.atleast_2d(np.asarray(self.run(columns), dtype=np.float64))

    def line(self) -> str:
        """Return what a process of another library is told."""
        inputs, arguments = ",".join(self.inputs), ",".join(map(str, self.arguments))
        return f"{self.name}:{inputs}:{arguments}"


@dataclass(frozen=True)
class Call:
    """An indicator, and the functions of TA-Lib that have the values of its outputs."""

    operation: Operation
    functions: tuple[Function, ...]

    @property
    def name(self) -> str:
        """Return the indicator with its lengths."""
        return str(self.operation.columns[0])

    def run(self, instruments: Sequence[Mapping[str, Floats]]) -> None:
        """Call the functions for each instrument."""
        for columns in instruments:
            for each in self.functions:
                each.run(columns)

    def run_peer(self, peer: Peer) -> Taken:
        """Let a library with TA-Lib's names do so; return what it took."""
        parts = [peer.run(each.line(), 0) for each in self.functions]
        return Taken(sum(part.wall for part in parts), sum(part.cpu for part in parts))


def measure(settings: Settings) -> Outcome:
    """Measure one-minute rows."""
    rows = rows_of(pl.read_parquet(settings.market.main_file)).head(ROWS_MAX)
    first, blocks = rows.part(0, 1), list(rows.blocks())
    calls, others = _calls(first)
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
                contestants[f"{each.name} takt"] = partial(each.run_peer, peer)
        timings = take_turns(contestants, settings.rounds, len(rows))
    return _outcome(calls, timings, rows, others)


def _calls(first: Rows) -> tuple[list[Call], list[str]]:
    """Return what has TA-Lib's values with our defaults, and the names of others."""
    found, others = [], []
    for indicator in registry().by_name.values():
        names = indicator.names.get("talib", "").split()
        if not names or indicator.memory == CROSS or indicator.family is not None:
            continue
        (operation,) = make_plan([indicator.name], convention="talib").operations[-1:]
        own = first_instrument(operation, first)
        equal = [_equal(name, operation, own, first) for name in names]
        functions = tuple(each for each in equal if each is not None)
        if functions:
            found.append(Call(operation, functions))
        others += [name for name, each in zip(names, equal, strict=True) if each is None]
    return found, others


def _equal(name: str, operation: Operation, own: Floats, first: Rows) -> Function | None:
    """Return a function of which the first output is one of ours, if it is."""
    for each in _forms(name, operation):
        theirs = each.values(first.columns)[:1]
        if any(agree(row[np.newaxis], theirs) for row in own):
            return each
    return None


def _forms(name: str, operation: Operation) -> Iterator[Function]:
    """Return a function with our arguments; one of two series with these in either order."""
    described = abstract.Function(name)
    numbers = [v for v in operation.values.values() if not isinstance(v, str)]
    theirs, given = described.parameters, described.input_names
    orders = permutations(operation.inputs[: len(given)])
    if any(not isinstance(each, str) for each in given.values()):
        orders = ([x for v in given.values() for x in ([v] if isinstance(v, str) else v)],)
    values = (*numbers[: len(theirs)], *[*theirs.values()][len(numbers) :])
    for inputs, average in product(orders, (talib.MA_Type.SMA, talib.MA_Type.EMA)):
        arguments = (
            average if key == "matype" else type(t)(v)
            for (key, t), v in zip(theirs.items(), values, strict=True)
        )
        yield Function(name, tuple(inputs), tuple(arguments))


def _outcome(
    calls: Sequence[Call], timings: Mapping[str, Timing], rows: Rows, others: Sequence[str]
) -> Outcome:
    ratios, slow, table = [], [], []
    for each in calls:
        own, talibs = timings[each.name], timings[f"{each.name} talib"]
        takt = timings.get(f"{each.name} takt")
        ratios.append(ratio := own.median / talibs.median)
        if ratio > 1.0:
            indicator = each.operation.indicator
            why = KNOWN_REASONS.get(indicator.name, REASONS[indicator.memory])
            slow.append(f"{each.name}: {why}.")
        beside = ("", "") if takt is None else (takt.ns_per_row, own.median / takt.median)
        table.append((each.name, own.ns_per_row, talibs.ns_per_row, ratio, *beside))
    if others:
        slow.append(f"Other values with these arguments, and not timed: {', '.join(others)}.")
    return Outcome(
        "indicators",
        f"Indicators beside TA-Lib's functions, one thread: {len(rows):,} 1m rows",
        ("", "Tallow ns a row", "TA-Lib ns a row", "ratio", "ta-lib-takt ns a row", "ratio"),
        table,
        [
            Figure("an indicator / TA-Lib's, median", median(ratios), target=0.7),
            Figure("the slowest of them / TA-Lib's", max(ratios), target=2.0),
        ],
        slow,
    )
