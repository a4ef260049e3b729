"""A document before its format is known: its name, its beginning, and its text on request.

Files packed with gzip or Zstandard, or alone in a zip archive, are looked into.
"""

from __future__ import annotations

import csv
import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.core.given import file_path, require_file
from tallow.core.limits import BLOCK_ROWS, DOCUMENT_BYTES_MAX, DOCUMENT_HEAD_BYTES
from tallow.core.text import counted
from tallow.data.reading import zstandard
from tallow.data.reading.files import CONTAINER_ENDINGS, ending_of, open_file

_GZIP_MARK = b"\x1f\x8b"
_ZIP_MARK = b"PK\x03\x04"
_BROKEN = (
    OSError,
    EOFError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)
"""What the standard library raises over archives that are damaged, locked or of unknown kinds."""


@dataclass(frozen=True)
class Content:
    """A file or a frame.

    Attributes
    ----------
    name
        The path, or ``frame``.
    path
        The file; None for a frame.
    frame
        The frame as its own library has it; None for a file.
    head
        The first characters of a file, unpacked; empty for a frame.
    columns
        The names of a frame, a Parquet or an Arrow file; of another file the cells of the first
        line, where that is a line of a table.
    """

    name: str
    path: Path | None = None
    frame: Any = None
    head: str = ""
    columns: tuple[str, ...] = field(default=(), repr=False)

    def text(self) -> str:
        """Return the whole file as text.

        `CandleInputError` if it is not a file, is packed and damaged, is not UTF-8 or longer than
        `DOCUMENT_BYTES_MAX`.
        """
        if self.path is None:
            raise CandleInputError(f"{self.name}: is a frame; this format comes as a file")
        with _unpacked(self.path) as file:
            data = file.read(DOCUMENT_BYTES_MAX + 1)
        if len(data) > DOCUMENT_BYTES_MAX:
            raise CandleInputError(
                f"{self.name}: longer than {DOCUMENT_BYTES_MAX} bytes; a document is read whole; "
                "split it"
            )
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise CandleInputError(
                f"{self.name}: is not UTF-8 text; byte {error.start} is the first bad one; "
                "save it as UTF-8"
            ) from error


def open_content(source: Any) -> Content:
    """Look at a path or a frame.

    `CandleInputError` if there is no such file, or it is empty, a folder, or a damaged archive.
    """
    if isinstance(source, list | tuple):
        raise CandleInputError(
            f"read: input={type(source).__name__}; must be one file or one frame; read each alone"
        )
    if not isinstance(source, str | Path):
        import narwhals

        frame = narwhals.to_native(source, pass_through=True)
        return Content("frame", frame=frame, columns=_frame_columns(frame))
    path = file_path("read: input", source, CandleInputError)
    _require_file(path)
    with _unpacked(path) as file:
        head = file.read(DOCUMENT_HEAD_BYTES).decode("utf-8", "replace").removeprefix("\ufeff")
    return Content(str(path), path, None, head, _container_columns(path) or _first_cells(head))


def _container_columns(path: Path) -> tuple[str, ...]:
    """Return the columns of a Parquet or Arrow file; none of one that its reader will refuse."""
    if ending_of(path) not in CONTAINER_ENDINGS:
        return ()
    try:
        return tuple(open_file(path, BLOCK_ROWS).schema)
    except CandleInputError:
        return ()


def _frame_columns(frame: Any) -> tuple[str, ...]:
    """Return a frame's names where they are at hand: a lazy frame would have to be computed."""
    if type(frame).__module__.partition(".")[0] == "pyarrow":
        return tuple(getattr(getattr(frame, "schema", None), "names", ()))
    names = None if isinstance(frame, pl.LazyFrame) else getattr(frame, "columns", None)
    try:
        return tuple(map(str, names))  # type: ignore[arg-type]
    except TypeError:
        return ()


def _require_file(path: Path) -> None:
    require_file(path, CandleInputError, "name the files in it")
    if path.stat().st_size == 0:
        raise CandleInputError(f"{path}: size=0; a document is needed; was it written fully?")


def _first_cells(head: str) -> tuple[str, ...]:
    lines = head.split("\n", 1)
    try:
        return tuple(next(csv.reader(lines[:1]), ()))
    except csv.Error:
        return ()


class _UnpackedFile:
    """The text of a file that is packed with Zstandard, to be read once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, size: int) -> bytes:
        return zstandard.unpacked_head(self._path, size)[:size]


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile | _UnpackedFile]:
    try:
        with path.open("rb") as file:
            mark = file.read(len(_ZIP_MARK))
            file.seek(0)
            if mark.startswith(_GZIP_MARK):
                with gzip.open(file) as inside:
                    yield inside
            elif mark == zstandard.MARK:
                yield _UnpackedFile(path)
            elif mark == _ZIP_MARK:
                with zipfile.ZipFile(file) as archive, archive.open(_only(archive)) as member:
                    yield member
            else:
                yield file
    except _BROKEN as error:
        raise CandleInputError(
            f"{path}: {str(error) or type(error).__name__}; must be readable, and whole; fetch it "
            "again, or unpack it by hand"
        ) from error


def _only(archive: zipfile.ZipFile) -> str:
    names = [name for name in archive.namelist() if not name.endswith("/")]
    if len(names) != 1:
        raise ValueError(f"the archive holds {counted(len(names), 'file')}, not one")
    return names[0]
