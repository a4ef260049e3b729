"""The process in which the user's functions run aside: one task after the other, until it is told.

It has the lowest priority there is, a limit on its memory, and dies with its warden. Whatever it
does, the warden sees to it that it is noticed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from multiprocessing import spawn
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tallow.core.limits import SHADOW_RESERVE_BYTES
from tallow.migrate.evidence import Judgement, Observation, Side
from tallow.migrate.shadow.messages import (
    Finding,
    Payload,
    Setup,
    Task,
    give_way,
)
from tallow.migrate.shadow.mismatch import mismatch_body
from tallow.migrate.shadow.outcome import Outcome, disagrees, error_text, timed, weigh

_PR_SET_PDEATHSIG = 1
_READY = ""


@dataclass(frozen=True)
class Functions:
    """What the user gave."""

    control: Callable[..., Any]
    candidate: Callable[..., Any]
    judge: Callable[..., Judgement]
    newest: Callable[[Any], datetime | None] | None


def main(descriptors: list[int]) -> None:
    """Be a worker at the other end of a connection."""
    _give_way()
    connection = Connection(descriptors[0])
    with contextlib.suppress(EOFError, BrokenPipeError):
        setup: Setup = pickle.loads(connection.recv_bytes())
        try:
            spawn.prepare(dict(setup.place))
            functions = Functions(*pickle.loads(setup.functions))
        except BaseException as error:  # noqa: BLE001 - told to the warden, who tells the user
            connection.send_bytes(pickle.dumps(error_text(error)))
            return
        _limit_memory(setup.budget.memory_bytes)
        connection.send_bytes(pickle.dumps(_READY))
        while True:
            task, payload = pickle.loads(connection.recv_bytes())
            finding = find(functions, setup, task, payload)
            connection.send_bytes(pickle.dumps(finding))


def find(functions: Functions, setup: Setup, task: Task, payload: Payload) -> Finding:
    """Do a task: run the side that is asked for, compare, and keep what disagrees."""
    observation = task.observation
    served_side: Side = "candidate" if task.aside == "control" else "control"
    try:
        args, kwargs = pickle.loads(payload.inputs)
        served = Outcome(*pickle.loads(payload.served))
    except Exception as error:  # noqa: BLE001 - no fault of the candidate
        reason = f"inputs or answer cannot be loaded again; {error_text(error)}"
        return Finding(replace(observation, skipped=reason))
    outcomes: dict[Side, Outcome] = {served_side: served}
    if task.aside is not None:
        side = functions.control if task.aside == "control" else functions.candidate
        outcomes[task.aside], milliseconds = timed(side, args, kwargs)
        if outcomes[task.aside].raised is None:
            observation = replace(observation, aside_ms=milliseconds)
        observation = _judged(functions, observation, outcomes, payload)
    try:
        observation = _with_staleness(functions, observation, served)
    except Exception as error:  # noqa: BLE001 - somebody else's function
        observation = replace(observation, error=f"newest: {error_text(error)}")
    return _kept(setup, task, observation, payload, outcomes)


def _judged(
    functions: Functions,
    observation: Observation,
    outcomes: dict[Side, Outcome],
    payload: Payload,
) -> Observation:
    error, judgement = weigh(outcomes["control"], outcomes["candidate"])
    if error is None and judgement is None:
        # The inputs anew: the side that ran may have changed the first copy.
        args, kwargs = pickle.loads(payload.inputs)
        answers = (outcomes["control"].value, outcomes["candidate"].value)
        try:
            judgement = functions.judge(*answers, *args, **kwargs)
        except Exception as problem:  # noqa: BLE001 - not compared is not equal: an error
            error = f"judge: {error_text(problem)}"
    return replace(observation, error=error, judgement=judgement)


def _with_staleness(functions: Functions, observation: Observation, served: Outcome) -> Observation:
    if functions.newest is None or served.raised is not None:
        return observation
    newest = functions.newest(served.value)
    if newest is None:
        return observation
    return replace(observation, staleness_seconds=(observation.at - newest).total_seconds())


def _kept(
    setup: Setup,
    task: Task,
    observation: Observation,
    payload: Payload,
    outcomes: dict[Side, Outcome],
) -> Finding:
    """Return what was found, with a mismatch where there is one."""
    if not disagrees(observation):
        return Finding(observation)
    if not task.keeps:
        return Finding(observation, dropped=True)
    try:
        inputs = pickle.loads(payload.inputs)
        body = mismatch_body(observation, inputs, outcomes, setup.versions, task.revision)
    except Exception:  # noqa: BLE001 - too large, or its answer cannot be copied: it is counted
        return Finding(observation, dropped=True)
    return Finding(observation, body)


def _give_way() -> None:
    """Take the lowest priority; die with the warden; be the first that a full memory costs."""
    give_way("SCHED_IDLE")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    # A candidate that hangs does not notice that its connection has ended.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:
        os._exit(0)


def _limit_memory(size: int) -> None:
    """Refuse to reach far beyond the budget at once, before the warden can look.

    Far: stacks of threads and arenas of allocators are reserved, and count, but are not used.
    """
    if sys.platform != "linux":
        return
    status = Path("/proc/self/status").read_text()
    reserved = int(status.split("VmData:")[1].split()[0]) * 1024
    most = reserved + size + SHADOW_RESERVE_BYTES
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
