"""All candle patterns at once beside TA-Lib's functions for them: kernels alone, one thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import polars as pl
import talib
from numpy.typing import NDArray

from benchmarks.kernels import ROWS_MAX, Floats, Rows, rows_of
from benchmarks.measure import Figure, Outcome, take_turns
from benchmarks.settings import Settings
from tallow.core.registry import registry
from tallow.plan.plan import make_plan
from tallow.runtime.operations import Machine

PRICES = ("open", "high", "low", "close")
ALONE = ("cdl_doji", "cdl_hammer", "cdl_morningstar")
"""Patterns that are measured by themselves, too: of one candle, of two, of three."""


def measure(settings: Settings) -> Outcome:
    """Measure one-minute rows."""
    rows = rows_of(pl.read_parquet(settings.market.main_file)).head(ROWS_MAX)
    blocks = list(rows.blocks())
    instruments = [rows.part(i, i + 1).columns for i in range(len(rows.offsets) - 1)]
    functions = {
        f"cdl_{name.removeprefix('CDL').lower()}": name
        for name in talib.get_functions()
        if name.startswith("CDL")
    }
    _require_equal(functions, rows.part(0, 1))
    asked = {"all": tuple(functions), "names of all": ("patterns",)}
    asked |= {name: (name,) for name in ALONE}
    contestants: dict[str, Callable[[], object]] = {}
    for name, specs in asked.items():
        machine = Machine(make_plan(specs))
        contestants[name] = partial(_run, machine, blocks, machine.room(max(map(len, blocks))))
        theirs = [functions[each] for each in specs if each in functions]
        if theirs:
            contestants[f"{name} talib"] = partial(_run_talib, theirs, instruments)
    timings = take_turns(contestants, settings.rounds, len(rows))
    theirs_of_all, table = timings["all talib"], []
    for name in asked:
        own, other = timings[name], timings.get(f"{name} talib", theirs_of_all)
        table.append((name, own.ns_per_row, other.ns_per_row, own.median / other.median))
    ratio = timings["all"].median / theirs_of_all.median
    return Outcome(
        "patterns",
        f"Candle patterns beside TA-Lib's functions, one thread: {len(rows):,} 1m rows",
        ("", "Tallow ns a row", "TA-Lib ns a row", "ratio"),
        table,
        [Figure("all 61 patterns at once / TA-Lib's 61 calls", ratio, target=0.25)],
        ("Names are beside TA-Lib's 61 calls, which give no names.",),
    )


def _run(
    machine: Machine, blocks: Sequence[Rows], room: tuple[Floats, NDArray[np.int8] | None]
) -> None:
    """Fill in what frames are made of."""
    for block in blocks:
        states, count = machine.new_states(len(block.offsets) - 1), len(block)
        made, small = (None if each is None else each[:, :count] for each in room)
        assert made is not None
        assert not machine.fill(states, block.offsets, block.columns, made, small=small)


def _run_talib(functions: Sequence[str], instruments: Sequence[Mapping[str, Floats]]) -> None:
    for name in functions:
        function = getattr(talib, name)
        for columns in instruments:
            function(*(columns[each] for each in PRICES))


def _require_equal(functions: Mapping[str, str], first: Rows) -> None:
    """Assert that values are the same before any is timed: but for a tie in ten thousand."""
    machine = Machine(make_plan(tuple(functions)))
    found = np.empty((len(functions), len(first)))
    assert not machine.fill(machine.new_states(1), first.offsets, first.columns, found)
    for values, name in zip(found, functions.values(), strict=True):
        theirs = getattr(talib, name)(*(first.columns[each] for each in PRICES))
        assert np.mean(np.nan_to_num(values) != theirs) < 1e-4, name
    assert set(functions) <= set(registry().by_name)
