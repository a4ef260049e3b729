"""A worker as its warden sees it: a process to start, to feed, to watch and to kill."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import struct
import subprocess
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from tallow.core.limits import (
    SHADOW_CLOSE_SECONDS,
    SHADOW_LEAVE_SECONDS,
    SHADOW_START_SECONDS,
    SHADOW_STARVED,
)
from tallow.migrate.shadow.messages import (
    ASIDE,
    Finding,
    Payload,
    Setup,
    Task,
    start_process,
)
from tallow.migrate.shadow.outcome import waited_seconds

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STALLED = struct.pack("ll", int(SHADOW_CLOSE_SECONDS), 0)


@dataclass(frozen=True)
class Job:
    """A task with its payload.

    Parameters
    ----------
    is_retold
        Its observation is written already; what is left is to keep its mismatch.
    since
        When it began to wait, on the monotonic clock.
    """

    task: Task
    payload: Payload
    is_retold: bool = False
    since: float = field(default_factory=time.monotonic)


class WorkerEndedError(Exception):
    """The worker ended, or does not speak; the message says how."""


class Worker:
    """A worker process, started here.

    Raises
    ------
    OSError
        If the system starts no process.
    """

    def __init__(self, setup: Setup) -> None:
        self._budget = setup.budget
        ours, theirs = socket.socketpair()
        with ours, theirs:
            # A process that is stopped in the middle of a message must not stop its warden.
            for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
                ours.setsockopt(socket.SOL_SOCKET, option, _STALLED)
            environment = os.environ | {ASIDE: "1"}
            self._process = start_process("worker", [theirs.fileno()], environment)
            self.connection = Connection(ours.detach())
        self.is_ready = False
        self.job: Job | None = None
        folder = Path(f"/proc/{self._process.pid}")
        self._statm, self._schedstat = folder / "statm", folder / "schedstat"
        self._started = time.monotonic()
        self._mark()
        with contextlib.suppress(OSError):
            self.connection.send_bytes(pickle.dumps(setup))

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def age_seconds(self) -> float:
        """How long it has been there."""
        return time.monotonic() - self._started

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a job."""
        return self.is_ready and self.job is None

    def give(self, job: Job) -> None:
        """Let it do a job.

        Raises
        ------
        WorkerEndedError
            If it ended meanwhile.
        """
        self.job = job
        self._mark()
        try:
            self.connection.send_bytes(pickle.dumps((job.task, job.payload), protocol=5))
        except OSError as error:
            raise WorkerEndedError(self.end()) from error

    def listen(self) -> Finding | str:
        """Return what it says: its finding, or why it cannot start; empty where it can.

        Raises
        ------
        WorkerEndedError
            If it ended instead.
        """
        try:
            said: Finding | str = pickle.loads(self.connection.recv_bytes())
        except (EOFError, OSError) as error:
            raise WorkerEndedError(self.end()) from error
        return said

    def excess(self) -> str | None:
        """Return how it is beyond its budget, or None."""
        seconds = SHADOW_START_SECONDS if self.job is None else self._budget.seconds
        if not self.is_idle and self._elapsed(seconds) > seconds:
            return f"too slow: more than {seconds:g} s"
        if self.resident_bytes() > self._budget.memory_bytes:
            return f"too large: more than {self._budget.memory_bytes:,} bytes of memory"
        return None

    def resident_bytes(self) -> int:
        """Return the memory that it has; 0 where the system does not tell."""
        with contextlib.suppress(OSError, IndexError, ValueError):
            return int(self._statm.read_bytes().split()[1]) * _PAGE_BYTES
        return 0

    def end(self) -> str:
        """Kill it, and its children; return how it had ended, or that it was killed."""
        seconds = 0.0
        if self.is_idle:
            # It hears that nobody will speak any more, and goes by itself.
            self.connection.close()
            seconds = SHADOW_LEAVE_SECONDS
        elif self._has_spoken():
            # It has closed its end of the connection and is about to go: let it, to learn why.
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

    def _has_spoken(self) -> bool:
        try:
            return self.connection.poll(0)
        except OSError:
            return True

    def _mark(self) -> None:
        """Count its time from now on."""
        self._began, self._waited = time.monotonic(), self._waiting()

    def _elapsed(self, enough: float) -> float:
        """Return the seconds since the mark, those not counted in which it had no processor.

        Up to a bound: one that gets no processor at all is no use.
        """
        elapsed = time.monotonic() - self._began
        if elapsed < enough or elapsed > SHADOW_STARVED * enough:
            return elapsed
        return elapsed - (self._waiting() - self._waited)

    def _waiting(self) -> float:
        return waited_seconds(self._schedstat)
