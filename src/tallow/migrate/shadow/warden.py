"""The process between a serving process and the worker: it watches, and writes the evidence.

One thread, one loop: whoever speaks is heard, the worker is looked at, the next job is handed over,
what is due is written. Nothing of the user's is imported here, so nothing of theirs can stop it.
It ends with the serving process, whatever that ends of, and takes the worker along.
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
from tallow.migrate.shadow.handle import Job, Worker, WorkerEndedError
from tallow.migrate.shadow.messages import (
    Call,
    Finding,
    Payload,
    Progress,
    Setup,
    give_way,
    receive_calls,
)
from tallow.migrate.shadow.outcome import disagrees
from tallow.migrate.shadow.pipe import Inlet
from tallow.migrate.shadow.writer import Writer


def main(descriptors: list[int]) -> None:
    """Be a warden; the serving process is at the other end."""
    # It may wait its turn, but must get one: the worker below it is idle work.
    give_way("SCHED_BATCH")
    calls = Inlet(descriptors[0])
    with contextlib.suppress(EOFError), os.fdopen(descriptors[1], "r+b") as shared:
        setup: Setup = pickle.loads(calls.message())
        Warden(setup, calls, Progress(shared)).run()


class Warden:
    """Watches over the worker of one experiment in one serving process."""

    def __init__(self, setup: Setup, calls: Inlet, progress: Progress) -> None:
        self._setup, self._calls, self._progress = setup, calls, progress
        self._writer = Writer(setup.evidence, setup.experiment, progress)
        self._jobs: deque[Job] = deque()
        self._retold: deque[Job] = deque()
        self._worker: Worker | None = None
        self._failures = 0
        self._unblamed: str | None = None
        self._start_at = 0.0
        self._is_open = True
        self._end_at = 0.0

    def run(self) -> None:
        """Work until the serving process is gone and everything of it is done."""
        try:
            while self._is_open or (self._is_busy and time.monotonic() < self._end_at):
                self._watch()
                self._hand_over()
                self._hear()
                self._writer.write_if_due()
                # A turn once had is kept, even by the lowest priority, unless it is given away.
                os.sched_yield()
        finally:
            self._give_up()
            self._writer.close()

    @property
    def _is_busy(self) -> bool:
        return bool(self._jobs or self._retold) or (
            self._worker is not None and self._worker.job is not None
        )

    def _hear(self) -> None:
        """Wait for somebody to speak, no longer than until something else is to be done."""
        calls = self._calls.descriptor
        sources: list[int | Connection] = [calls] if self._is_open else []
        if self._worker is not None:
            sources.append(self._worker.connection)
        for source in wait(sources, self._patience()):
            if source == calls:
                self._receive()
            else:
                self._listen()

    def _patience(self) -> float | None:
        waits = [self._writer.patience()]
        if self._worker is None:
            waits.append(max(0.0, self._start_at - time.monotonic()))
        elif not self._worker.is_idle:
            waits.append(SHADOW_WATCH_SECONDS)
        if not self._is_open:
            waits.append(SHADOW_WATCH_SECONDS)
        return min((seconds for seconds in waits if seconds is not None), default=None)

    def _receive(self) -> None:
        """Take a message of the serving process."""
        try:
            calls = receive_calls(self._calls)
        except (EOFError, OSError):
            # It was killed: nobody waits for what it had asked.
            self._is_open = False
            return
        if calls is None:
            self._is_open, self._end_at = False, time.monotonic() + SHADOW_CLOSE_SECONDS
            return
        for call in calls:
            self._take(call)
            os.sched_yield()

    def _take(self, call: Call) -> None:
        task = call.task(self._setup.experiment)
        if call.inputs is None or call.answer is None:
            self._writer.note(task.observation)
            return
        job = Job(task, Payload(call.inputs, call.answer))
        if task.aside is None:
            # All is known: it must not wait behind work that may hang.
            self._done(job, task.observation)
            self._retell(job, task.observation)
        elif self._unblamed is not None:
            reason, self._unblamed = self._unblamed, None
            self._blame(job, reason)
        else:
            self._jobs.append(job)

    def _watch(self) -> None:
        """See to it that there is a worker, and that it keeps to its budget."""
        if self._worker is None:
            if time.monotonic() >= self._start_at:
                self._start()
            return
        excess = self._worker.excess()
        if excess is not None:
            self._worker.end()
            self._failed(excess)

    def _start(self) -> None:
        try:
            self._worker = Worker(self._setup)
            self._progress.tell("worker", self._worker.pid)
        except OSError as error:
            self._failed(f"did not start: {error}")

    def _hand_over(self) -> None:
        """Give an idle worker the next job."""
        jobs = self._retold or self._jobs
        if self._worker is not None and self._worker.is_idle and jobs:
            try:
                job = jobs.popleft()
                keeps = job.is_retold or self._writer.has_room
                self._worker.give(replace(job, task=replace(job.task, keeps=keeps)))
            except WorkerEndedError as ended:
                self._failed(str(ended))

    def _listen(self) -> None:
        """Take a message of the worker."""
        assert self._worker is not None
        try:
            said = self._worker.listen()
        except WorkerEndedError as ended:
            self._failed(str(ended))
            return
        if isinstance(said, Finding):
            self._found(said)
        elif said:
            self._worker.end()
            self._failed(f"did not start: {said}")
        else:
            self._worker.is_ready = True

    def _found(self, finding: Finding) -> None:
        assert self._worker is not None
        assert self._worker.job is not None
        # Before it counts as idle: a call that ended beyond the budget is beyond it too.
        excess = self._worker.excess()
        job, self._worker.job = self._worker.job, None
        if finding.mismatch is not None:
            self._writer.keep(finding.mismatch)
        if finding.dropped:
            self._writer.drop()
        observation = finding.observation
        if excess is None:
            # Not at its first answer: to start one each second takes memory's bandwidth from all.
            if self._worker.age_seconds > SHADOW_RETRY_SECONDS_MAX:
                self._failures = 0
        else:
            self._worker.end()
            self._dismiss()
            if job.task.aside == "candidate" and observation.error is None:
                observation = replace(observation, error=excess)
        if not job.is_retold:
            self._done(job, observation)

    def _failed(self, reason: str) -> None:
        """Write down what became of the job at hand; start a new worker after a while."""
        job = self._worker.job if self._worker is not None else None
        self._dismiss()
        jobs = self._jobs or self._retold
        if job is None and jobs:
            # A worker that cannot start, say: it must not stay unseen.
            job = jobs.popleft()
        if job is None:
            self._unblamed = reason
        else:
            self._blame(job, reason)
        self._skip_old()

    def _skip_old(self) -> None:
        """Make room for calls of now."""
        oldest = time.monotonic() - SHADOW_WAIT_SECONDS
        while self._jobs and self._jobs[0].since < oldest:
            job = self._jobs.popleft()
            reason = "waited too long behind calls that failed"
            self._done(job, replace(job.task.observation, skipped=reason))

    def _dismiss(self) -> None:
        """Let go of a worker that has ended."""
        self._worker = None
        seconds = SHADOW_RETRY_SECONDS * 2.0 ** min(self._failures, 30)
        self._start_at = time.monotonic() + min(seconds, SHADOW_RETRY_SECONDS_MAX)
        self._failures += 1

    def _blame(self, job: Job, reason: str) -> None:
        """Note a call whose side aside ended, or never ran."""
        observation = job.task.observation
        if job.is_retold:
            # It ended over keeping the inputs; the call itself is known.
            self._writer.drop()
            return
        if job.task.aside == "control":
            observation = replace(observation, skipped=f"the control aside: {reason}")
        else:
            observation = replace(observation, error=reason)
            self._retell(job, observation)
        self._done(job, observation)

    def _retell(self, job: Job, observation: Observation) -> None:
        """Let a worker make a mismatch of a call that is told: only there its inputs are loaded."""
        if not disagrees(observation):
            return
        if not self._writer.has_room:
            self._writer.drop()
            return
        task = replace(job.task, observation=observation, aside=None)
        self._retold.append(Job(task, job.payload, is_retold=True))
        if len(self._retold) > MISMATCHES_AT_ONCE:
            self._retold.popleft()
            self._writer.drop()

    def _done(self, job: Job, observation: Observation) -> None:
        self._progress.add("bytes_done", job.payload.size)
        self._progress.add("tasks_done", 1)
        self._writer.note(observation)

    def _give_up(self) -> None:
        """End the worker, and note what was not done."""
        jobs = [*self._jobs, *self._retold]
        if self._worker is not None:
            if self._worker.job is not None:
                jobs.insert(0, self._worker.job)
            self._worker.end()
        for job in jobs:
            if job.is_retold:
                self._writer.drop()
                continue
            skipped = replace(job.task.observation, skipped="the serving process ended first")
            self._done(job, skipped)
