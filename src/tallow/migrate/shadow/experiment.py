"""A function that runs twice: one side for the caller, the other one in the background.

`Experiment.__call__` asks the flag, copies the inputs, and lets the side answer that the flag
names; what the caller gets depends on nothing else. The copies go to the supervisor
(`supervisor_link.py`, `supervisor.py`), which lets a worker run the other side
(`worker_handle.py`, `worker.py`).
"""

from __future__ import annotations

import inspect
import os
import platform
import random
import time
import weakref
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, get_args

import tallow
from tallow.core.errors import ShadowError
from tallow.core.limits import SHADOW_CLOSE_SECONDS
from tallow.migrate.evidence import Decision, Judgement
from tallow.migrate.shadow.copying import Copier, DelayAllowance, TooLargeError
from tallow.migrate.shadow.deadline_threads import DeadlineThreads
from tallow.migrate.shadow.judging import judge_values
from tallow.migrate.shadow.messages import (
    IN_WORKER,
    Budget,
    CallRecord,
    ExperimentSetup,
    pickle_functions,
    preparation_data,
)
from tallow.migrate.shadow.outcome import (
    LATE,
    CallOutcome,
    error_text,
    failed_outcome,
    judge_exceptions,
)
from tallow.migrate.shadow.store import EvidenceStore
from tallow.migrate.shadow.supervisor_link import SupervisorLink

P = ParamSpec("P")
T = TypeVar("T")
_DECISIONS: tuple[Decision, ...] = get_args(Decision)


