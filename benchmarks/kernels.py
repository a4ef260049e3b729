"""Indicator kernels alone, on arrays in memory, with one thread."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import talib
from numpy.typing import NDArray

import tallow
from benchmarks.kernel_peers import agree, start_peers
from benchmarks.market import CALENDAR
from benchmarks.measure import Figure, Outcome, Timing, take_turns
from benchmarks.settings import Settings
from tallow.core.kernel import read_only
from tallow.core.limits import BLOCK_ROWS
from tallow.data.reading.runs import instrument_runs
from tallow.plan.plan import Operation, make_plan

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]

OUTPUTS_MAX = 6
"""Most outputs of one kernel of the default set: Bollinger's."""


def _length(operation: Operation) -> int:
    return int(operation.values["length"])


def _bollinger(columns: Columns, operation: Operation) -> object:
    multiplier = float(operation.values["multiplier"])
    return talib.BBANDS(columns["close"], _length(operation), multiplier, multiplier)


ROWS_MAX = 2_000_000
"""Twelve columns of more rows are memory that a virtual machine first has to fetch from its host:
a time of its own, which differs tenfold from round to round."""

TALIB: dict[str, Callable[[Columns, Operation], object]] = {
    "sma": lambda c, o: talib.SMA(c["close"], _length(o)),
    "bollinger": _bollinger,
    "ema": lambda c, o: talib.EMA(c["close"], _length(o)),
    "atr": lambda c, o: talib.ATR(c["high"], c["low"], c["close"], _length(o)),
    "rsi": lambda c, o: talib.RSI(c["close"], _length(o)),
}
"""TA-Lib's function by indicator. It has no VWAP."""


@dataclass(frozen=True)
class Rows:
    """Columns of many instruments: rows ``offsets[i]:offsets[i + 1]`` are instrument ``i``'s."""

    offsets: NDArray[np.int64]
    columns: Columns

    def __len__(self) -> int:
        return int(self.offsets[-1])

    def part(self, first: int, last: int) -> Rows:
        """Return instruments ``first`` to ``last - 1``, as views."""
        low, high = self.offsets[first], self.offsets[last]
        columns = {name: column[low:high] for name, column in self.columns.items()}
        return Rows(self.offsets[first : last + 1] - low, columns)

    def head(self, rows: int) -> Rows:
        """Return the first instruments that have at most so many rows together."""
        return self.part(0, int(np.searchsorted(self.offsets, rows, side="right")) - 1)

    def blocks(self) -> Iterator[Rows]:
        """Cut into stretches of about as many rows as a run gives its kernels at a time."""
        first, count = 0, len(self.offsets) - 1
        while first < count:
            wanted = self.offsets[first] + BLOCK_ROWS
            last = int(np.searchsorted(self.offsets, wanted, side="right")) - 1
            last = max(last, first + 1)
            yield self.part(first, last)
            first = last


def measure(settings: Settings) -> Outcome:
    """Measure the default set on the five-minute bars and on the one-minute candles."""
    candles = tallow.read_candles(settings.market.main_file).frame
    engine = tallow.AnalyticsEngine(calendar=CALENDAR)
    bars = engine.process_candles(candles, "5m", ()).frame
    five, one = (rows_of(frame).head(ROWS_MAX) for frame in (bars, candles))
    tables, figures = _measure_rows("5m", five, settings.rounds)
    found, drawn = _measure_rows("1m", one, settings.rounds)
    return Outcome(
        "kernels",
        f"Kernels alone, one thread, default set: {len(five):,} 5m rows and {len(one):,} 1m rows",
        ("", "Tallow ns a row", "TA-Lib ns a row", "ratio"),
        [*tables, *found],
        [*figures, *drawn, *_measure_long(settings)],
        (
            "Averages run eight instruments, or parts of a long one, side by side; rsi one.",
            "Bollinger has six columns here and three in TA-Lib, which has no VWAP.",
        ),
    )


