"""From the body of a request to candles, or to keys of candles, by its ``Content-Type``.

JSON and its lines are made a frame here; tables are put into a private file, and read as any other
file of candles: with its rules, and its bounds.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import Any

import polars as pl

from tallow.core.errors import CandleInputError, UniverseError
from tallow.core.limits import FEED_ROW_FIELDS_MAX, STORE_TAIL_BATCH_ROWS
from tallow.core.private import own_folder
from tallow.core.text import counted
from tallow.data.feeds.contents import items_of
from tallow.data.feeds.moments import moments
from tallow.data.reading.candles import Candles
from tallow.data.reading.files import open_file
from tallow.data.reading.readers import read_candles
from tallow.data.reading.schema import CANDLE_COLUMNS, CANDLE_KEY, CANDLE_SCHEMA, FRAME, TIME_TYPE
from tallow.data.reading.zones import require_timezone
from tallow.service.errors import BodyTooLargeError, UnknownTypeError

ROWS_MAX = STORE_TAIL_BATCH_ROWS - 1
"""Rows of a request: a write of more would be no part of the transaction of its receipt."""

JSON, LINES = "application/json", "application/x-ndjson"
CSV, TOML = "text/csv", "application/toml"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
TYPES = (JSON, LINES, CSV, ARROW, PARQUET)

_COLUMNS = tuple(CANDLE_SCHEMA)
_INTEGERS = 2**63
"""What is not less is no whole number of a column, and stays the text that it was."""

_SAME = {
    "application/jsonl": LINES,
    "application/ndjson": LINES,
    "application/vnd.apache.arrow.file": ARROW,
}
_ENDINGS = {CSV: ".csv", TOML: ".toml", ARROW: ".arrow", PARQUET: ".parquet"}


def media_type(header: str, types: Sequence[str]) -> str:
    """Return which of some types a ``Content-Type`` names; `UnknownTypeError` if none."""
    read = Message()
    read["Content-Type"] = header
    name = read.get_content_type()
    known = _SAME.get(name, name)
    if known not in types or read.get_content_charset("utf-8") not in ("utf-8", "utf8"):
        raise UnknownTypeError(
            f"Content-Type: {header[:80]!r}; must be one of {', '.join(types)}, in UTF-8; say "
            "which the body is"
        )
    return known


def candles_of(body: bytes, kind: str, timezone: str | None) -> Candles:
    """Return the one-minute candles of a body, and what of it is quarantined.

    Raises
    ------
    TallowError
        If it cannot be candles at all.
    BodyTooLargeError
        If it has more than `ROWS_MAX` rows.
    """
    require_timezone(timezone)
    # A calendar that never closes tells of no zone: what is not said is not guessed here.
    said: dict[str, Any] = {"source_timeframe": "1m", "calendar": "24/7", "timezone": timezone}
    if kind in (JSON, LINES):
        rows = items(body, kind)
        return plain_candles(rows, timezone) or _bounded(read_candles(frame_of(rows), **said))
    with as_file(body, kind) as path:
        count = open_file(path, ROWS_MAX).count
        if count is not None:
            _require_few(count())
        read = read_candles(path, **said)
    return _bounded(replace(read, quarantine=read.quarantine.with_columns(source=pl.lit(FRAME))))


def plain_candles(rows: Sequence[dict[str, Any]], timezone: str | None) -> Candles | None:
    """Return candles of rows of which nothing asks for a closer look; None of any other.

    Reading a frame of one candle takes fifty times as long.
    """
    if not rows or {*map(tuple, rows)} - {_COLUMNS, CANDLE_COLUMNS}:
        return None
    columns = {name: [row.get(name) for row in rows] for name in rows[0]}
    numbers = {type(value) for name in list(columns)[2:] for value in columns[name]}
    if numbers - {int, float} or {*map(type, columns["instrument"])} != {str}:
        return None
    times = moments(columns["timestamp"], timezone)
    if any(isinstance(time, str) for time in times):
        return None
    try:
        frame = pl.DataFrame(
            columns | {"timestamp": pl.Series(times, dtype=pl.Int64).cast(TIME_TYPE)},
            {name: CANDLE_SCHEMA.get(name, pl.Float64()) for name in columns},
        )
    except (OverflowError, UnicodeEncodeError, pl.exceptions.PolarsError):
        return None
    if len(frame) > 1:
        frame = frame.sort(CANDLE_KEY)
    read = read_candles(frame, source_timeframe="1m")
    return read if read.report.accepted == len(rows) else None


def items(body: bytes, kind: str) -> list[dict[str, Any]]:
    """Return the objects of JSON: of its list, of its `data`, or itself; or of its lines."""
    content = body if kind == JSON else b"[%s]" % b",".join(_lines(body))
    try:
        found = items_of(content)
    except ValueError as error:
        raise CandleInputError(f"body: {error}; is not read; correct it") from error
    _require_few(len(found))
    if not found or found == [{"data": []}]:
        raise CandleInputError("body: has no row; send candles")
    for number, item in enumerate(found, 1):
        if not isinstance(item, dict):
            raise CandleInputError(f"body: row {number}; must be an object of fields; correct it")
    return found


def frame_of(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Return objects as a frame: a column of numbers where all are, else of texts."""
    names = dict.fromkeys(name for row in rows for name in row)
    if len(names) > FEED_ROW_FIELDS_MAX:
        raise CandleInputError(
            f"body: {counted(len(names), 'field')}; at most {FEED_ROW_FIELDS_MAX} are read; leave "
            "others out"
        )
    return pl.DataFrame([_column(name, [row.get(name) for row in rows]) for name in names])


def _column(name: str, values: Sequence[Any]) -> pl.Series:
    kinds = {type(value) for value in values} - {type(None)}
    is_exact = not any(type(value) is int and abs(value) >= _INTEGERS for value in values)
    if kinds <= {int} and is_exact:
        return pl.Series(name, values, pl.Int64)
    if kinds <= {int, float} and is_exact:
        return pl.Series(name, [None if v is None else float(v) for v in values], pl.Float64)
    return pl.Series(name, [None if v is None else _text(v) for v in values], pl.String)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    # Half of a surrogate pair is JSON, but no text.
    return text.encode("utf-8", "replace").decode()


def _lines(body: bytes) -> list[bytes]:
    return [line for line in body.splitlines() if line.strip()]


@contextmanager
def as_file(body: bytes, kind: str) -> Iterator[Path]:
    """Give the path of a private file with a body; what is said of the file is said of the body."""
    path = own_folder() / f"{secrets.token_hex(8)}{_ENDINGS[kind]}"
    try:
        path.write_bytes(body)
        yield path
    except (CandleInputError, UniverseError) as error:
        raise type(error)(str(error).replace(str(path), "body")) from error
    finally:
        path.unlink(missing_ok=True)


def _bounded(candles: Candles) -> Candles:
    _require_few(candles.report.rows_in)
    if not candles.report.rows_in:
        raise CandleInputError("body: has no row; send candles")
    return candles


def _require_few(rows: int) -> None:
    if rows > ROWS_MAX:
        raise BodyTooLargeError(
            f"body: {counted(rows, 'row')}; at most {ROWS_MAX:,} are taken; send it in parts"
        )
