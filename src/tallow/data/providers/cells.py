"""Rows of cells, out of JSON and of CSV, become a raw source; nothing is dropped on the way.

A row that has not the cells of its format becomes a row of nulls that brings its own text, and goes
to the quarantine with it.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.core.limits import BLOCK_ROWS, DOCUMENT_VALUES_MAX
from tallow.data.providers.content import Content
from tallow.data.reading.files import CONTAINER_ENDINGS, RawSource, ending_of, open_file, split
from tallow.data.reading.interchange import from_native
from tallow.data.reading.schema import ORIGINAL

ARRAY_COLUMNS = ("timestamp", "open", "high", "low", "close", "volume", "open_interest")
"""What the cells of a JSON row are, in the documents of all providers that send such rows."""

_SHOWN = 200
"""Characters of a document that an error shows."""


class Row(NamedTuple):
    """A row's cells as text, None where it has not those of its format; and its own text."""

    cells: Sequence[str | None] | None
    original: str | None = None


class Number(str):
    """A number of a JSON document as it was written: a float would change its digits."""

    __slots__ = ()


def table(name: str, columns: Sequence[str], rows: Iterable[Row]) -> pl.DataFrame:
    """Return rows as a frame of text with the given columns and `ORIGINAL`.

    `CandleInputError` if a column comes twice.
    """
    twice = _repeated((*columns, ORIGINAL))
    if twice is not None:
        raise CandleInputError(f"{name}: column={twice!r}; may come once; fetch the document again")
    nothing = (None,) * len(columns)
    filled = [(*(nothing if row.cells is None else row.cells), row.original) for row in rows]
    schema = dict.fromkeys((*columns, ORIGINAL), pl.String())
    across = list(zip(*filled, strict=True)) or [()] * len(schema)
    return pl.DataFrame(dict(zip(schema, across, strict=True)), schema=schema)


def frame_source(name: str, frame: pl.DataFrame) -> RawSource:
    """Return a frame as a source."""
    return RawSource(name, frame.schema, lambda: split(frame, BLOCK_ROWS))


def frame_of(content: Content) -> tuple[pl.DataFrame, str]:
    """Return a table in any container, and the kind of frame that it came as.

    Columns of text files are text; those of frames, Parquet and Arrow files are what they are.
    """
    if content.path is None:
        return from_native(content.frame)
    if ending_of(content.path) in CONTAINER_ENDINGS:
        raw = open_file(content.path, BLOCK_ROWS)
        return pl.concat([pl.DataFrame(schema=raw.schema), *raw.rows()]), "polars"
    lines = csv_lines(content)
    header = [cell.strip() for cell in lines[0]] if lines else []
    return table(content.name, header, csv_rows(lines[1:], len(header))), "polars"


def csv_lines(content: Content) -> list[list[str]]:
    """Return the lines of a CSV document, those without any value left out.

    `CandleInputError` if it is not CSV text: such as where a quote is never closed; or has too many
    cells.
    """
    text = content.text()
    _require_values(content, text, ",\n\r")
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return [cells for cells in lines if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise CandleInputError(
            f"{content.name}: line {lines.line_num}: {error}; must be whole CSV; fetch it again"
        ) from error


def csv_rows(lines: Iterable[Sequence[str]], width: int) -> Iterator[Row]:
    """Yield the rows of CSV lines; a line of another `width` brings its cells as a JSON array."""
    for cells in lines:
        if len(cells) == width:
            yield Row([cell or None for cell in cells])
        else:
            yield Row(None, json.dumps(cells))


def read_json(content: Content) -> Any:
    """Return a JSON document; its numbers are `Number`.

    `CandleInputError` if it is not a whole JSON document, says one thing twice, is nested too
    deeply, or has too many values.
    """
    text = content.text()
    _require_values(content, text, ",[{")
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=Number,
            parse_int=Number,
            parse_constant=str,
        )
    except (ValueError, RecursionError) as error:
        raise CandleInputError(
            f"{content.name}: {error}; must be a whole JSON document; fetch it again"
        ) from error


def _require_values(content: Content, text: str, marks: str) -> None:
    """Raise where a text has more values than the limit, counted by the signs between them."""
    count = sum(map(text.count, marks))
    if count > DOCUMENT_VALUES_MAX:
        raise CandleInputError(
            f"{content.name}: {count:,} values; at most {DOCUMENT_VALUES_MAX:,} in a document, as "
            "it is read whole; split it"
        )


