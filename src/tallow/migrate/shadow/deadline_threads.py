"""Calls with a deadline: each in its own thread, which is abandoned if it does not return."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from tallow.core.limits import SHADOW_ABANDONED
from tallow.migrate.shadow.outcome import LATE, UNTRIED, CallOutcome, failed_outcome


def _locked_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass
class _ThreadCall:
    """A call on its way through a thread; `done` is released at its end."""

    context: Context
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    done: threading.Lock = field(default_factory=_locked_lock)
    outcome: CallOutcome | None = None
    is_abandoned: bool = False


class DeadlineThreads:
    """Threads that call one function: as many as there are callers, and calls that hang.

    A thread cannot be killed, so one that hangs stays. Once `SHADOW_ABANDONED` threads hang, no
    further call is tried until one of them returns: callers lose no time to a dead candidate.
    """

    def __init__(self, function: Callable[..., Any], deadline_seconds: float) -> None:
        self._function, self._deadline = function, deadline_seconds
        self.reset()

    def reset(self) -> None:
        """Forget all threads: after a fork there are none."""
        self._lock = threading.Lock()
        self._idle: list[SimpleQueue[_ThreadCall]] = []
        self._abandoned = 0

    def call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> CallOutcome:
        """Call the function; return its outcome, or that it is too late."""
        call = _ThreadCall(copy_context(), args, kwargs)
        with self._lock:
            if self._abandoned >= SHADOW_ABANDONED:
                return CallOutcome(None, UNTRIED, f"not tried: {self._abandoned} calls of it hang")
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = SimpleQueue()
            thread = threading.Thread(
                target=self._run, args=(inbox, self._lock), name="tallow-candidate", daemon=True
            )
            thread.start()
        inbox.put(call)
        if not call.done.acquire(timeout=self._deadline):
            with self._lock:
                if call.outcome is None:
                    call.is_abandoned = True
                    self._abandoned += 1
        return call.outcome or CallOutcome(None, LATE, f"too slow: more than {self._deadline:g} s")

    def _run(self, inbox: SimpleQueue[_ThreadCall], lock: threading.Lock) -> None:
        while True:
            call = inbox.get()
            try:
                outcome = CallOutcome(call.context.run(self._function, *call.args, **call.kwargs))
            except BaseException as error:  # noqa: BLE001 - the control answers instead
                outcome = failed_outcome(error)
            with lock:
                call.outcome = outcome
                self._abandoned -= call.is_abandoned
                self._idle.append(inbox)
            call.done.release()
            del call, outcome
