"""Large arrays that kernels use for the length of a call, and that the next call uses again.

Fresh memory costs more than the arithmetic: the system hands it out page by page, and takes it back
when the array goes. Nothing lent here may be returned to a caller: frames alias arrays.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tallow.core.arrays import Floats
from tallow.core.limits import BUFFER_BYTES

_LEAST = 4_096
"""Numbers in the smallest buffer."""


class BufferPool:
    """Lends float64 arrays; may be used by several threads, each with buffers of its own.

    What comes back beyond `bytes_max` idle bytes is freed.

    Examples
    --------
    >>> pool = BufferPool()
    >>> with pool.lend(10_000) as first:
    ...     first[:] = 1.0
    >>> with pool.lend(9_000) as again:
    ...     bool(np.shares_memory(first, again))
    True
    """

    def __init__(self, bytes_max: int = BUFFER_BYTES) -> None:
        self.bytes_max = bytes_max
        self._lock = threading.Lock()
        self._idle: dict[int, list[Floats]] = {}
        self.idle_bytes = 0

    @contextmanager
    def lend(self, count: int) -> Iterator[Floats]:
        """Lend an array of `count` numbers, with any content, until the block ends."""
        # Powers of two: few sizes, so that what one call leaves fits another one.
        size = 1 << (max(count, _LEAST) - 1).bit_length()
        buffer = self._take(size)
        try:
            yield buffer[:count]
        finally:
            self._give(size, buffer)

    def _take(self, size: int) -> Floats:
        with self._lock:
            if idle := self._idle.get(size):
                self.idle_bytes -= 8 * size
                return idle.pop()
        return np.empty(size)

    def _give(self, size: int, buffer: Floats) -> None:
        with self._lock:
            if self.idle_bytes + 8 * size <= self.bytes_max:
                self.idle_bytes += 8 * size
                self._idle.setdefault(size, []).append(buffer)


BUFFERS = BufferPool()
"""The process's own."""
