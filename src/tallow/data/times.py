"""Reading times: everything people write becomes microseconds in UTC.

Accepted are

- datetimes with a zone, in any unit;
- datetimes and dates without one, where `timezone` says which zone they were written in;
- ISO-8601 text: ``2025-06-02T09:15:00+05:30``, a space for the T, no seconds, fractions, ``Z``,
  ``+0530``, no offset (then `timezone` is needed), date alone, ``/`` for ``-``, ``20250602``;
- epochs as integers, floats or digits in text. The unit of each value is told by its size, so that
  a file may change from milliseconds to microseconds half-way, as an exchange's did in 2025.

Offsets in the text win over `timezone`. A local time that does not exist, or exists twice, when
clocks change is unreadable: nobody can say which instant was meant.
"""

from __future__ import annotations

import zoneinfo

import polars as pl

from tallow.core.errors import CandleInputError, NaiveTimeError, near_matches
from tallow.core.given import name_text
from tallow.data.schema import TIME_TYPE

FORMATS = (
    "ISO-8601 text such as 2025-06-02T09:15:00+05:30 or 2025-06-02 09:15, "
    "or an epoch in s, ms, us or ns"
)

EPOCH_SECONDS_MIN = 100_000_000
"""Smallest epoch in seconds, 1973-03-03. Below it, seconds meet dates written as 20250602."""

EPOCH_SECONDS_MAX = 7_260_000_000
"""Epochs in seconds end here, in 2200, so that the bands of the four units have gaps between them
into which ``20250602091500`` falls: unreadable, instead of the year 2611."""

_DATE_DIGITS = (19_000_101, 22_001_231)

_ISO = (
    r"(?i)^\s*(\d{4})[-/]?(\d\d)[-/]?(\d\d)"
    r"(?:[T\s]+([01]\d|2[0-3]):?([0-5]\d)(?::?([0-5]\d)(?:[.,](\d+))?)?)?"
    r"\s*(Z|UTC|GMT|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?\s*$"
)


def require_timezone(timezone: str | None) -> None:
    """Raise `CandleInputError` unless `timezone` is None or a zone that can be read."""
    if timezone is None or _is_zone(name_text("read: timezone", timezone, CandleInputError)):
        return
    hint = near_matches(str(timezone), zoneinfo.available_timezones())
    hint = hint if hint.startswith("did") else 'for example "Asia/Kolkata"'
    raise CandleInputError(
        f"read: timezone={timezone!r}; must be the name of an IANA time zone; {hint}"
    )


def _is_zone(timezone: str) -> bool:
    """Ask Polars itself, because it has a list of zones of its own."""
    epoch = pl.Series([0]).cast(pl.Datetime("us"))
    try:
        # An empty name means no zone to Polars.
        return bool(timezone) and len(epoch.dt.replace_time_zone(timezone)) == 1
    except (pl.exceptions.PolarsError, TypeError):
        return False


def to_utc(column: pl.Series, timezone: str | None, where: str) -> pl.Series:
    """Read a column of times.

    Parameters
    ----------
    column
        Any of the kinds above.
    timezone
        Zone of the times that carry none.
    where
        What the input is called in an error.

    Returns
    -------
    pl.Series
        ``Datetime("us", "UTC")``, null where the time is missing or unreadable.

    Raises
    ------
    NaiveTimeError
        If times carry no zone and `timezone` is None.
    CandleInputError
        If the column's type cannot hold times.

    Examples
    --------
    >>> to_utc(
    ...     pl.Series(["2025-06-02T09:15+05:30", "1748835900"]), None, "x"
    ... ).dt.to_string().to_list()
    ['2025-06-02 03:45:00.000000+00:00', '2025-06-02 03:45:00.000000+00:00']
    """
    dtype = column.dtype
    if dtype in (TIME_TYPE, pl.Null):
        return column.cast(TIME_TYPE)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return column.dt.cast_time_unit("us").dt.convert_time_zone("UTC")
    if isinstance(dtype, pl.Datetime | pl.Date):
        return _localise(column.cast(pl.Datetime("us")), column, timezone, where)
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return _from_text(column.cast(pl.String), timezone, where)
    if dtype.is_numeric():
        return _from_numbers(column, timezone, where)
    raise CandleInputError(
        f"{where}: column {column.name!r} is {dtype}; times must be {FORMATS}; cast the column"
    )


def join_date_and_time(date: pl.Series, time: pl.Series) -> pl.Series:
    """Return one text column from a date and a time of day that stand apart.

    A `time` that is complete in itself is taken alone.
    """
    parts = pl.DataFrame([date.cast(pl.String).alias("date"), time.cast(pl.String).alias("time")])
    complete = pl.col("time").str.contains(r"^\s*(\d{4}[-/]|\d{9,})")
    both = pl.concat_str("date", "time", separator=" ")
    name = f"{date.name} {time.name}"
    return parts.select(pl.when(complete).then("time").otherwise(both).alias(name)).to_series()