def measure_peers(settings: Settings) -> Outcome:
    """Measure libraries in processes of their own beside; leave out, by name, who differs."""
    rows = rows_of(pl.read_parquet(settings.market.main_file)).head(ROWS_MAX)
    operations = [o for o in make_plan("default").operations if o.indicator.name in TALIB]
    blocks = list(rows.blocks())
    outputs = _blank(OUTPUTS_MAX, max(map(len, blocks)))
    arrays = {**rows.columns, "offsets": rows.offsets}
    with tempfile.TemporaryDirectory() as folder, start_peers(arrays, Path(folder)) as peers:
        notes = [] if peers else ["Nobody is here: `make bench` installs the others."]
        contestants: dict[str, Callable[[], object]] = {}
        for o in operations:
            contestants[_name(o)] = partial(run_kernels, [o], blocks, outputs)
            own = first_instrument(o, rows)
            for peer in peers:
                if agree(own, peer.values(o.indicator.name, _length(o), Path(folder))):
                    run = partial(peer.run, o.indicator.name, _length(o))
                    contestants[f"{_name(o)}, {peer.name}"] = run
                else:
                    notes.append(f"{peer.name}: {_name(o)} has other values, and is left out.")
        timings = take_turns(contestants, settings.rounds, len(rows))
    names, others = list(map(_name, operations)), [peer.name for peer in peers]
    return Outcome(
        "kernel-peers",
        f"Kernels beside others, ns a row on one thread: {len(rows):,} 1m rows",
        ("", "Tallow", *others),
        [
            (name, *(t.ns_per_row if (t := timings.get(key)) else "" for key in keys))
            for name in names
            for keys in [(name, *(f"{name}, {other}" for other in others))]
        ],
        [Figure(f"sum / {other}'s, where equal", _ratio(other, timings)) for other in others],
        notes,
    )


def _ratio(other: str, timings: Mapping[str, Timing]) -> float:
    """Return our time for what a peer has with our values, against its."""
    both = [
        (timings[key.removesuffix(f", {other}")].median, timing.median)
        for key, timing in timings.items()
        if key.endswith(f", {other}")
    ]
    return sum(own for own, _ in both) / sum(theirs for _, theirs in both)


def _measure_long(settings: Settings) -> list[Figure]:
    """Compare ``ema(9)`` of one instrument, both into fresh memory."""
    rows = max(settings.row_counts[:3])
    walk = 100.0 + np.random.default_rng(1).normal(0.0, 0.1, rows).cumsum()
    one = Rows(np.array([0, rows]), {"close": read_only(walk)})
    operation = make_plan(["ema(9)"]).operations[0]

    def own() -> Floats:
        out = np.empty((1, rows))
        _advance(operation, one, out)
        return out

    timings = take_turns({"own": own, "talib": lambda: talib.EMA(walk, 9)}, settings.rounds, rows)
    ratio = timings["own"].median / timings["talib"].median
    return [Figure(f"ema(9), one instrument of {rows:,} rows / TA-Lib", ratio, target=0.4)]


def first_instrument(operation: Operation, rows: Rows) -> Floats:
    """Return an operation's outputs over the first of the instruments."""
    first = rows.part(0, 1)
    outputs = _blank(len(operation.columns), len(first))
    _advance(operation, first, outputs)
    return outputs


def rows_of(frame: pl.DataFrame) -> Rows:
    """Return a candle frame's columns as arrays of one piece; the session is the UTC date."""
    _, offsets = instrument_runs(frame)
    session = pl.col("timestamp").dt.epoch("d").cast(pl.Float64).alias("session")
    wanted = frame.select("open", "high", "low", "close", "volume", session).rechunk()
    return Rows(offsets, {s.name: read_only(s.to_numpy()) for s in wanted.get_columns()})


def _measure_rows(
    label: str, rows: Rows, rounds: int
) -> tuple[list[tuple[str | float, ...]], list[Figure]]:
    operations = make_plan("default").operations
    with_peer = [o for o in operations if o.indicator.name in TALIB]
    blocks, instruments = list(rows.blocks()), list(_instruments(rows))
    outputs = _blank(OUTPUTS_MAX, max(map(len, blocks)))
    contestants: dict[str, Callable[[], object]] = {}
    for o in operations:
        contestants[f"tallow {_name(o)}"] = partial(run_kernels, [o], blocks, outputs)
    for o in with_peer:
        contestants[f"talib {_name(o)}"] = partial(_run_talib, [o], instruments)
    source = _fresh_outputs(operations, blocks, len(rows))
    contestants |= {
        "tallow": partial(run_kernels, operations, blocks, outputs),
        "tallow without vwap": partial(run_kernels, with_peer, blocks, outputs),
        "talib": partial(_run_talib, with_peer, instruments),
        "tallow fresh": partial(_fresh_outputs, operations, blocks, len(rows)),
        "copy": source.copy,
    }
    timings = take_turns(contestants, rounds, len(rows))
    return _table(label, operations, timings), _figures(label, timings)


