"""Calls with a deadline: each in a thread of its own, left behind where it does not return."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from tallow.core.limits import SHADOW_ABANDONED
from tallow.migrate.shadow.outcome import LATE, UNTRIED, Outcome, failed


def _held() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass
class _Call:
    """A call on its way through a lane; `done` is released at its end."""

    context: Context
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    done: threading.Lock = field(default_factory=_held)
    outcome: Outcome | None = None
    is_abandoned: bool = False


class Lanes:
    """Threads in which one function is called; as many as there are callers, and are hanging.

    A thread cannot be killed. So one that hangs stays, and once `SHADOW_ABANDONED` do, no further
    call is tried before one of them returns: a caller then loses no time to a dead candidate.
    """

    def __init__(self, function: Callable[..., Any], deadline_seconds: float) -> None:
        self._function, self._deadline = function, deadline_seconds
        self.reset()

    def reset(self) -> None:
        """Forget all threads: after a fork there are none."""
        self._lock = threading.Lock()
        self._idle: list[SimpleQueue[_Call]] = []
        self._abandoned = 0

    def call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Outcome:
        """Call the function; return what it came to, or that it is too late."""
        call = _Call(copy_context(), args, kwargs)
        with self._lock:
            if self._abandoned >= SHADOW_ABANDONED:
                return Outcome(None, UNTRIED, f"not tried: {self._abandoned} calls of it hang")
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = SimpleQueue()
            lane = threading.Thread(
                target=self._run, args=(inbox, self._lock), name="tallow-candidate", daemon=True
            )
            lane.start()
        inbox.put(call)
        if not call.done.acquire(timeout=self._deadline):
            with self._lock:
                if call.outcome is None:
                    call.is_abandoned = True
                    self._abandoned += 1
        return call.outcome or Outcome(None, LATE, f"too slow: more than {self._deadline:g} s")

    def _run(self, inbox: SimpleQueue[_Call], lock: threading.Lock) -> None:
        while True:
            call = inbox.get()
            try:
                outcome = Outcome(call.context.run(self._function, *call.args, **call.kwargs))
            except BaseException as error:  # noqa: BLE001 - the control answers instead
                outcome = failed(error)
            with lock:
                call.outcome = outcome
                self._abandoned -= call.is_abandoned
                self._idle.append(inbox)
            call.done.release()
            del call, outcome
