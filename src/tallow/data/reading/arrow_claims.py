"""Whether an Arrow file or stream holds as many bytes as it claims.

Polars makes room for what is claimed before it reads, and a process that has not so much memory
ends at once: a file of a kilobyte that claims terabytes must be refused before. Only lengths are
looked at; Polars reports whatever else is wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from tallow.core.errors import CandleInputError
from tallow.core.limits import ARROW_MESSAGES_MAX, FILE_UNPACKED_BYTES, FILE_UNPACKED_RATIO

FILE_MARK = b"ARROW1"

_CONTINUES = b"\xff\xff\xff\xff"
_DICTIONARY, _BATCH = 2, 3


def require_honest(file: BinaryIO, name: str) -> None:
    """Raise `CandleInputError` where an Arrow file or stream claims more than there is.

    `file` is open for reading, at its beginning.
    """
    size = file.seek(0, 2)
    room = FILE_UNPACKED_BYTES + FILE_UNPACKED_RATIO * size
    try:
        for body, claimed in _messages(file, size):
            room -= claimed
            if body > size or room < 0:
                break
        else:
            return
    except (struct.error, IndexError, ValueError, OverflowError):
        return  # Polars says that it is not an Arrow file.
    raise CandleInputError(
        f"{name}: claims {max(body, claimed):,} bytes in {size:,}; is no whole Arrow file; was it "
        "written fully?"
    )


def _messages(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Yield where each message's body ends, and the bytes that it unpacks to."""
    file.seek(0)
    if file.read(len(FILE_MARK)) == FILE_MARK:
        for offset in _blocks(file, size):
            yield from _message(file, offset, size)
        return
    offset = 0
    for _ in range(ARROW_MESSAGES_MAX):
        for end, claimed in _message(file, offset, size):
            yield end, claimed
            offset = end
            break
        else:
            return


def _message(file: BinaryIO, offset: int, size: int) -> Iterator[tuple[int, int]]:
    """Do as `_messages` for the message at an offset; yield nothing at the end."""
    file.seek(offset)
    head = file.read(8)
    skipped = 8 if head[:4] == _CONTINUES else 4
    (length,) = struct.unpack_from("<i", head, skipped - 4)
    if 0 < length <= size:
        file.seek(offset + skipped)
        message = _Table.root(file.read(length))
        start = offset + skipped + length
        yield start + message.number(3, "<q"), _unpacked(file, message, start)


def _blocks(file: BinaryIO, size: int) -> Iterator[int]:
    """Yield where the messages of a file begin, as its end says."""
    tail = 4 + len(FILE_MARK)
    file.seek(max(0, size - tail))
    (length,) = struct.unpack_from("<i", file.read(4))
    if not 0 < length < size:
        return
    file.seek(size - tail - length)
    footer = _Table.root(file.read(length))
    for field in (2, 3):
        for offset in footer.first_numbers(field, 24):
            yield max(0, min(offset, size))


def _unpacked(file: BinaryIO, message: _Table, start: int) -> int:
    """Return the bytes that the buffers of a batch claim."""
    kind, batch = message.number(1, "<B"), message.table(2)
    if batch is not None and kind == _DICTIONARY:
        batch = batch.table(1)
    if batch is None or kind not in (_DICTIONARY, _BATCH):
        return 0
    is_packed, total = batch.offset_of(3) != 0, 0
    for offset, length in batch.pairs(2):
        total += max(0, length)
        if is_packed and length >= 8:
            # A packed buffer begins with its length; -1 says that it is as it is.
            file.seek(max(0, start + offset))
            total += max(0, *struct.unpack("<q", file.read(8)))
    return total


class _Table:
    """A table of a FlatBuffer: its fields by their numbers."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._data, self._start = data, offset
        self._fields = offset - self._read("<i", offset)

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, *struct.unpack_from("<I", data, 0))

    def _read(self, form: str, offset: int) -> int:
        if offset < 0:
            raise IndexError(offset)
        return int(struct.unpack_from(form, self._data, offset)[0])

    def offset_of(self, field: int) -> int:
        """Return where a field's value is, or 0 where it is not said."""
        slot = 4 + 2 * field
        if slot >= self._read("<H", self._fields):
            return 0
        offset = self._read("<H", self._fields + slot)
        return self._start + offset if offset else 0

    def number(self, field: int, form: str) -> int:
        offset = self.offset_of(field)
        return self._read(form, offset) if offset else 0

    def table(self, field: int) -> _Table | None:
        offset = self.offset_of(field)
        return _Table(self._data, offset + self._read("<I", offset)) if offset else None

    def first_numbers(self, field: int, width: int) -> Iterator[int]:
        """Yield the 64-bit numbers that the structures of a vector begin with."""
        for offset in self._structures(field, width):
            yield self._read("<q", offset)

    def pairs(self, field: int) -> Iterator[tuple[int, int]]:
        """Yield the pairs of 64-bit numbers of a vector."""
        for offset in self._structures(field, 16):
            yield self._read("<q", offset), self._read("<q", offset + 8)

    def _structures(self, field: int, width: int) -> Iterator[int]:
        offset = self.offset_of(field)
        if offset:
            offset += self._read("<I", offset)
            for number in range(self._read("<I", offset)):
                yield offset + 4 + width * number
