"""Times as text: what people and tools write, read without a guess.

A text that begins with its year can be read by itself. Where the year comes last, ``05/07/2025``
has two readings: the order of day and month is that of the whole column, and is certain once one
of its dates has a day after the twelfth. Where no date has, the caller must say it (`time_format`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from tallow.core.errors import CandleInputError, excerpt
from tallow.core.given import name_text
from tallow.data.reading.zones import ABBREVIATIONS, zones_meant

_CLOCK = (
    r"(?:(?:T|[\s,]+)([01]?\d|2[0-3]):?([0-5]\d)(?::?([0-5]\d)(?:[.,](\d+))?)?)?"
    r"\s*(Z|UTC|GMT|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?\s*$"
)
_YEAR_FIRST = r"(?i)^\s*(\d{4})(?:[-/.](\d{1,2})[-/.](\d{1,2})|-?(\d\d)-?(\d\d))" + _CLOCK
_YEAR_LAST = r"(?i)^\s*(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})" + _CLOCK
_MONTH_NAMED = r"(?i)^\s*(\d{1,2})[-/.\s]([A-Z]{3})[A-Z]*[-/.,\s]+(\d{4})" + _CLOCK
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONE_WORD = re.compile(r"\d\s*([A-Za-z]{2,5})\s*$")
_TWELVE, _LONGEST_MONTH = 12, 31

CANDIDATES = (
    "%d-%m-%Y %H:%M:%S",
    "%m-%d-%Y %H:%M:%S",
    "%d-%m-%y %H:%M:%S",
    "%m-%d-%y %H:%M:%S",
    "%d/%m/%y %H:%M:%S",
    "%m/%d/%y %H:%M:%S",
    "%d-%m-%y %H:%M",
    "%m-%d-%y %H:%M",
    "%d/%m/%y %H:%M",
    "%m/%d/%y %H:%M",
    "%d.%m.%y %H:%M",
    "%d-%m-%y",
    "%m-%d-%y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d.%m.%y",
    "%Y-%d-%m %H:%M:%S",
    "%Y-%d-%m",
    "%d-%m-%Y %I:%M:%S %p",
    "%m-%d-%Y %I:%M:%S %p",
    "%d/%m/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M:%S %p",
    "%d-%m-%Y %I:%M %p",
    "%m-%d-%Y %I:%M %p",
    "%d/%m/%Y %I:%M %p",
    "%m/%d/%Y %I:%M %p",
    "%Y-%m-%d %I:%M:%S %p",
    "%Y-%m-%d %I:%M %p",
    "%Y%m%d%H%M%S",
    "%Y%m%d%H%M",
    "%H:%M:%S %d-%m-%Y",
    "%H:%M:%S %m-%d-%Y",
    "%H:%M %d-%m-%Y",
    "%H:%M %m-%d-%Y",
    "%H:%M:%S %d/%m/%Y",
    "%H:%M:%S %m/%d/%Y",
    "%H:%M %d/%m/%Y",
    "%H:%M %m/%d/%Y",
    "%d-%b-%Y %I:%M:%S %p",
    "%d-%b-%Y %I:%M %p",
    "%d %b %Y %I:%M:%S %p",
    "%d %b %Y %I:%M %p",
    "%d-%b-%y %H:%M:%S",
    "%d-%b-%y %H:%M",
    "%d-%b-%y",
    "%d%m%Y %H%M",
    "%d%m%Y",
    "%b %d, %Y %H:%M:%S",
    "%b %d, %Y %H:%M",
    "%b %d, %Y %I:%M:%S %p",
    "%b %d, %Y %I:%M %p",
    "%b %d %Y %H:%M",
    "%b %d %Y %I:%M%p",
    "%b %d, %Y",
)
"""Formats that an error may suggest where they, and no other, read every text."""


@dataclass
class TimeStyle:
    """How a source writes its times, as far as it is known.

    Attributes
    ----------
    time_format
        What the caller said, with the letters of Python's ``strftime``.
    day_first
        Whether a date whose year comes last begins with its day, once a date has shown it.
    whole
        Whether the times are those of a whole column. Of a live message's time no other one may
        show how to read it.
    """

    time_format: str | None = None
    day_first: bool | None = None
    whole: bool = True


def require_time_format(time_format: str | None) -> None:
    """Raise `CandleInputError` unless `time_format` is None or says year, month and day."""
    if time_format is None:
        return
    text = name_text("read: time_format", time_format, CandleInputError)
    letters = set(re.findall(r"%[-_0^#]?([A-Za-z])", text))
    has_date = letters & set("mbBh") and letters & set("de")
    if not letters & {"D", "F", "x", "s"} and not (letters & set("yY") and has_date):
        raise CandleInputError(
            f"read: time_format={time_format!r}; must be letters of strftime, with a year, a month "
            "and a day; for example time_format='%d-%m-%Y %H:%M'"
        )


def read_formatted(texts: pl.Series, time_format: str) -> tuple[pl.Series, pl.Series]:
    """Return wall-clock times of texts of one format, and instants where it has an offset (%z).

    `CandleInputError` if the format cannot be read.
    """
    nothing = pl.Series(texts.name, [None], dtype=pl.Datetime("us", "UTC"))
    try:
        read = texts.str.strip_chars().str.to_datetime(time_format, time_unit="us", strict=False)
    except pl.exceptions.PolarsError as error:
        reason = str(error).strip().splitlines()[0]
        raise CandleInputError(
            f"read: time_format={time_format!r}; must be letters of strftime; {reason}"
        ) from error
    if read.dtype == pl.Datetime("us"):
        return read, nothing.new_from_index(0, len(texts))
    return nothing.dt.replace_time_zone(None).new_from_index(0, len(texts)), read


def read_written(texts: pl.Series, style: TimeStyle, where: str) -> tuple[pl.Series, pl.Series]:
    """Return wall-clock times, ``Datetime("us")``, and their offsets east of UTC, durations.

    Both are null where a text is not a date, with or without a time of day. `CandleInputError` if
    day and month cannot be distinguished, or are written in two orders.
    """
    read = _read_by(texts, _YEAR_FIRST, _date_year_first, clock=6)
    local = read["local"]
    others = local.is_null() & texts.is_not_null()
    if not others.any():
        return local, read["offset"]
    rest = texts.filter(others)
    named = _read_by(rest, _MONTH_NAMED, _date_month_named, clock=4)
    last = _read_year_last(rest, style, where, alone=bool(others.all()))
    found = pl.DataFrame({"local": named["local"], "offset": named["offset"]})
    if last is not None:
        found = found.select(
            local=pl.coalesce(pl.col("local"), last["local"]),
            offset=pl.coalesce(pl.col("offset"), last["offset"]),
        )
    at = others.arg_true()
    return local.scatter(at, found["local"]), read["offset"].scatter(at, found["offset"])


def explain_unreadable(texts: list[str], given: str | None) -> str:
    """Say what may help with times none of which could be read: a format, or a zone's name.

    `given` is the format that did not read them.
    """
    abbreviated = explain_abbreviation(texts)
    if abbreviated:
        return abbreviated
    column = pl.Series("text", texts, pl.String)
    if texts and not _wall_times(column, given).null_count():
        return "; where clocks change, some times come twice and some never: write offsets"
    fitting = [
        name for name in CANDIDATES if not read_formatted(column, name)[0].null_count() and texts
    ]
    if len(fitting) == 1:
        return f'; pass time_format="{fitting[0]}", which reads them'
    if fitting:
        either = " or ".join(f'pass time_format="{name}"' for name in fitting)
        return f"; say which of their readings is right: {either}"
    if given is not None:
        return (
            f"; correct time_format={given!r}: letters and signs must stand where they are written"
        )
    return '; if they are written in another way, pass time_format="%d-%m-%Y %H:%M", for example'


def explain_abbreviation(texts: Iterable[str]) -> str:
    """Say what a zone's abbreviation at the end of a time may mean; nothing where none is there."""
    words = {match[1] for text in texts if (match := _ZONE_WORD.search(text))}
    for word in sorted(words):
        meant = zones_meant(word)
        if meant is not None:
            return (
                f"; {word} is an abbreviation, and may mean {meant}: write offsets, or leave it "
                f'out and pass timezone="{ABBREVIATIONS[word.upper()][0]}", for example'
            )
    return ""


