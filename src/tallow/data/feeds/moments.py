"""The times of live messages, each read by itself, and quickly where it is of a common form."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, cast

import polars as pl

from tallow.core.errors import NaiveTimeError
from tallow.core.time import to_us
from tallow.data.reading.time_texts import explain_abbreviation
from tallow.data.reading.times import (
    EPOCH_SECONDS_MAX,
    EPOCH_SECONDS_MIN,
    FORMATS,
    MINUTE_DIGITS,
    to_utc,
)

_MINUTE = timedelta(minutes=1)
_NO_ZONE = 'has no zone; pass timezone="Asia/Kolkata", for example'


def moments(values: Sequence[Any], timezone: str | None) -> list[int | str]:
    """Return each time in microseconds since 1970 UTC, or what is wrong with it."""
    quick = [_instant(value) for value in values]
    rest = [value for value, instant in zip(values, quick, strict=True) if instant is None]
    if not rest:
        return cast("list[int | str]", quick)
    others = iter(_other_times(rest, timezone))
    return [next(others) if instant is None else instant for instant in quick]


def _instant(value: Any) -> int | None:
    """Return the instant of the commonest forms; a frame for one message would cost 8 ms."""
    if type(value) is int and not MINUTE_DIGITS[0] <= value <= MINUTE_DIGITS[1]:
        for per_second in (1, 1_000, 1_000_000):
            if EPOCH_SECONDS_MIN * per_second <= value < EPOCH_SECONDS_MAX * per_second:
                return value * (1_000_000 // per_second)
    elif isinstance(value, str) and value[4:5] == value[7:8] == "-" and value[10:11] in {"T", " "}:
        with suppress(ValueError):
            moment = datetime.fromisoformat(value)
            offset = moment.utcoffset()
            # Offsets with seconds, of the time before time zones, are not read from files either.
            if offset is not None and not offset % _MINUTE:
                return to_us(moment)
    return None


def _other_times(values: Sequence[Any], timezone: str | None) -> list[int | str]:
    """Return each time as files' times are read."""
    texts = [str(value) if _may_be_time(value) else None for value in values]
    column = pl.Series("timestamp", texts, dtype=pl.String)
    try:
        read = to_utc(column, timezone, "feed")
    except NaiveTimeError:
        return _zoned_times(column)
    return _instants(read, column)


def _zoned_times(column: pl.Series) -> list[int | str]:
    """Return each time; those without a zone must not spoil the others.

    A time without one is another instant in another zone, and one with a zone the same in all.
    """
    here, there = (to_utc(column, zone, "feed") for zone in ("UTC", "Etc/GMT-1"))
    is_same = here.eq_missing(there).to_list()
    pairs = zip(_instants(here, column), is_same, strict=True)
    return [instant if same else _NO_ZONE for instant, same in pairs]


def _instants(times: pl.Series, texts: pl.Series) -> list[int | str]:
    instants = times.dt.epoch("us").to_list()
    return [
        f"must be {FORMATS}{explain_abbreviation([text or ''])}" if instant is None else instant
        for instant, text in zip(instants, texts, strict=True)
    ]


def _may_be_time(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)
