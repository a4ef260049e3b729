"""Text packed with Zstandard: what it may unpack to, and its beginning.

Polars unpacks it, as Python's library cannot before version 3.14; but a small file may unpack to
more than memory holds. A file is a sequence of blocks that say how long they are packed, and none
unpacks to more than 128 KiB: so the sum can be bounded without unpacking one (RFC 8878).
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.core.limits import FILE_UNPACKED_BYTES, FILE_UNPACKED_RATIO

MARK = b"\x28\xb5\x2f\xfd"
_SKIPPED = range(0x184D2A50, 0x184D2A60)
_BLOCK_MAX = 131_072
_RAW, _REPEATED, _PACKED = 0, 1, 2
_FIELD_BYTES = (0, 2, 4, 8)
_NAME_BYTES = (0, 1, 2, 4)


def unpacked_head(path: Path, size: int) -> bytes:
    """Return as much of a file's text as is asked for, or a little more, in whole lines.

    `CandleInputError` if it is damaged, or may unpack to more than any file may: one line of it
    could.
    """
    _require_bounded(path)
    lines = pl.scan_csv(
        path, has_header=False, separator="\x01", quote_char=None, infer_schema=False, glob=False
    )
    parts: list[str] = []
    length = 0
    try:
        for batch in lines.collect_batches(maintain_order=True):
            text = batch.to_series().fill_null("")
            parts.extend(text)
            length += int(text.str.len_bytes().sum()) + len(text)
            if length >= size:
                break
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(path, str(error).strip().splitlines()[0]) from error
    return "".join(f"{part}\n" for part in parts).encode()


def _require_bounded(path: Path) -> None:
    most = FILE_UNPACKED_BYTES + FILE_UNPACKED_RATIO * path.stat().st_size
    try:
        bound = _bound(path)
    except (EOFError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if bound > most:
        raise CandleInputError(
            f"{path}: may unpack to more than {most:,} bytes, {FILE_UNPACKED_RATIO} times its "
            "size; no table of candles does; unpack it by hand if it is one"
        )


def _damaged(path: Path, reason: str) -> CandleInputError:
    return CandleInputError(
        f"{path}: {reason}; must be a whole file, packed with Zstandard; was it written fully?"
    )


def _bound(path: Path) -> int:
    """Return a number of bytes that a file surely does not unpack to more than."""
    total = 0
    with path.open("rb") as file:
        while mark := file.read(len(MARK)):
            if int.from_bytes(mark, "little") in _SKIPPED:
                file.seek(int.from_bytes(_exactly(file, 4), "little"), 1)
            elif mark == MARK:
                total += _frame(file)
            else:
                raise ValueError("is not packed with Zstandard to its end")
    return total


def _frame(file: IO[bytes]) -> int:
    """Go past a frame's header, blocks and checksum; return what its blocks may unpack to."""
    (flags,) = _exactly(file, 1)
    is_single = flags >> 5 & 1
    field = _FIELD_BYTES[flags >> 6] or is_single
    _exactly(file, (not is_single) + _NAME_BYTES[flags & 3] + field)
    total, is_last = 0, False
    while not is_last:
        head = int.from_bytes(_exactly(file, 3), "little")
        is_last, kind, size = bool(head & 1), head >> 1 & 3, head >> 3
        if kind > _PACKED:
            raise ValueError("has a block of an unknown kind")
        total += _BLOCK_MAX if kind == _PACKED else size
        file.seek(1 if kind == _REPEATED else size, 1)
    file.seek(4 if flags >> 2 & 1 else 0, 1)
    return total


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError("ends within a block")
    return data
