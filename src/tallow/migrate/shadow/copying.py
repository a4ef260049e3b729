"""Copies a call's inputs and answer on the calling thread, before anybody can change them.

A copy costs the caller time, so its size is limited; and where copies take longer than a shadow may
delay a call, only a small share of the calls is copied at all.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from tallow.core.limits import (
    SHADOW_DELAY_SECONDS,
    SHADOW_DELAY_SHARE,
    SHADOW_OVERDUE_FREE,
    SHADOW_OVERDUE_SHARE,
)


class TooLargeError(Exception):
    """A value is too large to be copied."""


class DelayAllowance:
    """Limits the share of calls that are delayed too long, so that the p99 stays as it is."""

    def __init__(self) -> None:
        self._calls = self._overdue = 0

    @property
    def is_spent(self) -> bool:
        """Whether the next call must not be copied; read once per call."""
        self._calls += 1
        return self._overdue > SHADOW_OVERDUE_FREE + SHADOW_OVERDUE_SHARE * self._calls

    def spend(self, copying_seconds: float, call_seconds: float) -> None:
        """Count a call that was copied."""
        allowed = max(SHADOW_DELAY_SECONDS, SHADOW_DELAY_SHARE * call_seconds)
        self._overdue += copying_seconds > allowed


class Copier:
    """Copies the parts of one call, and adds up the time that this takes.

    Elapsed time, not processor time: interruptions of a copy delay the call, too.
    """

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max
        self.seconds = 0.0

    def copy(self, value: Any, large: Iterable[Any]) -> bytes:
        """Return a value pickled; the size of its `large` parts is checked before they are copied.

        `TooLargeError` if it is larger than the bytes left for this call; anything that pickling
        raises for a value that cannot be pickled.
        """
        began = time.perf_counter()
        try:
            sizes = [_estimate_bytes(part) for part in large]
            if sum(size or 0 for size in sizes) > self._left:
                raise TooLargeError
            if None in sizes:
                sink = _BoundedBuffer(self._left)
                pickle.Pickler(sink, protocol=5).dump(value)
                body = b"".join(sink.parts)
            else:
                body = pickle.dumps(value, protocol=5)
            self._left -= len(body)
            return body
        finally:
            self.seconds += time.perf_counter() - began


class _BoundedBuffer:
    """A file in memory of a limited size."""

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max
        self.parts: list[bytes] = []

    def write(self, part: Any) -> int:
        size = memoryview(part).nbytes
        self._left -= size
        if self._left < 0:
            raise TooLargeError
        self.parts.append(bytes(part))
        return size


def _estimate_bytes(value: Any) -> int | None:
    """Return the approximate size of a value of a known type; None for any other."""
    if isinstance(value, np.ndarray):
        return None if value.dtype.hasobject else int(value.nbytes)
    if isinstance(value, pl.DataFrame | pl.Series):
        return int(value.estimated_size())
    if isinstance(value, str | bytes):
        return len(value)
    return 0 if value is None or isinstance(value, float | int | datetime) else None
