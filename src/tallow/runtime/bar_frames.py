"""Bars as frames or arrays that own their memory, as the arrays that bars come in are scratch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tallow.core.arrays import Flags, Ints
from tallow.core.limits import PLANS
from tallow.data.kernels import aggregate as bars
from tallow.data.reading.schema import NUMBERS, TIME_TYPE
from tallow.plan.plan import Plan
from tallow.runtime.operations import BarValues, to_columns, to_series
from tallow.runtime.output_kinds import output_columns

BAR_COLUMNS = (
    "instrument",
    "timestamp",
    *NUMBERS,
    "open_interest",
    "candles",
    "is_final",
)
"""Columns of bars before the indicators; `open_interest` only where the candles have it."""

BarColumns = dict[str, NDArray[Any]]
"""Columns of bars by name: int64 microseconds UTC, float64, uint32 counts, flags."""


def bar_frame(
    names: Sequence[str],
    built: bars.BarArrays,
    final: Flags,
    interest: bool,
    plan: Plan,
    made: BarValues,
) -> pl.DataFrame:
    """Return bars with their outputs; the columns own their memory, as the arrays are scratch."""
    prices = np.array([getattr(built, name) for name in NUMBERS])
    columns = [
        _instrument_column(names, np.diff(built.offsets)),
        pl.Series("timestamp", built.timestamp.copy()).cast(TIME_TYPE),
        *to_columns(prices, nan_to_null=False),
    ]
    if interest:
        columns.append(to_series("open_interest", built.open_interest.copy()))
    columns.append(pl.Series("candles", built.candles.astype(np.uint32)))
    columns.append(pl.Series("is_final", final))
    own = [name for name in BAR_COLUMNS if interest or name != "open_interest"]
    columns += output_columns(plan, made.values, made.small)
    return pl.DataFrame(columns, schema=[*own, *plan.columns])


def bar_arrays(
    built: bars.BarArrays, final: Flags, interest: bool, plan: Plan, made: BarValues
) -> BarColumns:
    """Return the columns of `bar_frame`, without the instruments, as arrays."""
    columns: BarColumns = {"timestamp": built.timestamp.copy()}
    columns |= zip(NUMBERS, np.array([getattr(built, name) for name in NUMBERS]), strict=True)
    if interest:
        columns["open_interest"] = built.open_interest.copy()
    columns |= {"candles": built.candles.astype(np.uint32), "is_final": final}
    return columns | dict(zip(plan.columns, made.values, strict=True))


def _instrument_column(names: Sequence[str], counts: Ints) -> pl.Series:
    column = pl.Series("instrument", names, dtype=pl.String)
    if len(names) == 1:
        return column.new_from_index(0, int(counts[0]))
    # Indexed: a gather builds a query, and takes four times as long.
    return column[np.repeat(np.arange(len(names), dtype=np.uint32), counts)]


@lru_cache(maxsize=PLANS)
def no_bars(
    columns: tuple[str, ...], types: tuple[pl.DataType, ...], interest: bool
) -> pl.DataFrame:
    """Return a frame of bars without rows; remembered, as most appended candles complete no bar."""
    kinds: dict[str, pl.DataType] = {"instrument": pl.String(), "timestamp": TIME_TYPE}
    kinds |= {"candles": pl.UInt32(), "is_final": pl.Boolean()}
    names = [name for name in BAR_COLUMNS if interest or name != "open_interest"]
    own = {name: kinds.get(name, pl.Float64()) for name in names}
    return pl.DataFrame(schema=own | dict(zip(columns, types, strict=True)))
