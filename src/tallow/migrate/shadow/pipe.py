"""A pipe that takes many buffers in one system call, so that the sender's thread is seldom seen.

Each call gives up the interpreter's lock, and to ask for it again takes a turn from some caller.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

_LENGTH = struct.Struct("!Q")
_AT_ONCE = 512
"""Systems take a thousand buffers in a call, or a few more."""


class Inlet:
    """The end of a pipe that is read."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def message(self) -> bytes:
        """Return the next message; wait for it.

        Raises
        ------
        EOFError
            If there will be none.
        """
        (length,) = _LENGTH.unpack(self.read(_LENGTH.size))
        return self.read(length)

    def read(self, length: int) -> bytes:
        """Return so many bytes of what was sent along with a message; wait for them.

        Raises
        ------
        EOFError
            If there will be none.
        """
        parts = []
        while length:
            part = os.read(self.descriptor, min(length, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            length -= len(part)
        return b"".join(parts)


class Outlet:
    """The end of a pipe that is written."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, message: bytes, along: Sequence[bytes] = ()) -> None:
        """Send a message, and what its reader knows to come along with it; wait for room.

        Raises
        ------
        OSError
            If nobody reads any more.
        """
        buffers = [_LENGTH.pack(len(message)), message, *along]
        for place in range(0, len(buffers), _AT_ONCE):
            self._write(buffers[place : place + _AT_ONCE])

    def close(self) -> None:
        """Let go of the pipe: the reader notices."""
        os.close(self._descriptor)

    def _write(self, buffers: Sequence[bytes]) -> None:
        left = [memoryview(buffer) for buffer in buffers if buffer]
        while left:
            done = os.writev(self._descriptor, left)
            while left and done >= len(left[0]):
                done -= len(left.pop(0))
            if done:
                left[0] = left[0][done:]