def _wall_times(texts: pl.Series, given: str | None) -> pl.Series:
    """Return what clocks show by texts that need no guess, which may be no time of a zone."""
    if given is not None:
        return read_formatted(texts, given)[0]
    return _read_by(texts, _YEAR_FIRST, _date_year_first, clock=6)["local"]


def _read_by(texts: pl.Series, pattern: str, date: object, clock: int) -> pl.DataFrame:
    """Return `local` and `offset` of texts that a pattern fits; `clock` is its group of hours."""
    part = pl.col("part").struct
    assert callable(date)
    local = _wall_time(date(part), [part.field(str(clock + k)) for k in range(4)])
    return (
        texts.str.extract_groups(pattern)
        .alias("part")
        .to_frame()
        .select(local=local, offset=_offset(part.field(str(clock + 4))))
    )


def _read_year_last(
    texts: pl.Series, style: TimeStyle, where: str, alone: bool
) -> pl.DataFrame | None:
    """Read dates such as 18/07/2025 in the column's order; None where it is not certain.

    `alone`: no other text of the column can be read, so that this is an error.
    """
    numbers = (
        texts.str.extract_groups(_YEAR_LAST)
        .struct.unnest()
        .select(first=pl.col("1").cast(pl.Int64), second=pl.col("2").cast(pl.Int64), text=texts)
        .drop_nulls("first")
    )
    if not len(numbers) or not style.whole:
        return None
    order = _order(numbers, style, where)
    if order is None:
        if not alone:
            return None
        example = str(numbers["text"][0])
        raise CandleInputError(
            f"{where}: time={excerpt(example)}; day and month cannot be told apart, as no day is "
            f"after the twelfth; say which comes first: {_both_formats(example)}"
        )
    date = _date_day_first if order else _date_month_first
    return _read_by(texts, _YEAR_LAST, date, clock=4)


