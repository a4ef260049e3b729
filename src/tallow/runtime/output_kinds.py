"""Outputs that frames have as whole numbers, or as names: kernels have float64 of most.

The number of an output with names has a bit for each name that is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from tallow.core.arrays import SMALL_NULL, Floats, Smalls
from tallow.core.operator import Kind, Output
from tallow.plan.plan import Plan
from tallow.runtime.operations import to_columns

TYPES: Mapping[Kind, pl.DataType] = {
    "float64": pl.Float64(),
    "int8": pl.Int8(),
    "int16": pl.Int16(),
    "names": pl.String(),
}


def output_types(columns: Sequence[str], kinds: Mapping[str, Output]) -> list[pl.DataType]:
    """Return the types of columns in frames."""
    return [TYPES[kinds[name].kind] if name in kinds else TYPES["float64"] for name in columns]


def output_columns(plan: Plan, matrix: Floats, small: Smalls | None) -> list[pl.Series]:
    """Return a plan's columns for a frame, which own their memory: float64, and those of int8."""
    made = to_columns(matrix, nan_to_null=True)
    if not plan.kinds:
        return made
    columns = {} if small is None else dict(zip(plan.small, _small_columns(small), strict=True))
    wide = (name for name in plan.columns if name not in columns)
    columns |= {
        name: in_kind(each, plan.kinds.get(name)) for name, each in zip(wide, made, strict=True)
    }
    return [columns[name] for name in plan.columns]


def _small_columns(matrix: Smalls) -> list[pl.Series]:
    """Return int8 rows of a matrix as columns for a frame, as `to_columns`; null as null."""
    values, count = pl.Series("values", matrix.reshape(-1)), matrix.shape[1]
    values = values.set(values == SMALL_NULL, None)
    return [values.slice(k * count, count) for k in range(len(matrix))]


def in_kind(values: pl.Series, output: Output | None) -> pl.Series:
    """Return numbers as frames have them of an output; null stays null."""
    if output is None or output.kind == "float64":
        return values
    if output.kind != "names":
        return values.cast(TYPES[output.kind])
    distinct = values.drop_nulls().unique()
    texts = [_text(int(each), output.names) for each in distinct.to_list()]
    return values.replace_strict(distinct, texts, return_dtype=pl.String, default=None)


def as_numbers(column: pl.Series, output: Output | None) -> Floats:
    """Return the numbers behind a column of a frame, NaN for null."""
    if output is not None and output.kind == "names":
        distinct = column.drop_nulls().unique()
        numbers = [_number(each, output.names) for each in distinct.to_list()]
        column = column.replace_strict(distinct, numbers, return_dtype=pl.Float64, default=None)
    values: Floats = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return values


def _text(number: int, names: Sequence[str]) -> str:
    return " ".join(name for bit, name in enumerate(names) if number >> bit & 1)


def _number(text: str, names: Sequence[str]) -> float:
    return float(sum(1 << names.index(name) for name in text.split()))
