"""What the log says of a file: the ends of its columns, and a name that vouches for them.

A file's name holds a digest of its facts. So Tallow recognises a file that it wrote, whatever other
tools did to the table, and whether the log's facts of it are still those of the day it was written.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from typing import Any

import polars as pl

from tallow.core.time import from_us
from tallow.data.reading.schema import OPEN_INTEREST
from tallow.data.store.log import LOG_SCHEMA

ENDS = ("timeframe", "adjustment", "instrument", "timestamp", "revision", "received_at")
"""The columns whose least and greatest values are noted."""

TIMES = ("timestamp", "received_at")
END_NAMES = tuple(f"{end}.{name}" for end in ("min", "max") for name in ENDS)
FACTS_SCHEMA: dict[str, Any] = {
    "rows": pl.Int64,
    **{
        f"{end}.{n}": pl.Int64 if n in TIMES else LOG_SCHEMA[n]
        for end in ("min", "max")
        for n in ENDS
    },
    "interest": pl.Boolean,
}
"""A file's facts: its rows; the ends of its columns, times as microseconds; whether it has open
interest."""

Facts = tuple[Any, ...]
"""Values of `FACTS_SCHEMA`."""

_HALF = 16
_OWN_NAME = re.compile(r"([0-9a-f]{16})([0-9a-f]{16})-([0-9a-f]{16})\.parquet")


def measures() -> list[pl.Expr]:
    """Return what makes the facts of rows of the log."""
    ends = []
    for name in END_NAMES:
        end, column = name.split(".")
        value = pl.col(column).min() if end == "min" else pl.col(column).max()
        ends.append((value.to_physical() if column in TIMES else value).alias(name))
    interest = (pl.col(OPEN_INTEREST).null_count() < pl.len()).alias("interest")
    return [pl.len().cast(pl.Int64).alias("rows"), *ends, interest]


def facts_of(rows: pl.DataFrame) -> Facts:
    """Return the facts of the rows of one file."""
    return rows.select(measures()).row(0)


def to_json(facts: Facts) -> str:
    """Return facts in the words of the Delta protocol."""
    said = dict(zip(FACTS_SCHEMA, facts, strict=True))
    nulls = said["rows"] - 1 if said["interest"] else said["rows"]
    return json.dumps(
        {
            "numRecords": said["rows"],
            "minValues": {name: _plain(name, said[f"min.{name}"]) for name in ENDS},
            "maxValues": {name: _plain(name, said[f"max.{name}"]) for name in ENDS},
            "nullCount": {OPEN_INTEREST: nulls},
        }
    )


def _plain(name: str, value: Any) -> Any:
    if name not in TIMES:
        return value
    # Four digits of the year, always: strftime writes fewer, and nothing reads those back.
    return from_us(value).isoformat(timespec="microseconds").replace("+00:00", "Z")


def own_name(table_id: str, facts: Facts) -> str:
    """Return a new name for a file of a table.

    It is signed, so that no other name passes for it, and vouches for the file's facts.
    """
    salt = secrets.token_hex(_HALF // 2)
    drawn = salt + _digest(salt, facts)
    return f"{drawn}-{_digest(table_id, drawn)}.parquet"


def is_own_name(name: str, table_id: str) -> bool:
    """Say whether `own_name` made a name, for this table."""
    found = _OWN_NAME.fullmatch(name)
    return found is not None and found[3] == _digest(table_id, found[1] + found[2])


def is_vouched(name: str, facts: Facts) -> bool:
    """Say whether a file's name vouches for what the log says of it."""
    found = _OWN_NAME.fullmatch(name)
    return found is not None and found[2] == _digest(found[1], facts)


def _digest(salt: str, said: Facts | str) -> str:
    return hashlib.blake2b(repr((salt, said)).encode(), digest_size=_HALF // 2).hexdigest()
