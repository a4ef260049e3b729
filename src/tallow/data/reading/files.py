"""Finding and opening candle files. Whatever is wrong with a file is one error that names it."""

from __future__ import annotations

import csv
import glob
import gzip
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.core.given import file_path, require_file
from tallow.core.limits import (
    FILE_COLUMNS_MAX,
    FILE_LINE_BYTES_MAX,
    FILE_UNPACKED_BYTES,
    FILE_UNPACKED_RATIO,
)
from tallow.core.text import counted
from tallow.data.reading import text_tables, zstandard
from tallow.data.reading.arrow_claims import FILE_MARK, require_honest
from tallow.data.reading.file_hints import missing_file_hint, other_ending_hint
from tallow.data.reading.schema import find_column
from tallow.data.reading.spreadsheet import unmark_formulas
from tallow.data.reading.text_tables import TextLayout
from tallow.data.reading.zones import any_zone, in_utc, offset_columns

PARQUET_ENDINGS = (".parquet", ".pq")
ARROW_ENDINGS = (".arrow", ".arrows", ".ipc", ".feather", ".fea", ".ft", ".stream")
"""File and stream format; its content says which of them a file has."""

CONTAINER_ENDINGS = (*PARQUET_ENDINGS, *ARROW_ENDINGS)
"""Of files that say the names and types of their columns themselves."""

ENDINGS = (*text_tables.ENDINGS, *CONTAINER_ENDINGS)
DOCUMENT_ENDINGS = (".json", ".json.gz", ".zip")
"""Of files that only a provider's reader may know."""

_GZIP_MARK = b"\x1f\x8b"
_PACKED_MARKS = (_GZIP_MARK, zstandard.MARK)
_PROBE_BYTES = 4_096
_NO_TEXT = "is not UTF-8 text; a table of text is needed; save it as UTF-8"


@dataclass(frozen=True)
class RawSource:
    """An input before its columns are understood.

    `rows()` starts again from the first row each time it is called; each frame it gives has at most
    the asked-for rows, and its columns are of one chunk. `instrument`, `timezone` and `timeframe`
    are what it says of all its rows, where it does.
    """

    name: str
    schema: Mapping[str, pl.DataType]
    rows: Callable[[], Iterator[pl.DataFrame]]
    instrument: str | None = None
    timezone: str | None = None
    timeframe: str | None = None
    count: Callable[[], int] | None = None
    on_disk: bool = False


def expand_paths(source: str | Path | Sequence[str | Path]) -> list[Path]:
    """Return the candle files that paths and globs name, as `find_files` does.

    `CandleInputError` as there; also if a file has an ending that is not read, or is empty.
    """
    for one in [source] if isinstance(source, str | Path) else source:
        if not isinstance(one, str | Path):
            raise CandleInputError(
                f"read: input={type(one).__name__}; must be a path, a glob, a list of these or a "
                "frame; pass several frames one by one"
            )
    paths = find_files("read", source, "*.parquet")
    for path in paths:
        _require_candle_file(path)
    return paths


def find_files(verb: str, source: str | Path | Sequence[str | Path], such_as: str) -> list[Path]:
    """Return the files that paths and globs name: globs sorted by name, lists in their order.

    For messages, `verb` is what is done with them, and `such_as` a glob of such files in a folder,
    to be named instead of it. `CandleInputError` if nothing matches, or one does not exist, is a
    folder, or may not be read.
    """
    several = [source] if isinstance(source, str | Path) else source
    paths = [path for one in several for path in _matching(verb, one)]
    if not paths:
        raise CandleInputError(
            f"{verb}: input=[]; must name at least one file; add a path or a glob"
        )
    for path in paths:
        instead = f"name its files, such as {path / such_as}"
        require_file(path, CandleInputError, instead, missing_file_hint)
    return paths


def open_file(path: Path, chunk_rows: int) -> RawSource:
    """Open a candle file without reading its rows.

    `CandleInputError` if the file is not what its ending says.
    """
    if ending_of(path) is None:
        raise CandleInputError(
            f"{path}: ending={path.suffix!r}; a table is needed here, that ends in "
            f"{', '.join(ENDINGS)}; convert it"
        )
    with _naming(path), any_zone():
        frame, on_disk = _scan(path)
        schema = frame.collect_schema()
        offsets = offset_columns(schema)
        frame = frame.with_columns(in_utc(schema, offsets)) if offsets else frame
        schema = frame.collect_schema() if offsets else schema
    _require_narrow(path, len(schema))

    def count() -> int:
        with _naming(path), any_zone():
            return int(frame.select(pl.len()).collect().item())

    def rows() -> Iterator[pl.DataFrame]:
        room, seen = _Room(path), 0
        with _naming(path), any_zone() if offsets else nullcontext():
            # No chunk_size: Polars would build its batches from several chunks, and a kernel that
            # wants one array would pay for a copy of everything.
            for batch in frame.collect_batches(maintain_order=True):
                room.take(batch)
                seen += len(batch)
                filled = _as_text(batch) if ending_of(path) in text_tables.ENDINGS else batch
                yield from split(filled, chunk_rows)
        if known is not None:
            _require_all(path, seen, known())

    known = count if ending_of(path) in CONTAINER_ENDINGS else None
    return RawSource(str(path), schema, rows, count=known, on_disk=on_disk)


