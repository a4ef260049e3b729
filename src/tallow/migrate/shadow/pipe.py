"""A pipe that sends many buffers in one system call.

Each system call releases the interpreter's lock, and taking it again delays some caller.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

_LENGTH = struct.Struct("!Q")
_BUFFERS_MAX = 512
"""Buffers per system call; systems allow about a thousand."""


class PipeReader:
    """The reading end of a pipe."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def message(self) -> bytes:
        """Wait for the next message, and return it; `EOFError` if there will be none."""
        (length,) = _LENGTH.unpack(self.read(_LENGTH.size))
        return self.read(length)

    def read(self, length: int) -> bytes:
        """Wait for so many bytes after a message, and return them; `EOFError` if none come."""
        parts = []
        while length:
            part = os.read(self.descriptor, min(length, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            length -= len(part)
        return b"".join(parts)


class PipeWriter:
    """The writing end of a pipe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, message: bytes, data: Sequence[bytes] = ()) -> None:
        """Send a message and its data, waiting for room; `OSError` if nobody reads any more."""
        buffers = [_LENGTH.pack(len(message)), message, *data]
        for first in range(0, len(buffers), _BUFFERS_MAX):
            self._write(buffers[first : first + _BUFFERS_MAX])

    def close(self) -> None:
        """Close the pipe, which its reader notices."""
        os.close(self._descriptor)

    def _write(self, buffers: Sequence[bytes]) -> None:
        left = [memoryview(buffer) for buffer in buffers if buffer]
        while left:
            done = os.writev(self._descriptor, left)
            while left and done >= len(left[0]):
                done -= len(left.pop(0))
            if done:
                left[0] = left[0][done:]