class Experiment(Generic[P, T]):
    """A function that answers as `control` does, and finds out whether `candidate` would, too.

    Call it instead of `control`. Both sides must leave their inputs as they are.

    Parameters
    ----------
    name
        The name of the experiment and of its flag.
    control, candidate
        The two functions. Defined at the top of a module, or objects that can be pickled: a worker
        process imports them. No coroutines.
    evidence
        Where observations and mismatches go; a path is opened as an `EvidenceStore`.
    decide
        What happens to calls with a key. ``off``: the control answers, and nothing else runs.
        ``shadow``: the control answers, and the candidate runs in the background. ``candidate``:
        the candidate answers, and the control runs in the background; it answers instead if the
        candidate fails or is late. Always ``shadow`` by default. If `decide` fails, the control
        answers, and that counts as an error.
    key
        Returns the key of a call, such as its instrument, from its arguments; "" by default.
    judge
        Compares two answers: ``judge(control_answer, candidate_answer, *args, **kwargs)``, in the
        worker. By default `judge_values`; for frames of bars `tallow.migrate.compare.judge`.
    newest
        Returns the time of the newest data in an answer, for its staleness; in the worker.
    sample
        Share of calls, drawn at random, that are compared; all are counted.
    budget
        The resources that the candidate may use.
    versions
        Of both sides, kept with every mismatch: ``{"control": "2.3", "candidate": "3.0"}``.
    revision
        Returns the revision of the data of a call from its arguments; kept with every mismatch.

    Raises
    ------
    ShadowError
        If another process cannot run a function, or a number is out of range.
    EvidenceError
        If the evidence cannot be written.

    Notes
    -----
    After a fork each process has its own worker, started by its first call. In a worker and its
    children an experiment runs its control only.

    Examples
    --------
    At the top of a module::

        prices = Experiment("prices", old_prices, new_prices, evidence="evidence.sqlite")
    """

    def __init__(
        self,
        name: str,
        control: Callable[P, T],
        candidate: Callable[P, T],
        *,
        evidence: EvidenceStore | str | Path,
        decide: Callable[[str], Decision] | None = None,
        key: Callable[P, str] | None = None,
        judge: Callable[..., Judgement] | None = None,
        newest: Callable[[T], datetime | None] | None = None,
        sample: float = 1.0,
        budget: Budget | None = None,
        versions: Mapping[str, str] | None = None,
        revision: Callable[P, object] | None = None,
    ) -> None:
        for side in (control, candidate):
            if inspect.iscoroutinefunction(side):
                raise ShadowError(f"shadow: function={side!r}; must be no coroutine function")
        if not 0.0 <= sample <= 1.0:
            raise ShadowError(f"shadow: sample={sample!r}; must be 0..1")
        if not isinstance(evidence, EvidenceStore):
            evidence = EvidenceStore(evidence)
        self.name, self.evidence = name, evidence
        self._control, self._decide, self._key = control, decide, key
        self._sample, self._revision = sample, revision
        self._budget = budget or Budget()
        self._allowance = DelayAllowance()
        self._threads = DeadlineThreads(candidate, self._budget.deadline_seconds)
        self._is_off = IN_WORKER in os.environ
        functions = pickle_functions((control, candidate, judge or judge_values, newest))
        setup = ExperimentSetup(
            experiment=name,
            evidence=str(self.evidence.path),
            functions=functions,
            preparation=preparation_data(functions),
            budget=self._budget,
            versions={
                "tallow": tallow.__version__,
                "python": platform.python_version(),
                **(versions or {}),
            },
        )
        self._link = SupervisorLink(setup)
        # Also when the interpreter exits or the experiment is deleted.
        self._finalizer = weakref.finalize(self, self._link.close)
        _EXPERIMENTS.add(self)
        if not self._is_off:
            self._link.start()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Answer a call."""
        decision, key, problem = self._decide_call(args, kwargs)
        if decision == "off" and problem is None:
            return self._control(*args, **kwargs)
        call = CallRecord(datetime.now(UTC), key, "control", error=problem)
        copier = Copier(self._budget.call_bytes)
        if problem is None and random.random() < self._sample:
            self._copy_inputs(call, copier, args, kwargs)
        if decision != "candidate":
            return self._call_control(call, copier, args, kwargs)
        began = time.perf_counter()
        outcome = self._threads.call(args, kwargs)
        if outcome.raised is not None:
            if outcome.raised == LATE:
                call.candidate_ms = 1e3 * self._budget.deadline_seconds
            return self._call_control(call, copier, args, kwargs, outcome)
        seconds = time.perf_counter() - began
        call.served, call.background, call.candidate_ms = "candidate", "control", 1e3 * seconds
        self._send(call, copier, outcome, seconds)
        answer: T = outcome.value
        return answer

    @property
    def lost(self) -> int:
        """Observations of this process that could not be written."""
        return self._link.lost

    def flush(self, seconds: float = SHADOW_CLOSE_SECONDS) -> bool:
        """Wait until the calls so far are compared and written; return whether they are."""
        return self._link.flush(seconds)

    def close(self) -> None:
        """End the worker after its queued tasks; from now on, only the control runs.

        Tasks that are not done within `SHADOW_CLOSE_SECONDS` count as skipped.
        """
        self._is_off = True
        self._finalizer()

    def __enter__(self) -> Experiment[P, T]:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _decide_call(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[Decision, str, str | None]:
        """Return the decision and the key of a call, and what is wrong with them."""
        key = ""
        if self._is_off:
            return "off", key, None
        try:
            if self._key is not None:
                key = str(self._key(*args, **kwargs))
            decision: Decision = "shadow" if self._decide is None else self._decide(key)
        except Exception as error:  # noqa: BLE001 - a flag must not cost the caller the answer
            return "off", key, f"decide: {error_text(error)}"
        if decision not in _DECISIONS:
            names = ", ".join(_DECISIONS)
            return "off", key, f"decide: decision={decision!r}; must be one of {names}"
        return decision, key, None

    def _call_control(
        self,
        call: CallRecord,
        copier: Copier,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        candidate: CallOutcome | None = None,
    ) -> T:
        """Answer by the control; `candidate` is the candidate's outcome if it was tried before."""
        began = time.perf_counter()
        try:
            answer = self._control(*args, **kwargs)
        except Exception as error:
            self._set_next(call, failed_outcome(error), candidate)
            self._send(call, copier, failed_outcome(error), time.perf_counter() - began)
            raise
        except BaseException:
            # The program is ending, or a caller gave up: neither side is responsible.
            if call.inputs is not None:
                self._link.release()
            raise
        seconds = time.perf_counter() - began
        call.control_ms = 1e3 * seconds
        outcome = CallOutcome(answer)
        self._set_next(call, outcome, candidate)
        self._send(call, copier, outcome, seconds)
        return answer

    def _set_next(
        self, call: CallRecord, control: CallOutcome, candidate: CallOutcome | None
    ) -> None:
        """Let the candidate run in the background, or judge its outcome if there is one."""
        if candidate is None:
            call.background = "candidate"
        else:
            call.error, call.judgement = judge_exceptions(control, candidate)

    def _copy_inputs(
        self, call: CallRecord, copier: Copier, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        """Reserve room in the queue and copy the inputs, or note why not."""
        if self._allowance.is_spent:
            call.skipped = "copies take longer than a shadow may delay a call"
        elif not self._link.reserve():
            call.skipped = "the queue is full"
        else:
            try:
                call.inputs = copier.copy((args, kwargs), (*args, *kwargs.values()))
                if self._revision is not None:
                    call.revision = str(self._revision(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 - anything that cannot be copied
                self._skip(call, "inputs", error)

    def _send(
        self, call: CallRecord, copier: Copier, served: CallOutcome, call_seconds: float
    ) -> None:
        """Send what is known of a call, with the copies if it is to be compared."""
        try:
            if call.inputs is not None:
                self._copy_answer(call, copier, served)
                self._allowance.spend(copier.seconds, call_seconds)
            self._link.put(call)
        except Exception:  # noqa: BLE001 - nothing here may cost the caller the answer
            self._link.count_lost()

    def _copy_answer(self, call: CallRecord, copier: Copier, served: CallOutcome) -> None:
        try:
            fields = (served.value, served.raised, served.error)
            call.answer = copier.copy(fields, (served.value,))
        except Exception as error:  # noqa: BLE001 - anything that cannot be copied
            self._skip(call, "answer", error)

    def _skip(self, call: CallRecord, what: str, error: Exception) -> None:
        """Note what cannot be copied, and release the room in the queue."""
        self._link.release()
        call.inputs = None
        if isinstance(error, TooLargeError):
            most = f"{self._budget.call_bytes:,}"
            call.skipped = f"inputs and answer take more than {most} bytes"
        else:
            call.skipped = f"{what} cannot be copied: {error_text(error)}"


_EXPERIMENTS: weakref.WeakSet[Experiment[Any, Any]] = weakref.WeakSet()


def _forget_all_threads() -> None:
    """In a forked child, which has none of the parent's threads."""
    for experiment in _EXPERIMENTS:
        experiment._threads.reset()


os.register_at_fork(after_in_child=_forget_all_threads)
