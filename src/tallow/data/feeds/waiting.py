"""Waiting: for the next attempt, and between a thread that receives and one that reads."""

from __future__ import annotations

import random
from collections import deque
from threading import Condition
from time import monotonic
from typing import Generic, TypeVar

from tallow.core.limits import (
    FEED_BATCH_BYTES,
    FEED_QUEUE_BYTES,
    FEED_RETRY_SECONDS,
    FEED_RETRY_SECONDS_MAX,
)
from tallow.data.feeds.feed import FeedEnded

T = TypeVar("T")


class Backoff:
    """How long to wait before each further attempt: twice as long each time, up to a limit.

    The last half is left to chance, so that the clients of a server that comes back do not all
    return at once.
    """

    def __init__(self) -> None:
        self._longest = FEED_RETRY_SECONDS

    def wait(self) -> float:
        """Return the seconds to wait now, and lengthen the next wait."""
        longest = min(self._longest, FEED_RETRY_SECONDS_MAX)
        self._longest = 2 * longest
        return longest * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start again, after an attempt that worked."""
        self._longest = FEED_RETRY_SECONDS


class Mailbox(Generic[T]):
    """A queue between threads, bounded in bytes: who puts into a full one waits for room."""

    def __init__(self) -> None:
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._closed = False
        self._failure: BaseException | None = None
        self._changed = Condition()

    def put(self, item: T, size: int) -> bool:
        """Add an item of `size` bytes; return False where the mailbox was closed instead.

        An item larger than all the room is taken when the mailbox is empty.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_room(size))
            if self._closed:
                return False
            self._items.append((item, size))
            self._bytes += size
            self._changed.notify_all()
            return True

    def take(self, timeout: float, most: int) -> list[T]:
        """Return items, up to `most` or `FEED_BATCH_BYTES`; none where none came in `timeout` s.

        `FeedEnded` if the mailbox is closed and empty.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._items), timeout)
            taken: list[T] = []
            size = 0
            while self._items and len(taken) < most and size < FEED_BATCH_BYTES:
                item, bytes_of_it = self._items.popleft()
                taken.append(item)
                size += bytes_of_it
            self._bytes -= size
            self._changed.notify_all()
            if not taken and self._failure is not None:
                raise self._failure
            if not taken and self._closed:
                raise FeedEnded
            return taken

    def close(self, failure: BaseException | None = None) -> None:
        """Take nothing more; readers get what is there, then `failure` or the end."""
        with self._changed:
            self._closed = True
            self._failure = self._failure or failure
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        return not self._items or self._bytes + size <= FEED_QUEUE_BYTES


def seconds_until(deadline: float) -> float:
    """Return the seconds from now to a `deadline` by the monotonic clock, never below 0."""
    return max(0.0, deadline - monotonic())