def _localise(naive: pl.Series, shown: pl.Series, timezone: str | None, where: str) -> pl.Series:
    """Attach a zone to naive datetimes; `shown` holds them as the user wrote them."""
    present = naive.is_not_null()
    if timezone is None and present.any():
        raise NaiveTimeError(
            f"{where}: column {shown.name!r}={str(shown.filter(present)[0])!r} has no zone; "
            'the zone it was written in must be known; pass timezone="Asia/Kolkata", say'
        )
    zoned = naive.dt.replace_time_zone(timezone or "UTC", ambiguous="null", non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


def _from_numbers(column: pl.Series, timezone: str | None, where: str) -> pl.Series:
    if column.dtype.is_integer():
        whole = column.cast(pl.Int64, strict=False)
        if whole.is_between(*_DATE_DIGITS).any():
            return _from_text(whole.cast(pl.String).alias(column.name), timezone, where)
        return column.to_frame().select(_epochs(whole)).to_series()
    return column.to_frame().select(_epochs(column.cast(pl.Float64, strict=False))).to_series()


def _epochs(values: pl.Series | pl.Expr) -> pl.Expr:
    """Return instants from epochs: ``int64`` or ``float64``, the unit by each value's size."""
    value = pl.lit(values) if isinstance(values, pl.Series) else values
    size = value.abs()
    instant = pl.lit(None, dtype=pl.Int64)
    for per_second in (1, 1_000, 1_000_000, 1_000_000_000):
        low, high = EPOCH_SECONDS_MIN * per_second, EPOCH_SECONDS_MAX * per_second
        scaled = value * (1_000_000 // per_second) if per_second < 10**9 else value // 1_000
        whole = scaled.round().cast(pl.Int64, strict=False)
        instant = pl.when(size.is_between(low, high, closed="left")).then(whole).otherwise(instant)
    return instant.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _from_text(column: pl.Series, timezone: str | None, where: str) -> pl.Series:
    """Parse each distinct text once: candles of many instruments share their minutes."""
    texts = column.unique().drop_nulls()
    if len(texts) == len(column):
        return _parse(column, timezone, where)
    parsed = _parse(texts, timezone, where)
    return column.replace_strict(texts, parsed, default=None, return_dtype=TIME_TYPE)


def _parse(texts: pl.Series, timezone: str | None, where: str) -> pl.Series:
    text = pl.col("text")
    number = text.str.strip_chars().cast(pl.Float64, strict=False)
    whole = text.str.strip_chars().cast(pl.Int64, strict=False)
    parsed = (
        texts.alias("text")
        .to_frame()
        .with_columns(text.str.extract_groups(_ISO).alias("iso"))
        .select(
            "text",
            local=_wall_time(pl.col("iso").struct),
            offset=_offset(pl.col("iso").struct.field("8")),
            epoch=pl.coalesce(_epochs(whole), _epochs(number)),
        )
    )
    naive = parsed.select(pl.when(pl.col("offset").is_null()).then("local")).to_series()
    zoned = parsed.select((pl.col("local") - pl.col("offset")).dt.replace_time_zone("UTC"))
    stated = _localise(naive, texts, timezone, where)
    instant = pl.coalesce(zoned.to_series(), stated, pl.col("epoch"))
    return parsed.select(instant.alias(texts.name)).to_series()


def _wall_time(part: pl.expr.struct.ExprStructNameSpace) -> pl.Expr:
    """Return the naive datetime of matched ISO groups, null for a date that does not exist."""
    date = pl.concat_str(part.field("1"), part.field("2"), part.field("3"), separator="-")
    clock = [part.field(group).fill_null("00") for group in ("4", "5", "6")]
    text = pl.concat_str(date, pl.concat_str(*clock, separator=":"), separator=" ")
    seconds = text.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    fraction = part.field("7").fill_null("").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64)
    return seconds + pl.duration(microseconds=fraction)


def _offset(written: pl.Expr) -> pl.Expr:
    """Return a duration east of UTC from ``+05:30``, ``+0530``, ``+05`` or a name of UTC."""
    digits = written.str.replace(":", "", literal=True)
    minutes = digits.str.slice(1, 2).cast(pl.Int64, strict=False) * 60
    minutes += digits.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0)
    east = pl.when(written.str.starts_with("-")).then(-minutes).otherwise(minutes)
    zero = written.str.contains("^(?i:Z|UTC|GMT)$")
    return pl.duration(minutes=pl.when(zero).then(0).otherwise(east))
