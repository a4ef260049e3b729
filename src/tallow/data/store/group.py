"""Writes of several threads in one commit: what comes while one runs shares the next.

The first thread that comes does the work of all who wait; the others are woken when it is durable.
Who writes alone waits for nobody.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from tallow.core.errors import StoreError


@dataclass(eq=False)
class QueuedWrite:
    """A write that waits for its commit.

    Attributes
    ----------
    work
        Takes a `tallow.data.store.backend.Writing`, and returns what the write returns.
    is_long
        It shares its commit with none: what it writes is no part of a transaction.
    leads
        Its thread does the work of the next group.
    """

    work: Callable[[Any], Any]
    is_long: bool
    leads: bool = False
    woken: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    error: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        """Note why the commit that it was part of failed, unless it failed by itself."""
        if self.error is None:
            told = error if isinstance(error, Exception) else StoreError(_BROKEN_OFF)
            # Of its own, since each thread adds where it was.
            self.error = type(told)(*told.args) if isinstance(told, StoreError) else told
            self.error.__cause__ = error


_BROKEN_OFF = (
    "store: the commit that this write was part of was broken off; nothing of it is there; "
    "write it again"
)


class WriteQueue:
    """The writes that wait, first come first served.

    Parameters
    ----------
    commit
        Takes the writes of a group one by one, runs each, and makes all durable, or none.
    longest_wait
        Seconds for which a group takes in what comes while it is written, beside what was there
        before it. None: each write is a group of its own.
    """

    def __init__(
        self, commit: Callable[[Iterator[QueuedWrite]], None], longest_wait: float | None
    ) -> None:
        self._commit, self._longest_wait = commit, longest_wait
        self._lock = threading.Lock()
        self._waiting: deque[QueuedWrite] = deque()
        self._is_led = False

    def write(
        self,
        work: Callable[[Any], Any],
        is_long: bool = False,
        meanwhile: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> Any:
        """Do the work of a write, and return what it returns, durably.

        `meanwhile` gives a context that is entered when the write's place in the order is certain,
        and left when it is durable.
        """
        own = QueuedWrite(work, is_long)
        with self._lock:
            self._waiting.append(own)
            own.leads, self._is_led = not self._is_led, True
        try:
            with meanwhile():
                if not own.leads:
                    own.woken.wait()
                if own.leads:
                    self._lead()
        except BaseException:
            self._leave(own)
            raise
        if own.error is not None:
            raise own.error
        return own.result

    def _lead(self) -> None:
        """Commit the next group; its first write is this thread's."""
        group: list[QueuedWrite] = []
        try:
            self._commit(self._members(group))
        except BaseException as error:
            for each in group[1:]:
                each.fail(error)
            raise
        finally:
            with self._lock:
                self._choose_leader()
            for each in group[1:]:
                each.woken.set()

    def _members(self, group: list[QueuedWrite]) -> Iterator[QueuedWrite]:
        until = time.monotonic() + (self._longest_wait or 0.0)
        count = 1 if self._longest_wait is None else len(self._waiting)
        while True:
            with self._lock:
                head = self._waiting[0] if self._waiting else None
                is_late = len(group) >= count and time.monotonic() >= until
                if head is None or is_late or (group and (head.is_long or group[0].is_long)):
                    return
                group.append(self._waiting.popleft())
            yield head

    def _choose_leader(self) -> None:
        self._is_led = bool(self._waiting)
        if self._is_led:
            self._waiting[0].leads = True
            self._waiting[0].woken.set()

    def _leave(self, own: QueuedWrite) -> None:
        """Take a write that was broken off out of the queue, if it still waits there."""
        with self._lock:
            if own in self._waiting:
                self._waiting.remove(own)
                if own.leads:
                    self._choose_leader()
