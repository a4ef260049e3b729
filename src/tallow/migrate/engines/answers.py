"""What a user's engine answers, made into what `Engine.answer` promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import polars as pl

from tallow.core.errors import EngineError, TallowError
from tallow.data.interchange import from_native
from tallow.data.schema import NUMBERS, TIME_TYPE, find_column, time_columns
from tallow.data.time_texts import Written
from tallow.data.times import FORMATS, join_date_and_time, to_utc
from tallow.migrate.engines.bars import analytics_engine
from tallow.migrate.protocol import Request
from tallow.runtime.ranges import Range

NO_VALUE = ("", "null", "none", "nan", "n/a", "\\n")
"""Texts, in any case, by which tables say that a value is missing."""

NO_SERIES = ("open_interest", "candles", "is_final")
"""Columns of bars that no engine answers for."""


@dataclass(frozen=True)
class Reading:
    """How foreign answers are read.

    Parameters
    ----------
    series
        From their names of columns to ours.
    timezone
        Zone of times that carry none.
    """

    series: Mapping[str, str] = field(default_factory=dict)
    timezone: str | None = None

    def answer(self, given: object, request: Request, where: str) -> pl.DataFrame:
        """Return the rows that were asked for, under our names.

        Parameters
        ----------
        given
            A frame of any library, or a list of rows (mappings).
        where
            What answered, for errors.

        Raises
        ------
        EngineError
            If it is no table, lacks a column, repeats a key, or holds text where a number must be.
        NaiveTimeError
            If its times carry no zone and none was given.
        """
        frame = _as_frame(given, where)
        asked = request.candles["instrument"].unique().to_list()
        keys, others = self._keys(frame, asked, where)
        table = pl.DataFrame([*keys, *self._numbers(others, where)]).unique()
        table = table.sort("instrument", "timestamp")
        _require_unique(table, where)
        if asked:
            table = table.filter(pl.col("instrument").is_in(asked))
        wanted = Range.of(request.start, request.end, None)
        return wanted.cut(table, analytics_engine(request).calendars)

    def _keys(
        self, frame: pl.DataFrame, asked: list[str], where: str
    ) -> tuple[list[pl.Series], pl.DataFrame]:
        """Return instrument and timestamp, and the columns that neither was read from."""
        name, time = (find_column(field, frame.columns) for field in ("instrument", "timestamp"))
        if time is None or (name is None and len(asked) != 1):
            raise EngineError(
                f"{where}: columns found: {', '.join(frame.columns) or 'none'}; instrument and "
                "timestamp must be among them; name them so"
            )
        at = time_columns(frame.schema, time)
        held = [frame[column] for column in at]
        joined = held[0] if len(held) == 1 else join_date_and_time(*held)
        times = to_utc(joined, self.timezone, where, Written())
        names = pl.repeat(asked[0], len(frame), eager=True) if name is None else frame[name]
        for column, shown in ((times, held[0]), (names, names)):
            if column.null_count():
                row = column.is_null().arg_true()[0]
                raise EngineError(
                    f"{where}: row {row + 1}: {shown.name}={shown[row]!r}; cannot be read; times "
                    f"must be {FORMATS}, and every row needs its instrument"
                )
        keys = [names.cast(pl.String).alias("instrument"), times.alias("timestamp")]
        return keys, frame.drop(*at, *([name] if name else []))

    def _numbers(self, frame: pl.DataFrame, where: str) -> list[pl.Series]:
        """Return bars and series as float64; columns of something else are left out."""
        free = [column for column in frame.columns if column not in self.series]
        bars = {found: bar for bar in NUMBERS if (found := find_column(bar, free))}
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
            must = name in NUMBERS or column in self.series
            number = _number(frame[column], must=must, where=where)
            if number is not None and name not in NO_SERIES:
                columns.append(number.alias(name))
        order = {name: place for place, name in enumerate(NUMBERS)}
        return sorted(columns, key=lambda column: order.get(column.name, len(order)))


def _as_frame(given: object, where: str) -> pl.DataFrame:
    try:
        if not isinstance(given, list):
            return from_native(given)[0]
        rows = [dict(row) for row in given]
        none = pl.Schema({"instrument": pl.String(), "timestamp": TIME_TYPE})
        schema = None if rows else none
        return pl.DataFrame(rows, schema, infer_schema_length=None, strict=False)
    except (TallowError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise EngineError(
            f"{where}: answered {type(given).__name__}; must be a frame, or a list of rows: a "
            "mapping from column to value each"
        ) from error


def _number(column: pl.Series, *, must: bool, where: str) -> pl.Series | None:
    """Return a column as float64, null where it has no value; None where it holds no numbers."""
    if column.dtype.is_numeric() or column.dtype == pl.Null:
        return column.cast(pl.Float64).fill_nan(None)
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        number = text.cast(pl.Float64, strict=False)
        wrong = number.is_null() & text.is_not_null() & ~text.str.to_lowercase().is_in(NO_VALUE)
        if not wrong.any():
            return number.fill_nan(None)
        row = cast("int", wrong.arg_true()[0])
        told = f"row {row + 1}: {column.name}={column[row]!r}"
    else:
        told = f"column {column.name!r} is {column.dtype}"
    if must:
        raise EngineError(f"{where}: {told}; must be a number; leave a missing value empty")
    return None


def _require_unique(table: pl.DataFrame, where: str) -> None:
    repeated = table.select("instrument", "timestamp").is_duplicated()
    if repeated.any():
        name, time = table.filter(repeated).select("instrument", "timestamp").row(0)
        raise EngineError(
            f"{where}: instrument={name}, timestamp={time.isoformat()}; comes more than once with "
            "different values; a bar must be told once"
        )
