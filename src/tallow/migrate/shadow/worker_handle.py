"""A worker as its supervisor sees it: a process to start, give tasks, watch and kill."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import struct
import subprocess
import time
from multiprocessing.connection import Connection
from pathlib import Path

from tallow.core.limits import (
    SHADOW_CLOSE_SECONDS,
    SHADOW_LEAVE_SECONDS,
    SHADOW_START_SECONDS,
    SHADOW_STARVED,
)
from tallow.migrate.shadow.messages import (
    IN_WORKER,
    ExperimentSetup,
    Task,
    TaskResult,
    start_process,
)
from tallow.migrate.shadow.outcome import waited_seconds

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STALLED = struct.pack("ll", int(SHADOW_CLOSE_SECONDS), 0)


class WorkerEndedError(Exception):
    """The worker has ended or does not answer; the message says how."""


class WorkerHandle:
    """A worker process, started here; `OSError` if the system cannot start it."""

    def __init__(self, setup: ExperimentSetup) -> None:
        self._budget = setup.budget
        ours, theirs = socket.socketpair()
        with ours, theirs:
            # A process that is stopped in the middle of a message must not block its supervisor.
            for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
                ours.setsockopt(socket.SOL_SOCKET, option, _STALLED)
            environment = os.environ | {IN_WORKER: "1"}
            self._process = start_process("worker", [theirs.fileno()], environment)
            self.connection = Connection(ours.detach())
        self.is_ready = False
        self.task: Task | None = None
        folder = Path(f"/proc/{self._process.pid}")
        self._statm, self._schedstat = folder / "statm", folder / "schedstat"
        self._started = time.monotonic()
        self._start_clock()
        with contextlib.suppress(OSError):
            self.connection.send_bytes(pickle.dumps(setup))

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def age_seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self._started

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a task."""
        return self.is_ready and self.task is None

    def give(self, task: Task) -> None:
        """Give it a task; `WorkerEndedError` if it has ended."""
        self.task = task
        self._start_clock()
        try:
            self.connection.send_bytes(pickle.dumps(task, protocol=5))
        except OSError as error:
            raise WorkerEndedError(self.end()) from error

    def receive(self) -> TaskResult | str:
        """Return its message: a result, or why it cannot start; empty if it is ready.

        `WorkerEndedError` if it ended instead.
        """
        try:
            message: TaskResult | str = pickle.loads(self.connection.recv_bytes())
        except (EOFError, OSError) as error:
            raise WorkerEndedError(self.end()) from error
        return message

    def excess(self) -> str | None:
        """Return how it exceeds its budget, or None."""
        seconds = SHADOW_START_SECONDS if self.task is None else self._budget.seconds
        if not self.is_idle and self._elapsed(seconds) > seconds:
            return f"too slow: more than {seconds:g} s"
        if self.resident_bytes() > self._budget.memory_bytes:
            return f"too large: more than {self._budget.memory_bytes:,} bytes of memory"
        return None

    def resident_bytes(self) -> int:
        """Return its resident memory; 0 where the system does not report it."""
        with contextlib.suppress(OSError, IndexError, ValueError):
            return int(self._statm.read_bytes().split()[1]) * _PAGE_BYTES
        return 0

    def end(self) -> str:
        """End it and its children; return how it had ended, or that it was killed."""
        seconds = 0.0
        if self.is_idle:
            # It sees the end of the connection, and exits by itself.
            self.connection.close()
            seconds = SHADOW_LEAVE_SECONDS
        elif self._has_message():
            # It has closed its end of the connection and is about to exit: wait, to learn why.
            seconds = SHADOW_LEAVE_SECONDS
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        code = self._process.poll()
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.connection.close()
        if code is None:
            return "killed"
        return f"died: {signal.Signals(-code).name}" if code < 0 else f"exited with status {code}"

    def _has_message(self) -> bool:
        try:
            return self.connection.poll(0)
        except OSError:
            return True

    def _start_clock(self) -> None:
        """Measure its time from now on."""
        self._began, self._waited = time.monotonic(), waited_seconds(self._schedstat)

    def _elapsed(self, limit: float) -> float:
        """Return the seconds since `_start_clock`, without those in which it had no processor.

        Up to a multiple of the limit: a worker that gets no processor at all is useless.
        """
        elapsed = time.monotonic() - self._began
        if elapsed < limit or elapsed > SHADOW_STARVED * limit:
            return elapsed
        return elapsed - (waited_seconds(self._schedstat) - self._waited)
