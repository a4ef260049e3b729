"""The process in which the user's functions run in the background, one task after the other.

It has the lowest priority and a limit on its memory, and ends with its supervisor, which notices
whatever happens to it.
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
from tallow.migrate.shadow.messages import ExperimentSetup, Task, TaskResult, lower_priority
from tallow.migrate.shadow.mismatch import mismatch_body
from tallow.migrate.shadow.outcome import (
    CallOutcome,
    error_text,
    is_mismatch,
    judge_exceptions,
    time_call,
)

_PR_SET_PDEATHSIG = 1
_READY = ""


@dataclass(frozen=True)
class UserFunctions:
    """The functions that the user gave to an experiment."""

    control: Callable[..., Any]
    candidate: Callable[..., Any]
    judge: Callable[..., Judgement]
    newest: Callable[[Any], datetime | None] | None


def main(descriptors: list[int]) -> None:
    """Run a worker for the supervisor at the other end of a connection."""
    _step_back()
    connection = Connection(descriptors[0])
    with contextlib.suppress(EOFError, BrokenPipeError):
        setup: ExperimentSetup = pickle.loads(connection.recv_bytes())
        try:
            spawn.prepare(dict(setup.preparation))
            functions = UserFunctions(*pickle.loads(setup.functions))
        except BaseException as error:  # noqa: BLE001 - the supervisor reports it to the user
            connection.send_bytes(pickle.dumps(error_text(error)))
            return
        _limit_memory(setup.budget.memory_bytes)
        connection.send_bytes(pickle.dumps(_READY))
        while True:
            result = run_task(functions, setup, pickle.loads(connection.recv_bytes()))
            connection.send_bytes(pickle.dumps(result))


def run_task(functions: UserFunctions, setup: ExperimentSetup, task: Task) -> TaskResult:
    """Run the side of a task, compare the answers, and keep a mismatch."""
    observation = task.observation
    served_side: Side = "candidate" if task.background == "control" else "control"
    try:
        args, kwargs = pickle.loads(task.inputs)
        served = CallOutcome(*pickle.loads(task.served))
    except Exception as error:  # noqa: BLE001 - not a fault of the candidate
        reason = f"inputs or answer cannot be loaded again; {error_text(error)}"
        return TaskResult(replace(observation, skipped=reason))
    outcomes: dict[Side, CallOutcome] = {served_side: served}
    if task.background is not None:
        side = functions.control if task.background == "control" else functions.candidate
        outcomes[task.background], milliseconds = time_call(side, args, kwargs)
        if outcomes[task.background].raised is None:
            observation = replace(observation, background_ms=milliseconds)
        observation = _judge(functions, task, observation, outcomes)
    try:
        observation = _add_staleness(functions, observation, served)
    except Exception as error:  # noqa: BLE001 - somebody else's function
        observation = replace(observation, error=f"newest: {error_text(error)}")
    return _make_result(setup, task, observation, outcomes)


def _judge(
    functions: UserFunctions,
    task: Task,
    observation: Observation,
    outcomes: dict[Side, CallOutcome],
) -> Observation:
    error, judgement = judge_exceptions(outcomes["control"], outcomes["candidate"])
    if error is None and judgement is None:
        # A fresh copy of the inputs: the side that ran may have changed the first one.
        args, kwargs = pickle.loads(task.inputs)
        answers = (outcomes["control"].value, outcomes["candidate"].value)
        try:
            judgement = functions.judge(*answers, *args, **kwargs)
        except Exception as problem:  # noqa: BLE001 - what is not compared is an error, not equal
            error = f"judge: {error_text(problem)}"
    return replace(observation, error=error, judgement=judgement)


def _add_staleness(
    functions: UserFunctions, observation: Observation, served: CallOutcome
) -> Observation:
    if functions.newest is None or served.raised is not None:
        return observation
    newest = functions.newest(served.value)
    if newest is None:
        return observation
    return replace(observation, staleness_seconds=(observation.at - newest).total_seconds())


def _make_result(
    setup: ExperimentSetup, task: Task, observation: Observation, outcomes: dict[Side, CallOutcome]
) -> TaskResult:
    """Return the result of a task, with a mismatch if there is one."""
    if not is_mismatch(observation):
        return TaskResult(observation)
    if not task.keeps_mismatch:
        return TaskResult(observation, dropped=True)
    try:
        inputs = pickle.loads(task.inputs)
        body = mismatch_body(observation, inputs, outcomes, setup.versions, task.revision)
    except Exception:  # noqa: BLE001 - too large, or its answer cannot be copied: counted
        return TaskResult(observation, dropped=True)
    return TaskResult(observation, body)


def _step_back() -> None:
    """Take the lowest priority, end with the supervisor, be the first to go if memory is short."""
    lower_priority("SCHED_IDLE")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    # A candidate that hangs does not notice the end of its connection.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:
        os._exit(0)


def _limit_memory(size: int) -> None:
    """Prevent one step far beyond the budget, which the supervisor would notice too late.

    Far, because stacks of threads and arenas of allocators are reserved and count, but not used.
    """
    if sys.platform != "linux":
        return
    status = Path("/proc/self/status").read_text()
    reserved = int(status.split("VmData:")[1].split()[0]) * 1024
    most = reserved + size + SHADOW_RESERVE_BYTES
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
