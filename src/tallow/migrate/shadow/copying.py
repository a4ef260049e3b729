"""Copies of what goes in and out of a call, made on the calling thread: later changes are not seen.

A copy costs the caller time, so it is bounded in bytes; and where copies take longer than what a
shadow may add to a call, only a small share of the calls is copied at all.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterable
from typing import Any

from tallow.core.limits import (
    SHADOW_DELAY_SECONDS,
    SHADOW_DELAY_SHARE,
    SHADOW_OVERDUE_FREE,
    SHADOW_OVERDUE_SHARE,
)


class TooLargeError(Exception):
    """A value is larger than what may be copied."""


class Allowance:
    """How many calls may be delayed longer than a shadow should: few enough to leave the p99."""

    def __init__(self) -> None:
        self._calls = self._overdue = 0

    @property
    def is_spent(self) -> bool:
        """Whether the next call must not be copied; asked once a call."""
        self._calls += 1
        return self._overdue > SHADOW_OVERDUE_FREE + SHADOW_OVERDUE_SHARE * self._calls

    def spend(self, copying_seconds: float, call_seconds: float) -> None:
        """Count a call that was copied."""
        allowed = max(SHADOW_DELAY_SECONDS, SHADOW_DELAY_SHARE * call_seconds)
        self._overdue += copying_seconds > allowed


class Copier:
    """Copies the parts of one call, and adds up what that takes.

    Seconds are those of the thread, not of the clock: being interrupted is not its doing.
    """

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max
        self.seconds = 0.0

    def copy(self, value: Any, large: Iterable[Any]) -> bytes:
        """Return a value pickled.

        Parameters
        ----------
        large
            The parts of it that may be large, to be looked at before they are copied.

        Raises
        ------
        TooLargeError
            If it is larger than what is left.
        Exception
            Whatever pickling raises for a value that cannot be.
        """
        began = time.thread_time()
        try:
            if sum(map(_known_bytes, large)) > self._left:
                raise TooLargeError
            sink = _Sink(self._left)
            pickle.Pickler(sink, protocol=5).dump(value)
            body = b"".join(sink.parts)
            self._left -= len(body)
            return body
        finally:
            self.seconds += time.thread_time() - began


class _Sink:
    """A file that takes what is written, up to a bound."""

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


def _known_bytes(value: Any) -> int:
    """Return the size of an array or a frame, which is cheap to ask for; 0 for anything else."""
    library = type(value).__module__.partition(".")[0]
    if library == "numpy":
        return int(getattr(value, "nbytes", 0))
    if library == "polars" and hasattr(value, "estimated_size"):
        return int(value.estimated_size())
    return 0
