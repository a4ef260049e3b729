"""Frames of other libraries, in and out.

Neither pandas nor PyArrow is imported unless the caller uses it, nor narwhals for files and Polars'
own frames; a pandas frame is read without PyArrow.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.data.reading.schema import ALIASES, find_column
from tallow.data.reading.zones import any_zone, frame_in_utc

NATIVES = ("polars", "pandas", "pyarrow")


def from_native(source: object) -> tuple[pl.DataFrame, str]:
    """Return any frame as a Polars frame, and the kind to give back.

    `CandleInputError` if `source` is not a frame.
    """
    with any_zone():
        frame, native = _from_native(source)
    return frame_in_utc(frame), native


def _from_native(source: object) -> tuple[pl.DataFrame, str]:
    if isinstance(source, pl.DataFrame):
        return source, "polars"
    import narwhals

    source = narwhals.to_native(source, pass_through=True)
    if isinstance(source, pl.DataFrame):
        return source, "polars"
    if isinstance(source, pl.LazyFrame):
        return source.collect(), "polars"
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(source, pandas.DataFrame):
        return _from_pandas(pandas, source), "pandas"
    native = "pyarrow" if type(source).__module__.partition(".")[0] == "pyarrow" else "polars"
    return _from_arrow_or_narwhals(source), native


def to_native(frame: pl.DataFrame, native: str) -> Any:
    """Return a Polars frame as the library `native` has it.

    That is ``polars``, ``pandas`` (times keep their zone, null numbers become NaN) or ``pyarrow``.
    """
    assert native in NATIVES, native
    if native == "pandas":
        return _to_pandas(frame)
    return frame.to_arrow() if native == "pyarrow" else frame


def _from_arrow_or_narwhals(source: object) -> pl.DataFrame:
    import narwhals

    try:
        if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
            read = pl.from_arrow(source)
            return read if isinstance(read, pl.DataFrame) else read.to_frame().unnest(read.name)
        foreign: Any = narwhals.from_native(source)
        return (
            foreign.collect() if isinstance(foreign, narwhals.LazyFrame) else foreign
        ).to_polars()
    except (
        TypeError,
        ValueError,
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
    ) as error:
        raise CandleInputError(_not_read(source, error)) from error


def _not_read(source: object, error: BaseException) -> str:
    kind = type(source).__name__
    if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        return (
            f"read: input={kind}; {reason}; columns must have different names, and types that "
            "Polars reads; rename, cast or leave out the column"
        )
    return (
        f"read: input={kind}; must be a path, a glob, a list of these, or a frame (Polars, pandas, "
        "Arrow, or what narwhals reads); convert it to one of them"
    )


def _from_pandas(pandas: Any, frame: Any) -> pl.DataFrame:
    columns: dict[str, Any] = {}
    for place, label in enumerate(frame.columns):
        # Pandas allows a name twice; the second has one that no field is read from.
        name = str(label) if str(label) not in columns else f"{label}_duplicated_{place}"
        columns[name] = frame.iloc[:, place]
    columns |= _index_columns(pandas, frame, list(columns))
    return pl.DataFrame([_from_pandas_column(pandas, name, held) for name, held in columns.items()])


def _index_columns(pandas: Any, frame: Any, columns: list[str]) -> dict[str, Any]:
    """Return the levels of an index that hold a field which no column holds.

    A level's name is the field's; times under any other name, or none, are the timestamp.
    """
    index = frame.index
    taken: dict[str, Any] = {}
    for level in (index.get_level_values(place) for place in range(index.nlevels)):
        name = str(level.name)
        field = next((field for field in ALIASES if find_column(field, [name])), None)
        if field is None and isinstance(level, pandas.DatetimeIndex):
            name = field = "timestamp"
        if field is not None and find_column(field, [*columns, *taken]) is None:
            taken[name] = level.to_series()
    return taken


def _from_pandas_column(pandas: Any, name: str, column: Any) -> pl.Series:
    dtype = column.dtype
    if isinstance(dtype, pandas.DatetimeTZDtype):
        instants = column.dt.tz_convert("UTC").dt.tz_localize(None)
        return _from_numpy_time(name, instants.to_numpy()).dt.replace_time_zone("UTC")
    extension = pandas.api.types.is_extension_array_dtype(dtype)
    if extension and sys.modules.get("pyarrow") and hasattr(column.array, "__arrow_array__"):
        # What pandas holds in Arrow, text above all, needs no detour over Python objects.
        arrow: Any = pl.from_arrow(column.array.__arrow_array__())
        return frame_in_utc(pl.DataFrame([pl.Series(name, arrow)])).to_series()
    if dtype.kind == "M":
        return _from_numpy_time(name, column.to_numpy())
    if not extension and dtype.kind in "iufb":
        return pl.Series(name, column.to_numpy())
    values = column.astype(object)
    return _from_values(name, values.where(column.notna(), None).tolist())


def _from_numpy_time(name: str, values: Any) -> pl.Series:
    # Polars has no seconds.
    in_seconds = str(values.dtype) == "datetime64[s]"
    return pl.Series(name, values.astype("datetime64[ms]") if in_seconds else values)


def _from_values(name: str, values: list[Any]) -> pl.Series:
    try:
        column = pl.Series(name, values, strict=True)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        column = pl.Series(name, values, dtype=pl.Object)
    if column.dtype != pl.Object:
        return column
    # A column of mixed kinds: as text, each value is read or quarantined on its own.
    return pl.Series(name, [None if value is None else str(value) for value in values], pl.String)


def _to_pandas(frame: pl.DataFrame) -> Any:
    pandas = importlib.import_module("pandas")
    return pandas.DataFrame({column.name: _to_pandas_column(pandas, column) for column in frame})


def _to_pandas_column(pandas: Any, column: pl.Series) -> Any:
    dtype = column.dtype
    if isinstance(dtype, pl.Datetime):
        zoned = dtype.time_zone is not None
        utc = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if zoned else column
        times = pandas.Series(utc.to_numpy())
        return times.dt.tz_localize("UTC").dt.tz_convert(dtype.time_zone) if zoned else times
    if dtype.is_numeric() or (dtype == pl.Boolean and not column.null_count()):
        return pandas.Series(column.to_numpy(writable=True))
    return pandas.Series(column.to_list())
