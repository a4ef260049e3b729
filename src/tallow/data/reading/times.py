"""Reading times: everything people write becomes microseconds in UTC.

Accepted are

- datetimes with a zone, in any unit;
- datetimes and dates without one, where `timezone` says which zone they were written in;
- ISO-8601 text: ``2025-06-02T09:15:00+05:30``, a space for the T, no seconds, fractions, ``Z``,
  ``+0530``, no offset (then `timezone` is needed), date alone, ``/`` or ``.`` for ``-``,
  ``20250602``, one digit for hours, days and months;
- the same with the year last, ``18/07/2025 09:15`` or ``18-Jul-2025``, where the order of day and
  month is certain (see `tallow.data.reading.time_texts`); any other text by a `time_format`;
- epochs as integers, floats or digits in text. The unit of each value is known by its size, so that
  a file may change from milliseconds to microseconds half-way, as an exchange's did in 2025.

Offsets in the text win over `timezone`. A local time that does not exist, or exists twice, when
clocks change is unreadable: it is not certain which instant was meant.
"""

from __future__ import annotations

import polars as pl

from tallow.core.errors import CandleInputError, NaiveTimeError
from tallow.data.reading.schema import TIME_TYPE
from tallow.data.reading.time_texts import TimeStyle, read_formatted, read_written

FORMATS = (
    "ISO-8601 text such as 2025-06-02T09:15:00+05:30 or 2025-06-02 09:15, "
    "or an epoch in s, ms, us or ns"
)

EPOCH_SECONDS_MIN = 100_000_000
"""Smallest epoch in seconds, 1973-03-03. Below it, seconds meet dates written as 20250602."""

EPOCH_SECONDS_MAX = 7_260_000_000
"""Epochs in seconds end here, in 2200, so that the bands of the four units have gaps between them
into which ``20250602091500`` falls: unreadable, instead of the year 2611."""

MINUTE_DIGITS = (190_001_010_000, 220_012_312_359)
"""Numbers such as ``202506020915``, a date with its minute. As milliseconds they are of 1976, where
no candle opens within a minute: those are unreadable, too."""

_MINUTE_MS = 60_000
_DATE_DIGITS = (19_000_101, 22_001_231)
_DAY_DIGITS = 2_400


def to_utc(
    column: pl.Series, timezone: str | None, where: str, style: TimeStyle | None = None
) -> pl.Series:
    """Read a column of times.

    Parameters
    ----------
    column
        Any of the kinds above.
    timezone
        Zone of the times that carry none.
    where
        What the input is called in an error.
    style
        How the source writes its times, where more of it is known or comes: what this column shows
        is added. None for times that have nothing to do with each other: dates whose year comes
        last are then unreadable.

    Returns
    -------
    pl.Series
        ``Datetime("us", "UTC")``, null where the time is missing or unreadable.

    Raises
    ------
    NaiveTimeError
        If times carry no zone and `timezone` is None.
    CandleInputError
        If the column's type cannot hold times, or day and month cannot be distinguished.

    Examples
    --------
    >>> to_utc(
    ...     pl.Series(["2025-06-02T09:15+05:30", "1748835900"]), None, "x"
    ... ).dt.to_string().to_list()
    ['2025-06-02 03:45:00.000000+00:00', '2025-06-02 03:45:00.000000+00:00']
    """
    dtype, style = column.dtype, style or TimeStyle(whole=False)
    if dtype in (TIME_TYPE, pl.Null):
        return column.cast(TIME_TYPE)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return column.dt.cast_time_unit("us").dt.convert_time_zone("UTC")
    if isinstance(dtype, pl.Datetime | pl.Date):
        return _localise(column.cast(pl.Datetime("us")), column, timezone, where)
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return _from_text(column.cast(pl.String), timezone, where, style)
    if dtype.is_numeric():
        return _from_numbers(column, timezone, where, style)
    raise CandleInputError(
        f"{where}: column {column.name!r} is {dtype}; times must be {FORMATS}; cast the column"
    )


def join_date_and_time(date: pl.Series, time: pl.Series) -> pl.Series:
    """Return one text column from a date and a time of day that stand apart.

    A `time` that is complete in itself is taken alone.
    """
    clock = _four_or_six_digits(time.cast(pl.String))
    parts = pl.DataFrame([date.cast(pl.String).alias("date"), clock.alias("time")])
    complete = pl.col("time").str.contains(r"^\s*(\d{4}[-/.]|\d{9,}|\d{1,2}[-/.]\d{1,2}[-/.])")
    both = pl.concat_str("date", "time", separator=" ")
    name = f"{date.name} {time.name}"
    return parts.select(pl.when(complete).then("time").otherwise(both).alias(name)).to_series()


