"""Converts the answers of users' engines into what `Engine.answer` promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import polars as pl

from tallow.core.errors import EngineError, TallowError
from tallow.data.reading.interchange import from_native
from tallow.data.reading.schema import NUMBERS, TIME_TYPE, find_column, time_columns
from tallow.data.reading.time_texts import TimeStyle
from tallow.data.reading.times import FORMATS, join_date_and_time, to_utc
from tallow.migrate.engines.bars import NO_SERIES, analytics_engine
from tallow.migrate.protocol import Request
from tallow.runtime.ranges import Range

NO_VALUE = ("", "null", "none", "nan", "n/a", "\\n")
"""Texts for a missing value, in upper or lower case."""


@dataclass(frozen=True)
class AnswerReader:
    """Reads answers of other engines.

    `series` leads from their names of columns to ours; `timezone` is that of times without one.
    `columns` are their names in all answers so far that had rows.
    """

    series: Mapping[str, str] = field(default_factory=dict)
    timezone: str | None = None
    columns: set[str] = field(default_factory=set, compare=False)

    def read(self, answer: object, request: Request, where: str) -> pl.DataFrame:
        """Return the requested rows of a frame of any library, or of a list of mappings.

        They are under our names. Errors name the engine, `where`: `EngineError` if the answer is
        not a table, lacks a column, repeats a key, or has text instead of a number;
        `NaiveTimeError` if its times have no time zone and none was given.
        """
        frame = _to_frame(answer, where)
        self.columns.update(frame.columns if len(frame) else ())
        requested = request.candles["instrument"].unique().to_list()
        keys, others = self._read_keys(frame, requested, where)
        table = pl.DataFrame([*keys, *self._read_numbers(others, where)]).unique()
        table = table.sort("instrument", "timestamp")
        _require_unique(table, where)
        if requested:
            table = table.filter(pl.col("instrument").is_in(requested))
        wanted = Range.of(request.start, request.end, None)
        return wanted.cut(table, analytics_engine(request).calendars)

    def _read_keys(
        self, frame: pl.DataFrame, requested: list[str], where: str
    ) -> tuple[list[pl.Series], pl.DataFrame]:
        """Return instrument and timestamp, and the remaining columns."""
        name, time = (find_column(field, frame.columns) for field in ("instrument", "timestamp"))
        if time is None or (name is None and len(requested) != 1):
            raise EngineError(
                f"{where}: columns found: {', '.join(frame.columns) or 'none'}; instrument and "
                "timestamp must be among them; name them so"
            )
        at = time_columns(frame.schema, time)
        parts = [frame[column] for column in at]
        text = parts[0] if len(parts) == 1 else join_date_and_time(*parts)
        times = to_utc(text, self.timezone, where, TimeStyle())
        names = pl.repeat(requested[0], len(frame), eager=True) if name is None else frame[name]
        for column, shown in ((times, parts[0]), (names, names)):
            if column.null_count():
                row = column.is_null().arg_true()[0]
                raise EngineError(
                    f"{where}: row {row + 1}: {shown.name}={shown[row]!r}; cannot be read; times "
                    f"must be {FORMATS}, and every row needs its instrument"
                )
        keys = [names.cast(pl.String).alias("instrument"), times.alias("timestamp")]
        return keys, frame.drop(*at, *([name] if name else []))

    def _read_numbers(self, frame: pl.DataFrame, where: str) -> list[pl.Series]:
        """Return bars and series as float64, without columns of other types."""
        unnamed = [column for column in frame.columns if column not in self.series]
        bars = {found: bar for bar in NUMBERS if (found := find_column(bar, unnamed))}
        ours: dict[str, str] = {}
        for column in frame.columns:
            name = self.series.get(column) or bars.get(column, column)
            if name in ours:
                raise EngineError(
                    f"{where}: {ours[name]} and {column} are both {name}; only one may be; rename "
                    "one of them by series="
                )
            ours[name] = column
        columns = []
        for name, column in ours.items():
            is_required = name in NUMBERS or column in self.series
            number = _to_number(frame[column], is_required=is_required, where=where)
            if number is not None and name not in NO_SERIES:
                columns.append(number.alias(name))
        order = {name: number for number, name in enumerate(NUMBERS)}
        return sorted(columns, key=lambda column: order.get(column.name, len(order)))


def _to_frame(answer: object, where: str) -> pl.DataFrame:
    try:
        if not isinstance(answer, list):
            return from_native(answer)[0]
        rows = [dict(row) for row in answer]
        empty = pl.Schema({"instrument": pl.String(), "timestamp": TIME_TYPE})
        schema = None if rows else empty
        return pl.DataFrame(rows, schema, infer_schema_length=None, strict=False)
    except (TallowError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise EngineError(
            f"{where}: answered {type(answer).__name__}; must be a frame, or a list of rows: a "
            "mapping from column to value each"
        ) from error


def _to_number(column: pl.Series, *, is_required: bool, where: str) -> pl.Series | None:
    """Return a column as float64, null where it has no value; None if it has no numbers."""
    if column.dtype.is_numeric() or column.dtype == pl.Null:
        return column.cast(pl.Float64).fill_nan(None)
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        number = text.cast(pl.Float64, strict=False)
        wrong = number.is_null() & text.is_not_null() & ~text.str.to_lowercase().is_in(NO_VALUE)
        if not wrong.any():
            return number.fill_nan(None)
        row = cast("int", wrong.arg_true()[0])
        what = f"row {row + 1}: {column.name}={column[row]!r}"
    else:
        what = f"column {column.name!r} is {column.dtype}"
    if is_required:
        raise EngineError(f"{where}: {what}; must be a number; leave a missing value empty")
    return None


def _require_unique(table: pl.DataFrame, where: str) -> None:
    repeated = table.select("instrument", "timestamp").is_duplicated()
    if repeated.any():
        name, time = table.filter(repeated).select("instrument", "timestamp").row(0)
        raise EngineError(
            f"{where}: instrument {name!r} at {time.isoformat()}; comes more than once with "
            "different values; an answer must have each bar once"
        )
