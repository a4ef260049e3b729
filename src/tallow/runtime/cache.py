"""What was computed and may be asked again: bounded in bytes, each key computed by one thread.

The cache knows nothing of candles. Whoever asks passes a function that looks at what is kept under
the key, and says whether it is still valid, was extended, was repaired, or was computed again.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Generic, NamedTuple, Protocol, TypeVar

import polars as pl

from tallow.core.errors import ParameterError
from tallow.core.limits import QUERY_RESULT_BYTES

_ENTRY_BYTES = 2_048
"""Roughly what an entry takes besides its columns."""

_COLUMN_BYTES = 640
"""Roughly what a column of a frame takes besides its values, which are all that Polars counts.

Measured with Polars 2.1.0: of 2,000 frames with 20 columns of 100 numbers it is 0.8 of the values.
"""


class Sized(Protocol):
    """What a cache keeps: values that are never changed."""

    @property
    def nbytes(self) -> int:
        """How many bytes it takes."""
        ...


Value = TypeVar("Value", bound=Sized)


class CacheOutcome(IntEnum):
    """How an answer came about."""

    HIT = auto()
    EXTENSION = auto()
    REPAIR = auto()
    MISS = auto()

    @property
    def is_hit(self) -> bool:
        """Whether it was there, perhaps without what had been appended since."""
        return self in (CacheOutcome.HIT, CacheOutcome.EXTENSION)


class CachedValue(NamedTuple, Generic[Value]):
    """An answer, how it came about, and whether it may be kept."""

    value: Value
    outcome: CacheOutcome
    keep: bool = True


@dataclass(frozen=True)
class CacheCounters:
    """What a cache has done so far, and what it holds.

    Attributes
    ----------
    hits
        Answers that were there, those that appended candles made longer included.
    extensions
        These alone.
    repairs
        Answers computed again from where a correction began; not hits.
    misses
        Answers computed from the store, or from scratch.
    evictions
        Entries that went because the bytes were needed.
    """

    hits: int
    extensions: int
    repairs: int
    misses: int
    evictions: int
    entries: int
    bytes: int

    @property
    def answers(self) -> int:
        """Answers in all."""
        return self.hits + self.repairs + self.misses

    @property
    def hit_rate(self) -> float:
        """Hits among all answers, 0 where there are none."""
        return self.hits / max(1, self.answers)


def frame_bytes(frame: pl.DataFrame) -> int:
    """Return about how many bytes a frame takes in memory, small ones included."""
    return int(frame.estimated_size()) + _COLUMN_BYTES * frame.width


class _Slot:
    """The place of one key: its lock, what is kept, and how many bytes that counts for."""

    __slots__ = ("lock", "size", "value")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value: Sized | None = None
        self.size = 0


class IndicatorCache:
    """Keeps bars and indicators in memory; several engines, and threads, may share one.

    Parameters
    ----------
    bytes_max
        Most bytes that the entries may take; what was not used longest goes first.

    Examples
    --------
    >>> import numpy as np
    >>> cache = IndicatorCache(bytes_max=1_000_000)
    >>> def ones(kept):
    ...     if kept is not None:
    ...         return CachedValue(kept, CacheOutcome.HIT)
    ...     return CachedValue(np.ones(3), CacheOutcome.MISS)
    >>> [cache.get_or_calculate("ones", ones).outcome.name for _ in range(3)]
    ['MISS', 'HIT', 'HIT']
    >>> cache.counters.hits
    2
    """

    def __init__(self, bytes_max: int = QUERY_RESULT_BYTES) -> None:
        if bytes_max < 0:
            raise ParameterError(
                f"cache: bytes_max={bytes_max}; must not be negative; 0 keeps nothing"
            )
        self.bytes_max = bytes_max
        self._lock = threading.Lock()
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()
        self._bytes = self._evictions = 0
        self._outcomes: Counter[CacheOutcome] = Counter()

    def get_or_calculate(
        self, key: Hashable, calculate: Callable[[Value | None], CachedValue[Value]]
    ) -> CachedValue[Value]:
        """Return what `calculate` makes of what is kept under a key, and keep that.

        The key is all that the value depends on, but for the data's revision: that, the value
        carries. `calculate` takes what is kept, or None, and decides whether it is still valid. It
        is called by one thread at a time for each key; others wait and then find what it made. What
        it raises is raised here, and nothing is kept.
        """
        with self._lock:
            slot = self._slots.get(key)
            if slot is None:
                slot = self._slots[key] = _Slot()
            self._slots.move_to_end(key)
        with slot.lock:
            try:
                done = calculate(slot.value)  # type: ignore[arg-type]
            except BaseException:
                with self._lock:
                    self._drop(key, slot)
                raise
            with self._lock:
                self._outcomes[done.outcome] += 1
                if not done.keep:
                    self._drop(key, slot)
                elif done.value is not slot.value:
                    self._keep(key, slot, done.value)
        return done

    @property
    def counters(self) -> CacheCounters:
        """What has been done so far."""
        with self._lock:
            found = self._outcomes
            return CacheCounters(
                hits=found[CacheOutcome.HIT] + found[CacheOutcome.EXTENSION],
                extensions=found[CacheOutcome.EXTENSION],
                repairs=found[CacheOutcome.REPAIR],
                misses=found[CacheOutcome.MISS],
                evictions=self._evictions,
                entries=len(self._slots),
                bytes=self._bytes,
            )

    def clear(self) -> None:
        """Forget every entry; the counters stay."""
        with self._lock:
            self._slots.clear()
            self._bytes = 0

    def _keep(self, key: Hashable, slot: _Slot, value: Sized) -> None:
        size = value.nbytes + _ENTRY_BYTES
        if size > self.bytes_max:
            # It would only push out all the others.
            self._drop(key, slot)
            return
        there = self._slots.get(key)
        if there is not slot:
            # It was evicted meanwhile, and perhaps made again by another thread.
            slot.size = 0 if there is None else there.size
            self._slots[key] = slot
        self._bytes += size - slot.size
        slot.value, slot.size = value, size
        self._slots.move_to_end(key)
        while self._bytes > self.bytes_max:
            gone = self._slots.popitem(last=False)[1].size
            self._bytes -= gone
            self._evictions += gone > 0

    def _drop(self, key: Hashable, slot: _Slot) -> None:
        if self._slots.get(key) is slot:
            del self._slots[key]
            self._bytes -= slot.size
        slot.value, slot.size = None, 0