def _table(
    label: str, operations: tuple[Operation, ...], timings: Mapping[str, Timing]
) -> list[tuple[str | float, ...]]:
    table: list[tuple[str | float, ...]] = []
    for name in map(_name, operations):
        own, peer = timings[f"tallow {name}"], timings.get(f"talib {name}")
        ratio = own.median / peer.median if peer else ""
        table.append((f"{label} {name}", own.ns_per_row, peer.ns_per_row if peer else "", ratio))
    own, peer = timings["tallow without vwap"], timings["talib"]
    ratio = own.median / peer.median
    table.append((f"{label} all but vwap", own.ns_per_row, peer.ns_per_row, ratio))
    table.append((f"{label} all", timings["tallow"].ns_per_row, "", ""))
    table.append((f"{label} all, into fresh memory", timings["tallow fresh"].ns_per_row, "", ""))
    table.append((f"{label} copying the twelve columns", timings["copy"].ns_per_row, "", ""))
    return table


def _figures(label: str, timings: Mapping[str, Timing]) -> list[Figure]:
    talib_s, copy_s = timings["talib"].median, timings["copy"].median
    own, fresh = timings["tallow"].median, timings["tallow fresh"].median
    without = timings["tallow without vwap"].median
    worst = max(
        timings[f"tallow {name.removeprefix('talib ')}"].median / timing.median
        for name, timing in timings.items()
        if name.startswith("talib ")
    )
    return [
        Figure(f"{label} all but vwap / TA-Lib's seven calls", without / talib_s, target=0.8),
        Figure(f"{label} the slowest of them / TA-Lib's", worst, target=1.0),
        Figure(f"{label} all with vwap / TA-Lib's seven calls", own / talib_s),
        Figure(f"{label} all / copying, both into fresh memory", fresh / copy_s, target=2.0),
        Figure(f"{label} all, memory reused / copying into fresh", own / copy_s),
    ]


def _name(operation: Operation) -> str:
    values = ", ".join(str(value) for value in operation.values.values())
    return f"{operation.indicator.name}({values})"


def _instruments(rows: Rows) -> Iterator[Columns]:
    for i in range(len(rows.offsets) - 1):
        yield rows.part(i, i + 1).columns


def _blank(columns: int, rows: int) -> Floats:
    return np.zeros((columns, rows))


def _advance(operation: Operation, block: Rows, outputs: Floats | list[Floats]) -> None:
    state = operation.indicator.new_state(operation.values, len(block.offsets) - 1)
    inputs = [block.columns[name] for name in operation.inputs]
    operation.advance(state, operation.parameters, block.offsets, *inputs, *outputs)


def run_kernels(
    operations: list[Operation] | tuple[Operation, ...], blocks: list[Rows], outputs: Floats
) -> None:
    """Run operations over all rows, one after the other on each block."""
    for block in blocks:
        for operation in operations:
            _advance(operation, block, outputs[: len(operation.columns), : len(block)])


def _fresh_outputs(operations: tuple[Operation, ...], blocks: list[Rows], rows: int) -> Floats:
    """Return all columns in fresh memory, as a run makes them."""
    wanted = sum(column is not None for o in operations for column in o.columns)
    matrix, spare = np.empty((wanted, rows)), np.empty(max(map(len, blocks)))
    low = 0
    for block in blocks:
        high, columns = low + len(block), iter(matrix)
        for o in operations:
            outputs = [
                spare[: len(block)] if c is None else next(columns)[low:high] for c in o.columns
            ]
            _advance(o, block, outputs)
        low = high
    return matrix


def _run_talib(operations: list[Operation], instruments: list[Columns]) -> None:
    for columns in instruments:
        for operation in operations:
            TALIB[operation.indicator.name](columns, operation)