def json_table(
    content: Content, rows: Sequence[object], widths: Collection[int], time: type[str]
) -> RawSource:
    """Return the rows of a JSON document, each an array that starts as `ARRAY_COLUMNS` do.

    `widths` are how many cells a row may have. The first cell is a `time`, `str` or `Number`; the
    others are numbers. A cell of another kind is null. `CandleInputError` if there are rows, and
    not one has as many cells as that.
    """
    columns = ARRAY_COLUMNS[: min(max(widths), len(ARRAY_COLUMNS))]
    return _rows_source(
        content, columns, rows, "an array", lambda row: _json_row(row, columns, widths, time)
    )


def object_table(
    content: Content,
    rows: Sequence[object],
    fields: Mapping[str, str],
    times: tuple[type[str], ...],
) -> RawSource:
    """Return the rows of a JSON document, each an object; `fields` says which key holds what.

    A time may be of the kinds `times`: `str`, `Number`. Instruments are text, the other fields
    numbers. A cell of another kind is null, and so is one that is not there. `CandleInputError` if
    there are rows, and not one is an object with an open.
    """
    kinds: dict[str, tuple[type[str], ...]] = {"timestamp": times, "instrument": (str, Number)}

    def read(row: object) -> Row:
        original = _as_json(row)
        if not isinstance(row, dict) or fields["open"] not in row:
            return Row(None, original)
        cells = [_text(row.get(key), *kinds.get(of, (Number,))) for of, key in fields.items()]
        return Row(cells, original)

    return _rows_source(content, list(fields), rows, "an object with", read)


def _rows_source(
    content: Content,
    columns: Sequence[str],
    rows: Sequence[object],
    what: str,
    read_row: Callable[[object], Row],
) -> RawSource:
    try:
        read = [read_row(row) for row in rows]
    except RecursionError as error:
        raise CandleInputError(f"{content.name}: a row is nested too deeply; {error}") from error
    if read and all(row.cells is None for row in read):
        raise CandleInputError(
            f"{content.name}: row={str(read[0].original)[:_SHOWN]}; not one row is {what} "
            f"[{', '.join(columns)}]; fetch it again, or say what it is with format="
        )
    return frame_source(content.name, table(content.name, columns, read))


def wrong_document(content: Content, document: object, rule: str) -> CandleInputError:
    """Return the error of a JSON document of another shape; `rule` says what it must be."""
    return CandleInputError(
        f"{content.name}: document={clip(document)}; {rule}; fetch it again, or say what it is "
        "with format="
    )


def clip(document: object) -> str:
    """Return the beginning of a JSON document, for an error."""
    try:
        return _as_json(document)[:_SHOWN]
    except RecursionError:
        return "nested without end"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twice = _repeated([name for name, _ in pairs])
    if twice is not None:
        raise ValueError(f"the key {twice!r} comes twice in one object")
    return dict(pairs)


def _repeated(names: Sequence[str]) -> str | None:
    if len(set(names)) == len(names):
        return None
    return Counter(names).most_common(1)[0][0]


def array_row(row: object, width: int, *kinds: type[str]) -> Row:
    """Return a row that is an array of `width` cells of some kinds; any other has its own text."""
    original = _as_json(row)
    if not isinstance(row, list) or len(row) != width:
        return Row(None, original)
    return Row([_text(cell, *kinds) for cell in row], original)


def _json_row(row: object, columns: Sequence[str], widths: Collection[int], time: type[str]) -> Row:
    original = _as_json(row)
    if not isinstance(row, list) or len(row) not in widths:
        return Row(None, original)
    held = row[: len(columns)]
    cells = [_text(cell, time if place == 0 else Number) for place, cell in enumerate(held)]
    return Row(cells + [None] * (len(columns) - len(cells)), original)


def _as_json(value: object) -> str:
    """Return a value as the document has it, but for its blanks: `json` would quote a `Number`."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_as_json, value))}]"
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)}: {_as_json(held)}" for key, held in value.items())
        return f"{{{', '.join(pairs)}}}"
    return json.dumps(value)


def _text(cell: object, *kinds: type[str]) -> str | None:
    # The type itself: a Number is a str, too.
    if type(cell) not in kinds:
        return None
    # Half a surrogate pair can be written in JSON, but not in UTF-8.
    return str(cell).encode("utf-8", "replace").decode()
