"""The messages between the processes of an experiment, and how one process starts the next.

serving process  --ExperimentSetup, CallRecord-->  supervisor  --ExperimentSetup, Task-->  worker
                 <--SharedCounters--                           <--TaskResult--

A serving process only copies and sends. Its supervisor, which imports no code of the user, watches
the worker, which runs the user's functions, and writes the evidence of both.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing import spawn
from pathlib import Path
from typing import IO, Any

from tallow.core.errors import ShadowError
from tallow.migrate.evidence import Judgement, Observation, Side
from tallow.migrate.shadow.pipe import PipeReader, PipeWriter

IN_WORKER = "TALLOW_SHADOW_WORKER"
"""Set in the environment of workers and their children: experiments there only run the control."""

SHUTDOWN = b""
"""The message of a serving process that ends on purpose: queued tasks are still done."""

_MAIN = "__main__"


@dataclass(frozen=True)
class Budget:
    """The resources that a candidate may use out of process, per serving process.

    Attributes
    ----------
    seconds
        Longest call; a candidate that takes longer is killed, and a new worker started.
    memory_bytes
        Resident memory of the worker, with the interpreter and its imports: some 300 MB with an
        engine of this package. Using memory takes bandwidth from all processes.
    queue
        Calls that wait for the worker; further ones are skipped and counted.
    call_bytes
        Copied inputs and answer of a call; larger ones are skipped and counted.
    deadline_seconds
        How long a caller that the candidate serves waits before the control answers instead.
    """

    seconds: float = 5.0
    memory_bytes: int = 536_870_912
    queue: int = 64
    call_bytes: int = 4_194_304
    deadline_seconds: float = 1.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ShadowError(f"shadow: {name}={value!r}; must be more than 0")


@dataclass(frozen=True)
class ExperimentSetup:
    """What a supervisor and its workers need to know.

    `functions` are control, candidate, judge and newest, pickled; `preparation` is what a process
    needs to import them.
    """

    experiment: str
    evidence: str
    functions: bytes
    preparation: Mapping[str, Any]
    budget: Budget
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Task:
    """A call as it was answered, and what a worker must do with it."""

    observation: Observation
    background: Side | None = None
    """The side to run; None if there is none."""
    revision: str | None = None
    inputs: bytes = b""
    served: bytes = b""
    """The call's ``(args, kwargs)`` and the fields of the served outcome, both pickled; empty for a
    call that is not compared."""
    keeps_mismatch: bool = True
    """Whether its inputs are kept if it is a mismatch, which takes longer than to compare."""
    is_recorded: bool = False
    """Its observation is written already; only its mismatch is still to be kept."""
    since: float = field(default_factory=time.monotonic)
    """When it began to wait, on the monotonic clock."""

    @property
    def size(self) -> int:
        """Bytes of the copies."""
        return len(self.inputs) + len(self.served)


@dataclass(frozen=True)
class TaskResult:
    """The result of a task; `mismatch` is a body to keep, `dropped` means that it is not kept."""

    observation: Observation
    mismatch: bytes | None = None
    dropped: bool = False


@dataclass(slots=True)
class CallRecord:
    """What is known of a call while it runs in the serving process.

    Plain fields that change; the supervisor makes a `Task` of them. Those up to `judgement` are the
    fields of an `Observation` after the experiment, in their order.
    """

    at: datetime
    key: str
    served: Side
    control_ms: float | None = None
    candidate_ms: float | None = None
    error: str | None = None
    skipped: str | None = None
    staleness_seconds: float | None = None
    judgement: Judgement | None = None
    revision: str | None = None
    background: Side | None = None
    inputs: bytes | None = None
    answer: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes of the copies."""
        return len(self.inputs or b"") + len(self.answer or b"")

    @property
    def head(self) -> tuple[Any, ...]:
        """The fields of the observation, and what else is known that is not a copy."""
        observed = (
            *(self.at, self.key, self.served, self.control_ms, self.candidate_ms),
            *(self.error, self.skipped, self.staleness_seconds, self.judgement),
        )
        return observed, self.background, self.revision


