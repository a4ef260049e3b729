"""The serving process's end of an experiment: sends observations on, and never waits.

Callers put calls into a queue; a thread sends them to the supervisor, starts it, and replaces it if
it dies. On the calling thread nothing releases the interpreter's lock: no file, no pipe, no
contended lock.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import threading
import time
import weakref
from queue import Empty, SimpleQueue

from tallow.core.limits import (
    SHADOW_BATCH_SECONDS,
    SHADOW_CLOSE_SECONDS,
    SHADOW_NOTES,
    SHADOW_QUEUE_BYTES,
    SHADOW_RETRY_SECONDS_MAX,
    SHADOW_WATCH_SECONDS,
)
from tallow.migrate.shadow.messages import (
    SHUTDOWN,
    CallRecord,
    ExperimentSetup,
    SharedCounters,
    make_shared_file,
    send_calls,
    start_process,
)
from tallow.migrate.shadow.pipe import PipeWriter


class SupervisorLink:
    """The connection to the supervisor of one experiment in this process."""

    def __init__(self, setup: ExperimentSetup) -> None:
        self._setup = setup
        self.reset()
        _LINKS.add(self)

    def reset(self) -> None:
        """Forget the supervisor; the next call starts another: after a fork it is the parent's."""
        self._lock = threading.Lock()
        self._calls: SimpleQueue[CallRecord | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: PipeWriter | None = None
        self._counters: SharedCounters | None = None
        self._start_at = 0.0
        self._is_closed = False
        self._hurry = threading.Event()
        # Tasks with a payload, their bytes, and messages, of the present supervisor.
        self._tasks = self._bytes = self._sent = 0
        # Calls of all supervisors so far; those of earlier ones are finished.
        self._put = self._finished = self._lost = 0

    def detach(self) -> None:
        """In a forked child: release what belongs to the parent."""
        if self._pipe is not None:
            # An open copy would keep the supervisor from noticing that the parent has ended.
            self._pipe.close()
        if self._process is not None:
            # It is no child of this process, which must neither wait for it nor warn about it.
            self._process.returncode = 0
        is_closed = self._is_closed
        self.reset()
        self._is_closed = is_closed

    def start(self) -> None:
        """Start the thread, which starts the supervisor; return at once."""
        with self._lock:
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name="tallow-shadow", daemon=True)
                self._thread.start()

    @property
    def lost(self) -> int:
        """Observations that could not be written."""
        return self._lost + (self._counters.lost if self._counters is not None else 0)

    @property
    def worker(self) -> int:
        """The process number of the newest worker; 0 before there is one."""
        return self._counters.worker if self._counters is not None else 0

    def reserve(self) -> bool:
        """Reserve room for a task in the queue; return False if it is full."""
        with self._lock:
            tasks, size = (0, 0) if self._counters is None else self._counters.done()
            if (
                self._tasks - tasks >= self._setup.budget.queue
                or self._bytes - size >= SHADOW_QUEUE_BYTES
            ):
                return False
            self._tasks += 1
            return True

    def release(self) -> None:
        """Release a reservation that is not needed."""
        with self._lock:
            self._tasks -= 1

    def put(self, call: CallRecord) -> None:
        """Queue a call for sending; if too many wait already, it is lost and counted."""
        if self._thread is None:
            self.start()
        with self._lock:
            if self._is_closed or self._calls.qsize() >= SHADOW_NOTES:
                self._lost += 1
                self._tasks -= call.inputs is not None
                return
            self._put += 1
            self._bytes += call.size
        self._calls.put(call)

    def count_lost(self) -> None:
        """Count an observation that could not be sent."""
        with self._lock:
            self._lost += 1

    def flush(self, seconds: float) -> bool:
        """Wait until the calls so far are written; return whether they are."""
        end = time.monotonic() + seconds
        while not self._is_flushed():
            self._hurry.set()
            if time.monotonic() > end or self._is_closed:
                return self._is_flushed()
            time.sleep(SHADOW_WATCH_SECONDS / 4)
        return True

    def close(self) -> None:
        """Let the supervisor finish its tasks and end; wait for that, with a limit."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed, thread = True, self._thread
        if thread is None:
            return
        self._hurry.set()
        self._calls.put(None)
        thread.join(SHADOW_CLOSE_SECONDS + 2.0)
        if thread.is_alive() and self._process is not None:
            self._process.kill()

    def _is_flushed(self) -> bool:
        done = self._finished
        if self._counters is not None:
            done += self._counters.written + self._counters.lost
        return done >= self._put

    def _run(self) -> None:
        """Send the queued calls until the link is closed."""
        self._start_supervisor()
        call = self._calls.get()
        while call is not None:
            calls = [call]
            with contextlib.suppress(Empty):
                while (call := self._calls.get_nowait()) is not None:
                    calls.append(call)
            self._send(calls)
            if call is not None:
                # Calls are sent in batches, which interrupts the callers less often.
                self._hurry.wait(SHADOW_BATCH_SECONDS)
                self._hurry.clear()
                call = self._calls.get()
        self._shutdown()

    def _shutdown(self) -> None:
        if self._pipe is not None and self._process is not None:
            with contextlib.suppress(OSError):
                self._pipe.send(SHUTDOWN)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(SHADOW_CLOSE_SECONDS + 1.0)
        self._reap()

    def _send(self, calls: list[CallRecord]) -> None:
        if self._pipe is None and not self._start_supervisor():
            with self._lock:
                self._tasks -= sum(call.inputs is not None for call in calls)
                self._finished += len(calls)
                self._lost += len(calls)
            return
        assert self._pipe is not None
        self._sent += len(calls)
        try:
            send_calls(self._pipe, calls)
        except OSError:
            self._reap()

    def _start_supervisor(self) -> bool:
        """Start a supervisor, unless one died a short time ago; return whether there is one."""
        if time.monotonic() < self._start_at:
            return False
        self._start_at = time.monotonic() + SHADOW_RETRY_SECONDS_MAX
        try:
            with _STARTING, make_shared_file() as shared:
                read, write = os.pipe()
                self._pipe = PipeWriter(write)
                try:
                    self._process = start_process("supervisor", [read, shared.fileno()])
                finally:
                    os.close(read)
                counters = SharedCounters(shared)
            self._pipe.send(pickle.dumps(self._setup))
        except OSError:
            self._reap()
            return False
        with self._lock:
            self._counters = counters
        return True

    def _reap(self) -> None:
        """End a supervisor and count what it had not written as lost."""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        with self._lock:
            if self._counters is not None:
                self._lost += self._sent - self._counters.written
                self._finished += self._sent
            self._counters = self._pipe = self._process = None
            self._tasks = self._bytes = self._sent = 0


_LINKS: weakref.WeakSet[SupervisorLink] = weakref.WeakSet()
_STARTING = threading.Lock()
"""Held while pipes are made: a fork in between would copy ends that the child never closes."""


def _detach_all() -> None:
    _STARTING.release()
    for link in _LINKS:
        link.detach()


os.register_at_fork(
    before=_STARTING.acquire, after_in_parent=_STARTING.release, after_in_child=_detach_all
)
