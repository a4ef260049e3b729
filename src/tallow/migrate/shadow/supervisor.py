"""The process between a serving process and the worker: it watches, and writes the evidence.

One thread runs one loop: it receives messages, checks the worker, gives it the next task, and
writes evidence that is due. No code of the user is imported here, so none can stop it. It ends with
the serving process, however that ends, and ends the worker with it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import time
from collections import deque
from dataclasses import replace
from multiprocessing.connection import Connection, wait

from tallow.core.limits import (
    MISMATCHES_AT_ONCE,
    SHADOW_CLOSE_SECONDS,
    SHADOW_RETRY_SECONDS,
    SHADOW_RETRY_SECONDS_MAX,
    SHADOW_WAIT_SECONDS,
    SHADOW_WATCH_SECONDS,
)
from tallow.migrate.evidence import Observation
from tallow.migrate.shadow.evidence_writer import EvidenceWriter
from tallow.migrate.shadow.messages import (
    ExperimentSetup,
    SharedCounters,
    Task,
    TaskResult,
    lower_priority,
    receive_tasks,
)
from tallow.migrate.shadow.outcome import is_mismatch
from tallow.migrate.shadow.pipe import PipeReader
from tallow.migrate.shadow.worker_handle import WorkerEndedError, WorkerHandle


def main(descriptors: list[int]) -> None:
    """Run a supervisor for the serving process at the other end of a pipe."""
    # It may wait, but not for ever, as the worker may with its lower policy.
    lower_priority("SCHED_BATCH")
    calls = PipeReader(descriptors[0])
    with contextlib.suppress(EOFError), os.fdopen(descriptors[1], "r+b") as shared:
        setup: ExperimentSetup = pickle.loads(calls.message())
        Supervisor(setup, calls, SharedCounters(shared)).run()


class Supervisor:
    """Watches the worker of one experiment in one serving process."""

    def __init__(self, setup: ExperimentSetup, calls: PipeReader, counters: SharedCounters) -> None:
        self._setup, self._calls, self._counters = setup, calls, counters
        self._writer = EvidenceWriter(setup.evidence, setup.experiment, counters)
        self._tasks: deque[Task] = deque()
        # Calls that are recorded already, and whose mismatches are to be kept.
        self._recorded: deque[Task] = deque()
        self._worker: WorkerHandle | None = None
        self._failures = 0
        # Why a worker failed while there was no task; it counts for the next one.
        self._pending_error: str | None = None
        self._start_at = 0.0
        self._is_open = True
        self._end_at = 0.0

    def run(self) -> None:
        """Work until the serving process has ended and all of its calls are done."""
        try:
            while self._is_open or (self._is_busy and time.monotonic() < self._end_at):
                self._check_worker()
                self._give_task()
                self._receive_messages()
                self._writer.write_if_due()
                # Even at the lowest priority, a process keeps a processor until it yields it.
                os.sched_yield()
        finally:
            self._end()
            self._writer.close()

    @property
    def _is_busy(self) -> bool:
        return bool(self._tasks or self._recorded) or (
            self._worker is not None and self._worker.task is not None
        )

    def _receive_messages(self) -> None:
        """Wait for messages, at most until something else is due."""
        calls = self._calls.descriptor
        sources: list[int | Connection] = [calls] if self._is_open else []
        if self._worker is not None:
            sources.append(self._worker.connection)
        for source in wait(sources, self._seconds_left()):
            if source == calls:
                self._receive_calls()
            else:
                self._receive_result()

    def _seconds_left(self) -> float | None:
        waits = [self._writer.seconds_left()]
        if self._worker is None:
            waits.append(max(0.0, self._start_at - time.monotonic()))
        elif not self._worker.is_idle:
            waits.append(SHADOW_WATCH_SECONDS)
        if not self._is_open:
            waits.append(SHADOW_WATCH_SECONDS)
        return min((seconds for seconds in waits if seconds is not None), default=None)

    def _receive_calls(self) -> None:
        """Receive a message of the serving process."""
        try:
            tasks = receive_tasks(self._calls, self._setup.experiment)
        except (EOFError, OSError):
            # It was killed: nobody waits for its calls.
            self._is_open = False
            return
        if tasks is None:
            self._is_open, self._end_at = False, time.monotonic() + SHADOW_CLOSE_SECONDS
            return
        for task in tasks:
            self._add_task(task)
            os.sched_yield()

    def _add_task(self, task: Task) -> None:
        if not task.inputs:
            self._writer.add_observation(task.observation)
        elif task.background is None:
            # Everything is known already, and must not wait behind work that may hang.
            self._record(task, task.observation)
            self._record_mismatch(task, task.observation)
        elif self._pending_error is not None:
            reason, self._pending_error = self._pending_error, None
            self._attribute_failure(task, reason)
        else:
            self._tasks.append(task)

    def _check_worker(self) -> None:
        """Start a worker if there is none, and end one that exceeds its budget."""
        if self._worker is None:
            if time.monotonic() >= self._start_at:
                self._start_worker()
            return
        excess = self._worker.excess()
        if excess is not None:
            self._worker.end()
            self._handle_failure(excess)

    def _start_worker(self) -> None:
        try:
            self._worker = WorkerHandle(self._setup)
            self._counters.set("worker", self._worker.pid)
        except OSError as error:
            self._handle_failure(f"did not start: {error}")

    def _give_task(self) -> None:
        """Give an idle worker the next task."""
        tasks = self._recorded or self._tasks
        if self._worker is not None and self._worker.is_idle and tasks:
            try:
                task = tasks.popleft()
                keeps = task.is_recorded or self._writer.has_room
                self._worker.give(replace(task, keeps_mismatch=keeps))
            except WorkerEndedError as ended:
                self._handle_failure(str(ended))

    def _receive_result(self) -> None:
        """Receive a message of the worker."""
        assert self._worker is not None
        try:
            message = self._worker.receive()
        except WorkerEndedError as ended:
            self._handle_failure(str(ended))
            return
        if isinstance(message, TaskResult):
            self._handle_result(message)
        elif message:
            self._worker.end()
            self._handle_failure(f"did not start: {message}")
        else:
            self._worker.is_ready = True

    def _handle_result(self, result: TaskResult) -> None:
        assert self._worker is not None
        assert self._worker.task is not None
        # Before it counts as idle: a call that has just ended may still exceed the budget.
        excess = self._worker.excess()
        task, self._worker.task = self._worker.task, None
        if result.mismatch is not None:
            self._writer.add_mismatch(result.mismatch)
        if result.dropped:
            self._writer.drop_mismatch()
        observation = result.observation
        if excess is None:
            # Not after its first answer: to start a worker each second slows all processes down.
            if self._worker.age_seconds > SHADOW_RETRY_SECONDS_MAX:
                self._failures = 0
        else:
            self._worker.end()
            self._forget_worker()
            if task.background == "candidate" and observation.error is None:
                observation = replace(observation, error=excess)
        if not task.is_recorded:
            self._record(task, observation)

    def _handle_failure(self, reason: str) -> None:
        """Record the failure of a worker for its task; let a new one start after a while."""
        task = self._worker.task if self._worker is not None else None
        self._forget_worker()
        tasks = self._tasks or self._recorded
        if task is None and tasks:
            # For example of a worker that cannot start: that must not go unnoticed.
            task = tasks.popleft()
        if task is None:
            self._pending_error = reason
        else:
            self._attribute_failure(task, reason)
        self._skip_old()

    def _skip_old(self) -> None:
        """Skip calls that have waited too long, to make room for new ones."""
        oldest = time.monotonic() - SHADOW_WAIT_SECONDS
        while self._tasks and self._tasks[0].since < oldest:
            task = self._tasks.popleft()
            reason = "waited too long behind calls that failed"
            self._record(task, replace(task.observation, skipped=reason))

    def _forget_worker(self) -> None:
        """Forget a worker that has ended, and set when the next one starts."""
        self._worker = None
        seconds = SHADOW_RETRY_SECONDS * 2.0 ** min(self._failures, 30)
        self._start_at = time.monotonic() + min(seconds, SHADOW_RETRY_SECONDS_MAX)
        self._failures += 1

    def _attribute_failure(self, task: Task, reason: str) -> None:
        """Record a call whose side in the background failed or never ran."""
        observation = task.observation
        if task.is_recorded:
            # The worker failed while keeping the inputs; the call itself is recorded.
            self._writer.drop_mismatch()
            return
        if task.background == "control":
            observation = replace(observation, skipped=f"the control in the background: {reason}")
        else:
            observation = replace(observation, error=reason)
            self._record_mismatch(task, observation)
        self._record(task, observation)

    def _record_mismatch(self, task: Task, observation: Observation) -> None:
        """Let a worker make a mismatch of a recorded call: inputs are loaded only there."""
        if not is_mismatch(observation):
            return
        if not self._writer.has_room:
            self._writer.drop_mismatch()
            return
        recorded = replace(task, observation=observation, background=None, is_recorded=True)
        self._recorded.append(recorded)
        if len(self._recorded) > MISMATCHES_AT_ONCE:
            self._recorded.popleft()
            self._writer.drop_mismatch()

    def _record(self, task: Task, observation: Observation) -> None:
        self._counters.add("bytes_done", task.size)
        self._counters.add("tasks_done", 1)
        self._writer.add_observation(observation)

    def _end(self) -> None:
        """End the worker, and record the calls that are not done."""
        tasks = [*self._tasks, *self._recorded]
        if self._worker is not None:
            if self._worker.task is not None:
                tasks.insert(0, self._worker.task)
            self._worker.end()
        for task in tasks:
            if task.is_recorded:
                self._writer.drop_mismatch()
                continue
            skipped = replace(task.observation, skipped="the serving process ended first")
            self._record(task, skipped)
