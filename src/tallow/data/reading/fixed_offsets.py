"""Times whose zone is a fixed offset, +05:30, as brokers' times have it in Arrow and Parquet.

Polars knows names of zones only, and refuses, or panics over, a column of such a zone; unless it is
told not to check zones. Its times are instants all the same, and become those of UTC here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

import polars as pl

_SWITCH = "POLARS_IGNORE_TIMEZONE_PARSE_ERROR"
_lock = Lock()
_users: list[str | None] = []
"""What the switch was before each block that runs: the first one's is put back by the last."""


@contextmanager
def any_zone() -> Iterator[None]:
    """Let Polars take columns of any zone while the block runs, also in other threads."""
    with _lock:
        _users.append(os.environ.get(_SWITCH))
        os.environ[_SWITCH] = "1"
    try:
        yield
    finally:
        with _lock:
            # The first is what it was outside of all blocks.
            before = _users[0]
            _users.pop()
            if not _users:
                _restore(before)


def _restore(before: str | None) -> None:
    if before is None:
        os.environ.pop(_SWITCH, None)
    else:
        os.environ[_SWITCH] = before


def offset_columns(schema: Mapping[str, pl.DataType]) -> list[str]:
    """Return the columns of times whose zone Polars does not know by name."""
    return [
        name
        for name, kind in schema.items()
        if isinstance(kind, pl.Datetime) and kind.time_zone is not None and not _known(kind)
    ]


def in_utc(schema: Mapping[str, pl.DataType], names: list[str]) -> list[pl.Expr]:
    """Return expressions that make times in UTC of the columns of `offset_columns`."""
    return [pl.col(name).to_physical().cast(_utc(schema[name])).alias(name) for name in names]


def frame_in_utc(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame whose times are of zones that Polars knows."""
    names = offset_columns(frame.schema)
    return frame.with_columns(in_utc(frame.schema, names)) if names else frame


def _utc(kind: pl.DataType) -> pl.Datetime:
    assert isinstance(kind, pl.Datetime)
    return pl.Datetime(kind.time_unit, "UTC")


def _known(kind: pl.Datetime) -> bool:
    zone: Any = kind.time_zone
    if zone == "UTC":
        return True
    try:
        return len(pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone(zone)) == 1
    except pl.exceptions.PolarsError:
        return False
