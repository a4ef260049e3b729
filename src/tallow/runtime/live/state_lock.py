"""The lock of a live engine's state: who reads it waits for no disk, and candles share commits.

While the rows of a call become durable, nothing of them is in the state: it may be read meanwhile,
and candles of other threads may follow. They are applied in the order in which they were written.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager


class StateLock:
    """Keeps changes of a state apart, and lets go of it while a write becomes durable.

    As a context it is for a change that no other comes between, from its beginning to its end.

    Attributes
    ----------
    reading
        A context in which nobody changes the state.
    """

    def __init__(self) -> None:
        self.reading: AbstractContextManager[object]
        self.reading = self._state = threading.RLock()
        self._turn = threading.Condition(threading.RLock())
        # Candles that become durable, in the order in which they were written.
        self._written: deque[object] = deque()
        self._others_wait = 0
        self._is_shared = False

    def __enter__(self) -> None:
        self._turn.acquire()
        self._others_wait += 1
        try:
            self._turn.wait_for(lambda: not self._written)
        except BaseException:
            self._turn.release()
            raise
        finally:
            self._others_wait -= 1
        self._is_shared = False
        self._state.acquire()

    def __exit__(self, *_: object) -> None:
        self._state.release()
        self._turn.notify_all()
        self._turn.release()

    @contextmanager
    def sharing(self) -> Iterator[None]:
        """Give a context for candles: others may follow while they become durable."""
        with self._turn:
            self._turn.wait_for(lambda: not self._others_wait)
            self._is_shared = True
            with self._state:
                yield

    @contextmanager
    def released(self) -> Iterator[None]:
        """Let go of the state for a block, once, inside one of the other contexts.

        Where it is shared, the blocks come to their ends in the order in which they began.
        """
        if not self._is_shared:
            self._state.release()
            try:
                yield
            finally:
                self._state.acquire()
            return
        own = object()
        self._written.append(own)
        self._state.release()
        self._turn.release()
        try:
            yield
        finally:
            self._turn.acquire()
            try:
                self._turn.wait_for(lambda: self._written[0] is own)
            finally:
                self._written.remove(own)
                self._is_shared = True
                self._turn.notify_all()
                self._state.acquire()