def split(frame: pl.DataFrame, chunk_rows: int) -> Iterator[pl.DataFrame]:
    """Cut a frame into pieces of at most `chunk_rows` rows and one chunk each."""
    for piece in frame.iter_slices(chunk_rows):
        yield piece if max(piece.n_chunks("all"), default=1) == 1 else piece.rechunk()


def ending_of(path: Path) -> str | None:
    """Return the ending by which a file's kind is known, or None."""
    name = path.name.lower()
    return next((ending for ending in ENDINGS if name.endswith(ending)), None)


def _matching(verb: str, source: str | Path) -> list[Path]:
    path = file_path(f"{verb}: input", source, CandleInputError)
    # A file that exists is meant literally, even with a bracket in its name.
    # Not Path.exists: it raises where it may not look.
    if os.path.exists(path) or not glob.has_magic(str(path)):  # noqa: PTH110
        return [path]
    # Not Path.glob: it refuses absolute patterns.
    matches = sorted(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207
    files = [match for match in matches if not match.is_dir()]
    if not files:
        raise CandleInputError(f"{verb}: input={str(source)!r}; no file matches; check the folder")
    return files


def _require_candle_file(path: Path) -> None:
    if ending_of(path) is None and not path.name.lower().endswith(DOCUMENT_ENDINGS):
        known = f"must end in {', '.join((*ENDINGS, *DOCUMENT_ENDINGS))}"
        hint = other_ending_hint(path)
        raise CandleInputError(f"{path}: ending={path.suffix!r}; {known}; {hint}")
    if path.stat().st_size == 0:
        raise CandleInputError(
            f"{path}: size=0; a header is needed at least; was it written fully?"
        )


def _scan(path: Path) -> tuple[pl.LazyFrame, bool]:
    """Return a file's rows, and whether they stay on disk until they are asked for."""
    ending = ending_of(path)
    if ending in PARQUET_ENDINGS:
        return pl.scan_parquet(path, glob=False), True
    if ending in text_tables.ENDINGS:
        layout = _text_layout(path)
        _require_lines(path)
        return text_tables.scan_text(path, layout), True
    with path.open("rb") as file:
        require_honest(file, str(path))
        file.seek(0)
        if file.read(len(FILE_MARK)) == FILE_MARK:
            return pl.scan_ipc(path, glob=False), True
    return pl.read_ipc_stream(path).lazy(), False


def _text_layout(path: Path) -> TextLayout:
    """Return the layout of a table of text, which must be no wider than a table may be."""
    first = _first_line(path)
    layout = text_tables.text_layout(str(ending_of(path)), first)
    if b"\r" in first.rstrip(b"\r\n"):
        raise CandleInputError(
            f"{path}: its lines end with CR alone, as those of old Macs; must end with LF, or CR "
            "and LF; save it with such ends"
        )
    # Counted before Polars makes columns of them, which takes a minute for a million.
    _require_narrow(path, first.count(layout.separator.encode()) + 1)
    return layout


def _first_line(path: Path) -> bytes:
    """Return the first line of a table of text, which must be no longer than a header may be."""
    head = _mark(path)
    if head.startswith(zstandard.MARK):
        return _short(path, zstandard.unpacked_head(path, 1).split(b"\n", 1)[0])
    is_packed = head.startswith(_GZIP_MARK)
    if b"\x00" in head and not is_packed:
        raise CandleInputError(f"{path}: {_NO_TEXT}")
    opener = gzip.open if is_packed else open
    try:
        with opener(path, "rb") as file:
            first = file.readline(FILE_LINE_BYTES_MAX)
    except (OSError, EOFError, zlib.error):
        return b""  # Polars says what is wrong with it.
    return _short(path, first)


def _short(path: Path, first: bytes) -> bytes:
    if len(first) >= FILE_LINE_BYTES_MAX and not first.endswith(b"\n"):
        raise CandleInputError(
            f"{path}: its first line has {FILE_LINE_BYTES_MAX:,} bytes or more; must be a header; "
            "is it a table of text, with lines?"
        )
    return first


def _require_lines(path: Path) -> None:
    """Raise `CandleInputError` if a line of a table of text is too long; packed ones come later."""
    if not _mark(path).startswith(_PACKED_MARKS):
        number = text_tables.long_line(path, FILE_LINE_BYTES_MAX)
        if number is not None:
            raise _too_long(path, f"line {number:,}")


def _too_long(path: Path, line: str) -> CandleInputError:
    return CandleInputError(
        f"{path}: {line} has {FILE_LINE_BYTES_MAX:,} bytes or more; must be shorter; was it "
        "written fully, with the ends of its lines?"
    )


def _mark(path: Path) -> bytes:
    """Return the beginning of a file, which shows how it is packed."""
    with path.open("rb") as file:
        return file.read(_PROBE_BYTES)


def _require_narrow(path: Path, width: int) -> None:
    if width > FILE_COLUMNS_MAX:
        raise CandleInputError(
            f"{path}: {width:,} columns; at most {FILE_COLUMNS_MAX:,}; is it a table of candles? "
            "Leave out the other columns"
        )


def _require_all(path: Path, seen: int, claimed: int) -> None:
    """Raise `CandleInputError` where rows are missing: Polars' threads may panic in silence."""
    if seen != claimed:
        raise CandleInputError(
            f"{path}: {seen:,} of its {counted(claimed, 'row')} can be read; must be a whole "
            f"{ending_of(path)} file, with columns of different names; was it written fully?"
        )


class _Room:
    """What a packed file may still unpack to: a table of candles packs to about a tenth."""

    def __init__(self, path: Path) -> None:
        self._path = path
        packed = path.stat().st_size if _mark(path).startswith(_PACKED_MARKS) else None
        self._most = None if packed is None else FILE_UNPACKED_BYTES + FILE_UNPACKED_RATIO * packed
        self._taken = 0

    def take(self, batch: pl.DataFrame) -> None:
        if self._most is None:
            return
        self._taken += int(batch.estimated_size())
        if self._taken > self._most:
            raise CandleInputError(
                f"{self._path}: unpacks to more than {self._most:,} bytes, {FILE_UNPACKED_RATIO} "
                "times its size; no table of candles does; unpack it by hand if it is one"
            )
        cells = pl.all().str.len_bytes().cast(pl.UInt64)
        longest = batch.select(pl.sum_horizontal(cells).max()).item() if batch.width else None
        if (longest or 0) + batch.width - 1 >= FILE_LINE_BYTES_MAX:
            raise _too_long(self._path, "a line")


def _as_text(batch: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of a text file; names that a spreadsheet must not run are as they were."""
    names = find_column("instrument", batch.columns)
    rows = _without_blank_lines(batch)
    return rows if names is None else unmark_formulas(rows, names)


def _without_blank_lines(batch: pl.DataFrame) -> pl.DataFrame:
    # Polars reads an empty line as a row of nulls; to a person it is not a row.
    if batch.width == 0 or batch.to_series(0).null_count() == 0:
        return batch
    return batch.filter(~pl.all_horizontal(pl.all().is_null()))


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what Polars raises over a broken file into an error that names the file."""
    try:
        yield
    # Some broken Parquet files make Polars panic, and a panic is a BaseException.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        if ending_of(path) in text_tables.ENDINGS and "utf-8" in reason[0].lower():
            raise CandleInputError(f"{path}: {_NO_TEXT}") from error
        raise CandleInputError(
            f"{path}: {_long_line(path) or reason[0]}; must be a whole "
            f"{ending_of(path)} file; was it written fully, and does its ending fit?"
        ) from error


def _long_line(path: Path) -> str | None:
    """Say which line of a text file has more cells than the header, if one has."""
    ending = ending_of(path)
    if ending not in text_tables.ENDINGS or ending.endswith(".zst"):
        return None
    opener = gzip.open if ending.endswith(".gz") else open
    try:
        layout = _text_layout(path)
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            pieces = iter(lambda: file.readline(FILE_LINE_BYTES_MAX), "")
            lines = csv.reader(pieces, delimiter=layout.separator)
            width = len([next(lines) for _ in range(layout.above + 1)][-1])
            for cells in lines:
                if len(cells) > width:
                    return f"line {lines.line_num} has {len(cells)} cells, the header {width}"
    except (OSError, UnicodeError, EOFError, StopIteration, csv.Error):
        pass  # Polars' own reason is shown instead.
    return None