def _four_or_six_digits(time: pl.Series) -> pl.Series:
    """Return times of day whose leading zeros a number has lost, 915 or 91500, with them."""
    short = time.str.strip_chars().str.contains(r"^\d{1,6}$").fill_null(False)
    if not short.any():
        return time
    digits = time.filter(short).str.strip_chars()
    length = 4 if digits.cast(pl.Int64).max() < _DAY_DIGITS else 6  # type: ignore[operator]
    return time.scatter(short.arg_true(), digits.str.zfill(length))


def _localise(naive: pl.Series, shown: pl.Series, timezone: str | None, where: str) -> pl.Series:
    """Attach a zone to naive datetimes; `shown` holds them as the user wrote them."""
    present = naive.is_not_null()
    if timezone is None and present.any():
        raise NaiveTimeError(
            f"{where}: column {shown.name!r}={str(shown.filter(present)[0])!r} has no zone; "
            'the zone it was written in must be known; pass timezone="Asia/Kolkata", for example'
        )
    zoned = naive.dt.replace_time_zone(timezone or "UTC", ambiguous="null", non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


def _from_numbers(
    column: pl.Series, timezone: str | None, where: str, style: TimeStyle
) -> pl.Series:
    if column.dtype.is_integer():
        whole = column.cast(pl.Int64, strict=False)
        if style.time_format is not None or whole.is_between(*_DATE_DIGITS).any():
            text = whole.cast(pl.String).alias(column.name)
            return _from_text(text, timezone, where, style)
        return column.to_frame().select(_epochs(whole)).to_series()
    return column.to_frame().select(_epochs(column.cast(pl.Float64, strict=False))).to_series()


def _epochs(values: pl.Series | pl.Expr) -> pl.Expr:
    """Return instants from epochs: ``int64`` or ``float64``, the unit by each value's size."""
    value = pl.lit(values) if isinstance(values, pl.Series) else values
    size = value.abs()
    is_date = size.is_between(*MINUTE_DIGITS) & (value % _MINUTE_MS != 0)
    instant = pl.lit(None, dtype=pl.Int64)
    for per_second in (1, 1_000, 1_000_000, 1_000_000_000):
        low, high = EPOCH_SECONDS_MIN * per_second, EPOCH_SECONDS_MAX * per_second
        scaled = value * (1_000_000 // per_second) if per_second < 10**9 else value // 1_000
        whole = scaled.round().cast(pl.Int64, strict=False)
        instant = pl.when(size.is_between(low, high, closed="left")).then(whole).otherwise(instant)
    instant = pl.when(~is_date).then(instant)
    return instant.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _from_text(column: pl.Series, timezone: str | None, where: str, style: TimeStyle) -> pl.Series:
    """Parse each distinct text once: candles of many instruments share their minutes."""
    texts = column.unique().drop_nulls()
    if len(texts) == len(column):
        return _parse(column, timezone, where, style)
    parsed = _parse(texts, timezone, where, style)
    return column.replace_strict(texts, parsed, default=None, return_dtype=TIME_TYPE)


def _parse(texts: pl.Series, timezone: str | None, where: str, style: TimeStyle) -> pl.Series:
    if style.time_format is not None:
        local, zoned = read_formatted(texts, style.time_format)
        return zoned.zip_with(zoned.is_not_null(), _localise(local, texts, timezone, where))
    local, offset = read_written(texts, style, where)
    text = pl.col("text").str.strip_chars()
    parsed = pl.DataFrame({"text": texts, "local": local, "offset": offset}).with_columns(
        epoch=pl.coalesce(
            _epochs(text.cast(pl.Int64, strict=False)), _epochs(text.cast(pl.Float64, strict=False))
        ),
    )
    naive = parsed.select(pl.when(pl.col("offset").is_null()).then("local")).to_series()
    offsets = parsed.select((pl.col("local") - pl.col("offset")).dt.replace_time_zone("UTC"))
    stated = _localise(naive, texts, timezone, where)
    instant = pl.coalesce(offsets.to_series(), stated, pl.col("epoch"))
    return parsed.select(instant.alias(texts.name)).to_series()
