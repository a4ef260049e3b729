"""The serving process's end of an experiment: what is observed is sent on, and never waited for.

Callers put into a queue; a thread sends to the warden, starts it, and replaces it if it ever dies.
On the calling thread nothing gives up the interpreter's lock: no file, no pipe, no contended lock.
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
    FAREWELL,
    Call,
    Progress,
    Setup,
    send_calls,
    shared_file,
    start_process,
)
from tallow.migrate.shadow.pipe import Outlet


class Link:
    """The way to the warden of one experiment in this process."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self.reset()
        _LINKS.add(self)

    def reset(self) -> None:
        """Forget the warden; the next call starts another: after a fork, it is the parent's."""
        self._lock = threading.Lock()
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Outlet | None = None
        self._progress: Progress | None = None
        self._start_at = 0.0
        self._is_closed = False
        self._hurry = threading.Event()
        # Of the present warden: tasks with a payload and their bytes, messages. Of all: the rest.
        self._tasks = self._bytes = self._sent = 0
        self._put = self._settled = self._lost = 0

    def forget(self) -> None:
        """In a forked child: let go of what belongs to the parent, and of nothing else."""
        if self._pipe is not None:
            # An open copy would keep the warden from noticing that the parent is gone.
            self._pipe.close()
        if self._process is not None:
            # It is no child of this process: nobody here may wait for it, or warn about it.
            self._process.returncode = 0
        is_closed = self._is_closed
        self.reset()
        self._is_closed = is_closed

    def start(self) -> None:
        """Start the thread, which starts the warden; returns at once."""
        with self._lock:
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name="tallow-shadow", daemon=True)
                self._thread.start()

    @property
    def lost(self) -> int:
        """Observations that could not be written."""
        return self._lost + (self._progress.lost if self._progress is not None else 0)

    @property
    def worker(self) -> int:
        """The process number of the newest worker; 0 before there is one."""
        return self._progress.worker if self._progress is not None else 0

    def reserve(self) -> bool:
        """Take a place in the queue of tasks; False where there is none."""
        with self._lock:
            tasks, size = (0, 0) if self._progress is None else self._progress.done()
            if (
                self._tasks - tasks >= self._setup.budget.queue
                or self._bytes - size >= SHADOW_QUEUE_BYTES
            ):
                return False
            self._tasks += 1
            return True

    def release(self) -> None:
        """Give a place back that is not needed."""
        with self._lock:
            self._tasks -= 1

    def put(self, call: Call) -> None:
        """Send a call, soon; it is lost, and counted, where too many wait already."""
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

    def lose(self) -> None:
        """Count an observation that could not even be made."""
        with self._lock:
            self._lost += 1

    def flush(self, seconds: float) -> bool:
        """Wait until what was put is written; say whether it is."""
        end = time.monotonic() + seconds
        while not self._is_flushed():
            self._hurry.set()
            if time.monotonic() > end or self._is_closed:
                return self._is_flushed()
            time.sleep(SHADOW_WATCH_SECONDS / 4)
        return True

    def close(self) -> None:
        """Say farewell, and wait, not for ever, until the warden has done what was asked."""
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
        done = self._settled
        if self._progress is not None:
            done += self._progress.written + self._progress.lost
        return done >= self._put

    def _run(self) -> None:
        """Send what is put, until the farewell."""
        self._start_warden()
        call = self._calls.get()
        while call is not None:
            calls = [call]
            with contextlib.suppress(Empty):
                while (call := self._calls.get_nowait()) is not None:
                    calls.append(call)
            self._send(calls)
            if call is not None:
                # What comes meanwhile is sent at one go: fewer turns to take from the callers.
                self._hurry.wait(SHADOW_BATCH_SECONDS)
                self._hurry.clear()
                call = self._calls.get()
        self._say_farewell()

    def _say_farewell(self) -> None:
        if self._pipe is not None and self._process is not None:
            with contextlib.suppress(OSError):
                self._pipe.send(FAREWELL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(SHADOW_CLOSE_SECONDS + 1.0)
        self._bury()

    def _send(self, calls: list[Call]) -> None:
        if self._pipe is None and not self._start_warden():
            with self._lock:
                self._tasks -= sum(call.inputs is not None for call in calls)
                self._settled += len(calls)
                self._lost += len(calls)
            return
        assert self._pipe is not None
        self._sent += len(calls)
        try:
            send_calls(self._pipe, calls)
        except OSError:
            self._bury()

    def _start_warden(self) -> bool:
        """Start one, unless one died a short time ago; say whether there is one."""
        if time.monotonic() < self._start_at:
            return False
        self._start_at = time.monotonic() + SHADOW_RETRY_SECONDS_MAX
        try:
            with _STARTING, shared_file() as shared:
                read, write = os.pipe()
                self._pipe = Outlet(write)
                try:
                    self._process = start_process("warden", [read, shared.fileno()])
                finally:
                    os.close(read)
                progress = Progress(shared)
            self._pipe.send(pickle.dumps(self._setup))
        except OSError:
            self._bury()
            return False
        with self._lock:
            self._progress = progress
        return True

    def _bury(self) -> None:
        """Close the books of a warden that is gone: what it had not written is lost."""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        with self._lock:
            if self._progress is not None:
                self._lost += self._sent - self._progress.written
                self._settled += self._sent
            self._progress = self._pipe = self._process = None
            self._tasks = self._bytes = self._sent = 0


_LINKS: weakref.WeakSet[Link] = weakref.WeakSet()
_STARTING = threading.Lock()
"""Held while pipes are made: a fork in between would copy ends that nobody closes there."""


def _forget_all() -> None:
    _STARTING.release()
    for link in _LINKS:
        link.forget()


os.register_at_fork(
    before=_STARTING.acquire, after_in_parent=_STARTING.release, after_in_child=_forget_all
)
