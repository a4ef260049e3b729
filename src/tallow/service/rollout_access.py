"""A rollout for whoever asks over HTTP: where it stands, what was seen of it, and its actions."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tallow.core.errors import RolloutError, TallowError
from tallow.migrate.evidence import Observation
from tallow.migrate.rollout import Rollout, RolloutPlan, read_plan, revert
from tallow.migrate.rollout.audit import AuditLog
from tallow.migrate.rollout.journal import ActionRequest, Journal, RepeatedActionError
from tallow.migrate.rollout.plan import Places, read_paths
from tallow.migrate.rollout.rollout import who_am_i
from tallow.migrate.rollout.state import RolloutState, apply_entry
from tallow.migrate.rollout.status import entry_facts, read_status, stage_facts, state_facts
from tallow.migrate.shadow import EvidenceStore
from tallow.service.errors import BusyError, KeyReusedError, NoRolloutError
from tallow.service.limits import ROLLOUT_ACTIONS_WAITING_MAX

Action = Literal["start", "advance", "pause", "resume", "revert"]

_INSTEAD = {
    "paused": "resume goes on with this one",
    "complete": "there is nothing left to do",
    "reverted": "advance begins anew with the first stage",
}
"""What to do with a rollout that start leaves as it is."""


class ActionAnswer(NamedTuple):
    """What an action is answered by, and whether it had been done before."""

    facts: dict[str, Any]
    is_kept: bool = False


class RolloutAccess:
    """Reads and leads the rollout whose plan the service was told of.

    `status` and `evidence` are for any thread, and may take as long as a disk does.
    """

    def __init__(self, plan: Path | None) -> None:
        self._path = plan
        self._lock = threading.Lock()
        self._journal: Journal | None = None
        # Of its own: a revert does not wait for readers, and each action for the one before.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rollout")
        self._waiting = 0

    def status(self) -> dict[str, Any]:
        """Return the state, stages with their gates, and the newest lines of the log.

        Raises
        ------
        NoRolloutError
            Here and in the others, if the service was told of no plan.
        RolloutError
            If plan or log cannot be read.
        """
        plan = read_plan(self._plan_path())
        with self._lock:
            journal = self._journal_of(plan.paths)
            status = read_status(plan, journal)
            recent, acts = list(journal.recent), list(journal.acts)
        problems = list(status.problems)
        if status.is_unwatched:
            problems.append("no controller watches it; tallow rollout run does")
        analyses = [each for each in recent if each.what == "analysis"]
        return state_facts(plan, status.state) | {
            "controller": status.controller,
            "problems": problems,
            "stages": [stage_facts(stage) for stage in plan.stages],
            "analyses": entry_facts(analyses),
            "log": entry_facts(acts),
        }

    def phase(self) -> tuple[str, str] | None:
        """Return the phase, and why it is in that; None where there is no plan.

        `RolloutError` if plan or log cannot be read.
        """
        if self._path is None:
            return None
        paths = read_paths(self._path)
        with self._lock:
            state = self._journal_of(paths).refresh()
        return state.phase, state.reason

    def evidence(self, hours: float, limit: int) -> dict[str, Any]:
        """Return the totals of the last hours, and the calls that differ most.

        `EvidenceError` if the file cannot be read.
        """
        paths, until = read_paths(self._plan_path()), datetime.now(UTC)
        since = until - timedelta(hours=hours)
        span = {"since": since.isoformat(), "until": until.isoformat()}
        said: dict[str, Any] = {"experiment": paths.experiment, **span}
        # To open it would make it.
        if not paths.evidence.exists():
            return said | {"totals": None, "dropped": {}, "worst": []}
        store = EvidenceStore(paths.evidence)
        try:
            totals = store.totals(paths.experiment, since, until)
            worst = store.worst(paths.experiment, since, until, limit)
            dropped = store.dropped(paths.experiment)
        finally:
            store.close()
        calls = [_call_facts(each) for each in worst]
        return said | {"totals": asdict(totals), "dropped": dropped, "worst": calls}

    async def act(
        self, action: Action, reason: str, caller: str, request: ActionRequest | None
    ) -> ActionAnswer:
        """Do what a person decided, and return the state after it.

        Parameters
        ----------
        caller
            Whose key it is; empty where no keys are asked for.
        request
            What is done once; a revert is done again, which changes nothing.

        Raises
        ------
        BusyError
            If too many actions wait.
        KeyReusedError
            If the request was done, and asked for something else.
        TallowError
            As `tallow.migrate.rollout.Rollout` and `revert`.
        """
        path = self._plan_path()
        if self._waiting >= ROLLOUT_ACTIONS_WAITING_MAX:
            raise BusyError(f"rollout: {self._waiting} actions wait; send it again in a second")
        who = f"key {caller}" if caller else who_am_i()
        self._waiting += 1
        loop = asyncio.get_running_loop()
        done = loop.run_in_executor(self._thread, _act, path, action, reason, who, request)
        done.add_done_callback(self._on_done)
        # Not where its client has gone: what began is done.
        return await asyncio.shield(done)

    def close(self) -> None:
        """Wait for the actions that were taken in."""
        self._thread.shutdown()

    def _on_done(self, _done: asyncio.Future[ActionAnswer]) -> None:
        self._waiting -= 1

    def _journal_of(self, paths: Places) -> Journal:
        journal = self._journal
        if journal is None or journal.paths != paths or journal.log.problem is not None:
            # A damaged log may have been moved away, and begun anew.
            journal = self._journal = Journal(paths, "")
        return journal

    def _plan_path(self) -> Path:
        if self._path is None:
            raise NoRolloutError(
                "rollout: this service has no plan; one must be in its settings; name it in the "
                "setting rollout"
            )
        return self._path


def _act(
    path: Path, action: Action, reason: str, who: str, request: ActionRequest | None
) -> ActionAnswer:
    if action == "revert":
        return _revert(path, reason, who)
    plan = read_plan(path)
    rollout = Rollout(plan, who, request=request)
    try:
        state = getattr(rollout, action)(reason)
    except RepeatedActionError:
        assert request is not None
        return ActionAnswer(_kept(plan, request), is_kept=True)
    if action == "start" and state.phase in _INSTEAD:
        raise RolloutError(
            f"start: the rollout is {state.phase}, at stage {state.stage}; only one that has not "
            f"begun starts; {_INSTEAD[state.phase]}"
        )
    return ActionAnswer(state_facts(plan, state) | {"problems": []})


def _revert(path: Path, reason: str, who: str) -> ActionAnswer:
    """Turn the candidate off, whatever else is wrong: with the plan, or the log."""
    paths = read_paths(path)
    problems = revert(paths, reason, who)
    off: dict[str, Any] = {"experiment": paths.experiment, "phase": "reverted", "stage": "off"}
    try:
        plan = read_plan(path)
        off = state_facts(plan, Journal(paths, who).refresh())
    except TallowError as error:
        problems = list(dict.fromkeys([*problems, str(error)]))
    return ActionAnswer(off | {"problems": problems})


def _kept(plan: RolloutPlan, request: ActionRequest) -> dict[str, Any]:
    """Return what the action of a request was answered by, of the log that it is in."""
    entries = AuditLog(plan.paths.log).read()
    requests = [each.facts.get("request") for each in entries]
    # The last one: a key may be used again after a day.
    last = max(at for at, each in enumerate(requests) if each and each["name"] == request.name)
    found = requests[last]
    assert found is not None
    if found["digest"] != request.digest:
        raise KeyReusedError(
            "Idempotency-Key: was sent with another request; a key stands for one; take a new one"
        )
    done = entries[: last + 1]
    done += [each for each in entries[last + 1 : last + 2] if each.what == "applied"]
    state = reduce(apply_entry, done, RolloutState())
    return state_facts(plan, state) | {"problems": []}


def _call_facts(one: Observation) -> dict[str, Any]:
    judgement = None if one.judgement is None else asdict(one.judgement)
    return {
        "at": one.at.isoformat(),
        "key": one.key,
        "served": one.served,
        "error": one.error,
        "judgement": judgement,
    }