class SharedCounters:
    """Numbers that a supervisor reports to its serving process, in memory that both share.

    They are read without a system call, which would release the interpreter's lock and delay the
    caller that has to take it again.
    """

    def __init__(self, file: IO[bytes]) -> None:
        file.truncate(8 * len(_SLOTS))
        self._map = mmap.mmap(file.fileno(), 8 * len(_SLOTS))
        self._values = memoryview(self._map).cast("Q")

    def __getattr__(self, name: str) -> int:
        return self._values[_SLOTS[name]]

    def done(self) -> tuple[int, int]:
        """Return how many tasks are done, and the bytes of their copies."""
        return self._values[0], self._values[1]

    def add(self, name: str, count: int) -> None:
        """Add to a number; by the supervisor only."""
        self._values[_SLOTS[name]] += count

    def set(self, name: str, value: int) -> None:
        """Set a number; by the supervisor only."""
        self._values[_SLOTS[name]] = value


_SLOTS = {"tasks_done": 0, "bytes_done": 1, "written": 2, "lost": 3, "worker": 4}


def send_calls(pipe: PipeWriter, calls: Sequence[CallRecord]) -> None:
    """Send calls to the supervisor; `OSError` if it has ended.

    A serving process holds the interpreter's lock meanwhile. So plain values are pickled, which
    takes a tenth of the time that objects take, and copies are sent as they are.
    """
    heads: list[tuple[Any, ...]] = []
    copies: list[bytes] = []
    for call in calls:
        parts = () if call.inputs is None or call.answer is None else (call.inputs, call.answer)
        heads.append((call.head, [len(part) for part in parts]))
        copies += parts
    pipe.send(pickle.dumps(heads), copies)


def receive_tasks(pipe: PipeReader, experiment: str) -> list[Task] | None:
    """Wait for the next calls, and return the task of each; None for `SHUTDOWN`.

    `EOFError` if the serving process ended without it.
    """
    message = pipe.message()
    if message == SHUTDOWN:
        return None
    return [
        Task(Observation(experiment, *observed), *others, *(pipe.read(each) for each in lengths))
        for (observed, *others), lengths in pickle.loads(message)
    ]


def pickle_functions(functions: Sequence[Callable[..., Any] | None]) -> bytes:
    """Return functions pickled for the worker; `ShadowError` if it could not import one of them."""
    for function in functions:
        try:
            body = pickle.dumps(function, protocol=5)
        except Exception as error:
            raise ShadowError(
                f"shadow: function={function!r}; a worker process must be able to import it; "
                f"define it at the top of a module, no lambda or inner function ({error})"
            ) from error
        main = sys.modules[_MAIN]
        if _MAIN.encode() in body and not hasattr(main, "__file__"):
            raise ShadowError(
                f"shadow: function={function!r}; a worker process must be able to import it; "
                "it is defined in an interactive session: put it into a module"
            )
    return pickle.dumps(tuple(functions), protocol=5)


def preparation_data(functions: bytes) -> dict[str, Any]:
    """Return the data with which `multiprocessing` makes imports work in a process it spawns."""
    data = spawn.get_preparation_data("tallow-shadow")
    # A secret of multiprocessing, which is not needed here and must not be copied.
    data.pop("authkey", None)
    if _MAIN.encode() not in functions:
        # The program's main file is run again only for functions that are defined in it.
        data.pop("init_main_from_path", None)
        data.pop("init_main_from_name", None)
    return data


def start_process(
    module: str, descriptors: Sequence[int], environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start ``main(descriptors)`` of a module of this package in a new process.

    In a new process group: Ctrl-C in a terminal is for the program, which ends this process. Not in
    a new session: Linux shares processors among sessions first (autogroup), so that even the lowest
    priority would get half of them there.
    """
    root = str(Path(__file__).resolve().parents[3])
    code = (
        f"import sys; sys.path.append({root!r}); "
        f"from tallow.migrate.shadow.{module} import main; main({list(descriptors)!r})"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=None if module == "supervisor" else subprocess.DEVNULL,
        pass_fds=descriptors,
        env=environment,
        process_group=0,
    )


def lower_priority(policy: str) -> None:
    """Set this process's priority to the lowest, and its scheduling policy, such as ``SCHED_IDLE``.

    Both are absolute, not relative to the serving process, whose priority may be raised.
    """
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, getattr(os, policy), os.sched_param(0))


def make_shared_file() -> IO[bytes]:
    """Return a file without a name, for `SharedCounters`."""
    return tempfile.TemporaryFile()
