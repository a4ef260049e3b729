"""What the processes of an experiment tell each other, and how one starts the next.

serving process  --Setup, Task...-->  warden  --Setup, Task-->  worker
                 <--Progress (shared memory)--      <--Finding--

A serving process only copies and sends. Its warden, which imports nothing of the user's, watches
over the worker, which runs the user's functions, and writes the evidence of both.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import spawn
from pathlib import Path
from typing import IO, Any

from tallow.core.errors import ShadowError
from tallow.migrate.evidence import Judgement, Observation, Side
from tallow.migrate.shadow.pipe import Inlet, Outlet

ASIDE = "TALLOW_SHADOW_ASIDE"
"""Set in the environment of a worker and of its children: experiments there do not run aside."""

FAREWELL = b""
"""The message of a serving process that ends on purpose: what is in the queue is still done."""

_MAIN = "__main__"


@dataclass(frozen=True)
class Budget:
    """What a candidate that runs aside may take, per serving process.

    Attributes
    ----------
    seconds
        Longest call; a candidate that takes longer is killed, and a new worker started.
    memory_bytes
        Resident memory of the worker, with the interpreter and all that it imports: some 300 MB
        with an engine of this package. Memory that is touched takes bandwidth from everybody.
    queue
        Calls that wait for the worker; further ones are skipped, and counted.
    call_bytes
        Inputs and answer of a call, copied; larger ones are skipped, and counted.
    deadline_seconds
        How long a caller who is served by the candidate waits before the control answers instead.
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
class Setup:
    """What a warden and its workers must know.

    `functions` are control, candidate, judge and newest, pickled; `place` is where they are found.
    """

    experiment: str
    evidence: str
    functions: bytes
    place: Mapping[str, Any]
    budget: Budget
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Task:
    """A call as it was answered, and what is to be done with it.

    Parameters
    ----------
    aside
        The side that is to run; None where there is nothing to run.
    keeps
        Whether a mismatch is to be made of it, if it is one: that takes longer than to compare.
    """

    observation: Observation
    aside: Side | None = None
    revision: str | None = None
    keeps: bool = True


@dataclass(frozen=True)
class Payload:
    """A call's inputs ``(args, kwargs)``, and the fields of the outcome served; both pickled."""

    inputs: bytes
    served: bytes

    @property
    def size(self) -> int:
        """Bytes of both."""
        return len(self.inputs) + len(self.served)


@dataclass(frozen=True)
class Finding:
    """What a worker made of a task; `mismatch` is a body to keep, `dropped` that there was one."""

    observation: Observation
    mismatch: bytes | None = None
    dropped: bool = False


@dataclass(slots=True)
class Call:
    """A call while it runs, in the serving process: what is known of it so far.

    Plain fields, to be changed: what becomes of them is made in another thread.
    """

    key: str
    at: datetime
    served: Side
    error: str | None = None
    skipped: str | None = None
    control_ms: float | None = None
    candidate_ms: float | None = None
    judgement: Judgement | None = None
    revision: str | None = None
    aside: Side | None = None
    inputs: bytes | None = None
    answer: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes of what is sent along."""
        return len(self.inputs or b"") + len(self.answer or b"")

    @property
    def about(self) -> tuple[Any, ...]:
        """Return the fields that are not copies, in their order."""
        about = (self.key, self.at, self.served, self.error, self.skipped, self.control_ms)
        return (*about, self.candidate_ms, self.judgement, self.revision, self.aside)

    def task(self, experiment: str) -> Task:
        """Return what is to be done with it."""
        observation = Observation(
            *(experiment, self.at, self.key, self.served),
            control_ms=self.control_ms,
            candidate_ms=self.candidate_ms,
            error=self.error,
            skipped=self.skipped,
            judgement=self.judgement,
        )
        return Task(observation, self.aside, self.revision)


class Progress:
    """Numbers that a warden tells its serving process, in memory that both share.

    Read without a system call: one would give up the interpreter's lock, and a caller who has to
    wait for it again is late.
    """

    _SLOTS = 5

    def __init__(self, file: IO[bytes]) -> None:
        file.truncate(8 * self._SLOTS)
        self._map = mmap.mmap(file.fileno(), 8 * self._SLOTS)
        self._slots = memoryview(self._map).cast("Q")

    def __getattr__(self, name: str) -> int:
        return self._slots[_PLACES[name]]

    def done(self) -> tuple[int, int]:
        """Return how many tasks are done, and the bytes of their payloads."""
        return self._slots[0], self._slots[1]

    def add(self, name: str, count: int) -> None:
        """Count; by the warden only."""
        self._slots[_PLACES[name]] += count

    def tell(self, name: str, value: int) -> None:
        """Set a number; by the warden only."""
        self._slots[_PLACES[name]] = value


_PLACES = {"tasks_done": 0, "bytes_done": 1, "written": 2, "lost": 3, "worker": 4}


def send_calls(outlet: Outlet, calls: Sequence[Call]) -> None:
    """Send calls to the warden.

    In a serving process the interpreter's lock is held for it: hence plain values, which take a
    tenth of the time that objects of one's own do, and copies as they are.

    Raises
    ------
    OSError
        If it is gone.
    """
    heads: list[tuple[Any, ...]] = []
    copies: list[bytes] = []
    for call in calls:
        parts = () if call.inputs is None or call.answer is None else (call.inputs, call.answer)
        heads.append((call.about, [len(part) for part in parts]))
        copies += parts
    outlet.send(pickle.dumps(heads), copies)


def receive_calls(inlet: Inlet) -> list[Call] | None:
    """Return the next calls, waiting for them; None for a farewell.

    Raises
    ------
    EOFError
        If the other side ended without one.
    """
    message = inlet.message()
    if message == FAREWELL:
        return None
    return [
        Call(*about, *(inlet.read(length) for length in lengths))
        for about, lengths in pickle.loads(message)
    ]


def pickled_functions(functions: Sequence[Callable[..., Any] | None]) -> bytes:
    """Return functions for the worker.

    Raises
    ------
    ShadowError
        For one that another process could not import.
    """
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


def place_of(functions: bytes) -> dict[str, Any]:
    """Return where modules are found: what `multiprocessing` tells a process that it spawns."""
    place = spawn.get_preparation_data("tallow-shadow")
    # A secret of multiprocessing's own, not needed here and not to be copied.
    place.pop("authkey", None)
    if _MAIN.encode() not in functions:
        # The program's own file is run again only for functions that are in it.
        place.pop("init_main_from_path", None)
        place.pop("init_main_from_name", None)
    return place


def start_process(
    module: str, descriptors: Sequence[int], environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start ``main(descriptors)`` of a module of this package in a process of its own.

    In a group of its own: Ctrl-C in a terminal is for the program, which closes this one. Not in a
    session of its own: Linux shares processors among sessions first (autogroup), so that there even
    the lowest priority would get half of them.
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
        stderr=None if module == "warden" else subprocess.DEVNULL,
        pass_fds=descriptors,
        env=environment,
        process_group=0,
    )


def give_way(policy: str) -> None:
    """Take the lowest priority of this process, and a policy of the scheduler: ``SCHED_IDLE``.

    Both as such, not in relation to the serving process, whose own may be raised.
    """
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, getattr(os, policy), os.sched_param(0))


def shared_file() -> IO[bytes]:
    """Return a file without a name, for `Progress`."""
    return tempfile.TemporaryFile()
