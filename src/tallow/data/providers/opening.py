"""Opening what candles are read from: in one way for every reader.

Providers' documents and frames are read by their readers, other tables as they are.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tallow.core.errors import CandleInputError, TallowError
from tallow.data.providers.content import Content, open_content
from tallow.data.providers.reader import Reader, Reading
from tallow.data.providers.registry import readers
from tallow.data.reading.files import CONTAINER_ENDINGS, RawSource, ending_of, open_file
from tallow.data.reading.schema import CANDLE_SCHEMA, OPEN_INTEREST

_OWN_COLUMNS = {*CANDLE_SCHEMA, OPEN_INTEREST}


def open_source(
    path: Path,
    chunk_rows: int,
    format: str | None,  # noqa: A002
) -> RawSource:
    """Open a file: a provider's document by its reader, any other table as it is.

    `format` is the reader's name, or None to find it by looking into the file. `CandleInputError`
    if it cannot be read at all, or no reader has the name.
    """
    if format is not None:
        return _said(read_by(readers().find(format), open_content(path)))
    is_table = ending_of(path) is not None
    if ending_of(path) in CONTAINER_ENDINGS:
        return _open_container(path, chunk_rows)
    try:
        content = open_content(path)
    except CandleInputError:
        if is_table:
            # The reader of tables says what is wrong with one.
            return open_file(path, chunk_rows)
        raise
    reader = readers().provider_of(content)
    if reader is None and is_table:
        return open_file(path, chunk_rows)
    return _said(read_by(reader or readers().recognise(content), content))


def _open_container(path: Path, chunk_rows: int) -> RawSource:
    """Open a Parquet or Arrow file, once; one with columns as Tallow names them needs no reader."""
    table = open_file(path, chunk_rows)
    columns = tuple(table.schema)
    if _OWN_COLUMNS.issuperset(columns):
        return table
    content = Content(str(path), path, columns=columns)
    reader = readers().provider_of(content)
    return table if reader is None else _said(read_by(reader, content))


def open_frame(
    frame: Any,
    format: str | None = None,  # noqa: A002
) -> tuple[RawSource, str] | None:
    """Return a provider's frame, read by its reader, and the kind to give back; None for others."""
    content = open_content(frame)
    known = readers()
    reader = known.provider_of(content) if format is None else known.find(format)
    if reader is None:
        return None
    reading = read_by(reader, content)
    return _said(reading), reading.native


def _said(reading: Reading) -> RawSource:
    said = {name: getattr(reading, name) for name in ("instrument", "timezone", "timeframe")}
    return replace(reading.raw, **said)


def read_by(reader: Reader, content: Content) -> Reading:
    """Return what a reader makes of a document; whatever it raises is an error that names it."""
    try:
        return reader.read(content)
    except TallowError:
        raise
    except Exception as error:
        # Others' readers may fail in any way, and one file's failure is not another's.
        raise CandleInputError(
            f"{content.name}: the reader {reader.name} failed: {type(error).__name__}: {error}; "
            "is it such a document?"
        ) from error