def _order(numbers: pl.DataFrame, style: TimeStyle, where: str) -> bool | None:
    """Return whether the day comes first, remembered in `style`; None where nothing says it."""
    first, second = numbers["first"], numbers["second"]
    days = (first > _TWELVE) & (first <= _LONGEST_MONTH) & (second <= _TWELVE)
    months = (second > _TWELVE) & (second <= _LONGEST_MONTH) & (first <= _TWELVE)
    seen = {True: days, False: months}
    found = {order for order, rows in seen.items() if rows.any()}
    if style.day_first is not None:
        found.add(style.day_first)
    if len(found) > 1:
        shown = " and ".join(
            excerpt(str(numbers["text"].filter(rows)[0])) for rows in seen.values() if rows.any()
        )
        raise CandleInputError(
            f"{where}: time={shown}; some dates begin with their day, some with their month; one "
            "column must have one order; write them with the year first"
        )
    if found:
        style.day_first = found.pop()
        return style.day_first
    # 05/05/2025 is the same either way.
    return True if bool((first == second).all()) else None


def _both_formats(example: str) -> str:
    mark = "-" if "-" in example else "/" if "/" in example else "."
    clock = example.strip().partition(" ")[2]
    tail = " %H:%M:%S" if clock.count(":") > 1 else " %H:%M" if clock else ""
    return " or ".join(
        f'pass time_format="{mark.join(letters)}{tail}"'
        for letters in (("%d", "%m", "%Y"), ("%m", "%d", "%Y"))
    )


Parts = pl.expr.struct.ExprStructNameSpace


def _joined(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    return pl.concat_str(year, month.str.zfill(2), day.str.zfill(2), separator="-")


def _date_year_first(part: Parts) -> pl.Expr:
    month = pl.coalesce(part.field("2"), part.field("4"))
    return _joined(part.field("1"), month, pl.coalesce(part.field("3"), part.field("5")))


def _date_day_first(part: Parts) -> pl.Expr:
    return _joined(part.field("3"), part.field("2"), part.field("1"))


def _date_month_first(part: Parts) -> pl.Expr:
    return _joined(part.field("3"), part.field("1"), part.field("2"))


def _date_month_named(part: Parts) -> pl.Expr:
    numbers = [f"{number:02}" for number in range(1, len(_MONTHS) + 1)]
    name = part.field("2").str.to_lowercase()
    month = name.replace_strict(_MONTHS, numbers, default=None, return_dtype=pl.String)
    return _joined(part.field("3"), month, part.field("1"))


def _wall_time(date: pl.Expr, clock: list[pl.Expr]) -> pl.Expr:
    """Return the naive datetime of matched groups, null for a date that does not exist."""
    *parts, fraction = clock
    hours = [part.fill_null("00").str.zfill(2) for part in parts]
    text = pl.concat_str(date, pl.concat_str(*hours, separator=":"), separator=" ")
    seconds = text.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    digits = fraction.fill_null("").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64)
    return seconds + pl.duration(microseconds=digits)


def _offset(written: pl.Expr) -> pl.Expr:
    """Return a duration east of UTC from ``+05:30``, ``+0530``, ``+05`` or a name of UTC."""
    digits = written.str.replace(":", "", literal=True)
    minutes = digits.str.slice(1, 2).cast(pl.Int64, strict=False) * 60
    minutes += digits.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0)
    east = pl.when(written.str.starts_with("-")).then(-minutes).otherwise(minutes)
    zero = written.str.contains("^(?i:Z|UTC|GMT)$")
    return pl.duration(minutes=pl.when(zero).then(0).otherwise(east))
