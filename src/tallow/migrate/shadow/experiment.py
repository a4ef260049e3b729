"""A call that is made twice: the old way for the caller, the new way aside; or the other way round.

The way of a call: `Experiment.__call__` asks the flag, copies the inputs, and lets the side answer
whose turn it is. What the caller gets depends on nothing else. The copies go to the warden
(`link.py`, `warden.py`), which has the other side run by a worker (`worker.py`).
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
from types import TracebackType
from typing import Any, Generic, Literal, ParamSpec, TypeVar

import tallow
from tallow.core.errors import ShadowError
from tallow.core.limits import SHADOW_CLOSE_SECONDS
from tallow.migrate.evidence import Judgement
from tallow.migrate.shadow.copying import Allowance, Copier, TooLargeError
from tallow.migrate.shadow.judging import judge_values
from tallow.migrate.shadow.lanes import Lanes
from tallow.migrate.shadow.link import Link
from tallow.migrate.shadow.messages import (
    ASIDE,
    Budget,
    Call,
    Setup,
    pickled_functions,
    place_of,
)
from tallow.migrate.shadow.outcome import LATE, Outcome, error_text, failed, weigh
from tallow.migrate.shadow.store import EvidenceStore

P = ParamSpec("P")
T = TypeVar("T")
Stage = Literal["off", "shadow", "candidate"]
_STAGES = ("off", "shadow", "candidate")


class Experiment(Generic[P, T]):
    """A function that answers as `control` does, and finds out whether `candidate` would.

    Call it in the place of `control`. Both sides must leave their inputs as they are.

    Parameters
    ----------
    name
        The experiment's, and the flag's.
    control, candidate
        The two ways. Defined at the top of a module, or objects that can be pickled: a worker
        process imports them. No coroutines.
    evidence
        Where observations and mismatches go; a path is opened as an `EvidenceStore`.
    decide
        What happens to calls with a key. ``off``: the control, and nothing else. ``shadow``: the
        control's answer, and the candidate aside. ``candidate``: the candidate's answer, or the
        control's where it fails or is late, and the control aside. Always ``shadow`` by default.
        Where it fails, the control answers, and that is an error.
    key
        Returns what a call is about, the instrument, from its arguments; "" by default.
    judge
        Compares two answers: ``judge(control_answer, candidate_answer, *args, **kwargs)``, in the
        worker. By default `judge_values`; for frames of bars `tallow.migrate.compare.judge`.
    newest
        Returns the time of the newest data in an answer, for its staleness; in the worker.
    sample
        Share of calls, drawn at random, that are compared; all are counted.
    budget
        What the candidate may take.
    versions
        Of both sides, kept beside every mismatch: ``{"control": "2.3", "candidate": "3.0"}``.
    revision
        Returns the revision of the data that a call sees, from its arguments; kept likewise.

    Raises
    ------
    ShadowError
        If a function cannot be run by another process, or a number is out of range.
    EvidenceError
        If the evidence cannot be written.

    Notes
    -----
    After a fork each process has its own worker, started by its first call. In a worker and in its
    children an experiment is its control.

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
        decide: Callable[[str], Stage] | None = None,
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
        self.name, self.evidence = name, _opened(evidence)
        self._control, self._decide, self._key = control, decide, key
        self._sample, self._revision = sample, revision
        self._budget = budget or Budget()
        self._allowance = Allowance()
        self._lanes = Lanes(candidate, self._budget.deadline_seconds)
        self._is_aside = ASIDE in os.environ
        functions = pickled_functions((control, candidate, judge or judge_values, newest))
        setup = Setup(
            experiment=name,
            evidence=str(self.evidence.path),
            functions=functions,
            place=place_of(functions),
            budget=self._budget,
            versions={
                "tallow": tallow.__version__,
                "python": platform.python_version(),
                **(versions or {}),
            },
        )
        self._link = Link(setup)
        # Also at the interpreter's end, and where the experiment is dropped.
        self._finalizer = weakref.finalize(self, self._link.close)
        _EXPERIMENTS.add(self)
        if not self._is_aside:
            self._link.start()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Answer a call."""
        stage, key, problem = self._staged(args, kwargs)
        if stage == "off" and problem is None:
            return self._control(*args, **kwargs)
        call = Call(key, datetime.now(UTC), "control", error=problem)
        copier = Copier(self._budget.call_bytes)
        if problem is None and random.random() < self._sample:
            self._copy_inputs(call, copier, args, kwargs)
        if stage != "candidate":
            return self._by_control(call, copier, args, kwargs)
        began = time.perf_counter()
        outcome = self._lanes.call(args, kwargs)
        if outcome.raised is not None:
            if outcome.raised == LATE:
                call.candidate_ms = 1e3 * self._budget.deadline_seconds
            return self._by_control(call, copier, args, kwargs, outcome)
        seconds = time.perf_counter() - began
        call.served, call.aside, call.candidate_ms = "candidate", "control", 1e3 * seconds
        self._observe(call, copier, outcome, seconds)
        answer: T = outcome.value
        return answer

    @property
    def lost(self) -> int:
        """Observations of this process that could not be written, for want of room or of a disk."""
        return self._link.lost

    def flush(self, seconds: float = SHADOW_CLOSE_SECONDS) -> bool:
        """Wait until the calls made so far are compared and written; say whether they are."""
        return self._link.flush(seconds)

    def close(self) -> None:
        """End the worker after what waits for it; calls are answered by the control from now on.

        What is not done within `SHADOW_CLOSE_SECONDS` is counted as skipped.
        """
        self._is_aside = True
        self._finalizer()

    def __enter__(self) -> Experiment[P, T]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _staged(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[Stage, str, str | None]:
        """Return the stage and the key of a call, and what is wrong with them."""
        key = ""
        if self._is_aside:
            return "off", key, None
        try:
            if self._key is not None:
                key = str(self._key(*args, **kwargs))
            stage = "shadow" if self._decide is None else self._decide(key)
        except Exception as error:  # noqa: BLE001 - a flag must not cost the caller the answer
            return "off", key, f"decide: {error_text(error)}"
        if stage not in _STAGES:
            return "off", key, f"decide: stage={stage!r}; must be one of {', '.join(_STAGES)}"
        return stage, key, None

    def _by_control(
        self,
        call: Call,
        copier: Copier,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        candidate: Outcome | None = None,
    ) -> T:
        """Answer by the control; `candidate` is what became of its try, where it had one."""
        began = time.perf_counter()
        try:
            answer = self._control(*args, **kwargs)
        except Exception as error:
            self._conclude(call, failed(error), candidate)
            self._observe(call, copier, failed(error), time.perf_counter() - began)
            raise
        except BaseException:
            # The program is ending, or a caller gave up: that says nothing about either side.
            if call.inputs is not None:
                self._link.release()
            raise
        seconds = time.perf_counter() - began
        call.control_ms = 1e3 * seconds
        outcome = Outcome(answer)
        self._conclude(call, outcome, candidate)
        self._observe(call, copier, outcome, seconds)
        return answer

    def _conclude(self, call: Call, control: Outcome, candidate: Outcome | None) -> None:
        """Let the candidate run aside, or note what became of it already, beside the control."""
        if candidate is None:
            call.aside = "candidate"
        else:
            call.error, call.judgement = weigh(control, candidate)

    def _copy_inputs(
        self, call: Call, copier: Copier, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        """Take a place in the queue and copy the inputs, or note why not."""
        if self._allowance.is_spent:
            call.skipped = "copies take longer than a shadow may delay a call"
        elif not self._link.reserve():
            call.skipped = "the queue is full"
        else:
            try:
                call.inputs = copier.copy((args, kwargs), (*args, *kwargs.values()))
                if self._revision is not None:
                    call.revision = str(self._revision(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 - whatever cannot be copied
                self._give_back(call, "inputs", error)

    def _observe(self, call: Call, copier: Copier, served: Outcome, call_seconds: float) -> None:
        """Send what is known of a call, with the copies where it is to be compared."""
        try:
            if call.inputs is not None:
                self._copy_answer(call, copier, served)
                self._allowance.spend(copier.seconds, call_seconds)
            self._link.put(call)
        except Exception:  # noqa: BLE001 - the answer is there: nothing here may take it away
            self._link.lose()

    def _copy_answer(self, call: Call, copier: Copier, served: Outcome) -> None:
        try:
            fields = (served.value, served.raised, served.error)
            call.answer = copier.copy(fields, (served.value,))
        except Exception as error:  # noqa: BLE001 - whatever cannot be copied
            self._give_back(call, "answer", error)

    def _give_back(self, call: Call, what: str, error: Exception) -> None:
        """Note what cannot be copied, and leave the queue."""
        self._link.release()
        call.inputs = None
        if isinstance(error, TooLargeError):
            most = f"{self._budget.call_bytes:,}"
            call.skipped = f"inputs and answer take more than {most} bytes"
        else:
            call.skipped = f"{what} cannot be copied: {error_text(error)}"

    def _forget(self) -> None:
        """In a forked child: threads of the parent are not here."""
        self._lanes.reset()


def _opened(evidence: EvidenceStore | str | Path) -> EvidenceStore:
    return evidence if isinstance(evidence, EvidenceStore) else EvidenceStore(evidence)


_EXPERIMENTS: weakref.WeakSet[Experiment[Any, Any]] = weakref.WeakSet()


def _forget_all() -> None:
    for experiment in _EXPERIMENTS:
        experiment._forget()


os.register_at_fork(after_in_child=_forget_all)
