"""The actions of people on a rollout, all of which are logged."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable
from datetime import UTC, datetime

from tallow.core.errors import DamagedLogError, RolloutError
from tallow.migrate.rollout.journal import ActionRequest, Journal
from tallow.migrate.rollout.plan import Places, RolloutPlan
from tallow.migrate.rollout.state import RolloutState

UtcClock = Callable[[], datetime]


def now_utc() -> datetime:
    """Return the time of the system's clock."""
    return datetime.now(UTC)


def who_am_i() -> str:
    """Return ``user@host``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


class Rollout:
    """The actions of a person on a rollout; a running controller notices them at its next step.

    `who` is the name written in the log; `clock` returns times in UTC; what a `request` asks for is
    done once. Each method raises a `RolloutError` if the log is damaged, a file cannot be read or
    written, or the stage is not in the plan; a `RepeatedActionError` if the request was done.
    """

    def __init__(
        self,
        plan: RolloutPlan,
        who: str | None = None,
        clock: UtcClock = now_utc,
        request: ActionRequest | None = None,
    ) -> None:
        self._plan, self._clock = plan, clock
        self._journal = Journal(plan.paths, who or who_am_i(), request)

    def state(self) -> RolloutState:
        """Return the rollout's state."""
        return self._journal.refresh()

    def start(self, reason: str = "") -> RolloutState:
        """Begin with the first stage after off; a rollout that has begun keeps its stage."""
        now = self._clock()
        with self._journal.locked(now) as state:
            self._plan.stage(state.stage)
            if state.plan != self._plan.digest:
                facts = {"plan": self._plan.digest, "path": str(self._plan.paths.path)}
                self._journal.add("plan", now, facts)
            is_new = state.phase == "new"
            return self._enter("start", now, reason or "begun") if is_new else self._journal.state

    def advance(self, reason: str = "") -> RolloutState:
        """Go to the next stage at once, without an analysis; `RolloutError` if there is none."""
        now = self._clock()
        with self._journal.locked(now):
            return self._enter("advance", now, reason or "by hand")

    def pause(self, reason: str = "") -> RolloutState:
        """Stay at this stage until a person decides otherwise; a failure still turns it off.

        `RolloutError` if the rollout is not running.
        """
        now = self._clock()
        with self._journal.locked(now) as state:
            _require_phase("pause", state, "running")
            return self._add("pause", now, reason)

    def resume(self, reason: str = "") -> RolloutState:
        """Continue after a pause; tolerated failures and inconclusive analyses count from 0 again.

        `RolloutError` if the rollout is not paused, or the flag was edited.
        """
        now = self._clock()
        with self._journal.locked(now) as state:
            _require_phase("resume", state, "paused")
            stage = self._plan.stage(state.stage)
            if state.setting != stage.setting:
                raise RolloutError(
                    f"resume: the flag is not set to what stage {stage.name} says; it was edited: "
                    "set it back by hand, or advance, or revert"
                )
            return self._add("resume", now, reason)

    def _add(self, what: str, now: datetime, reason: str) -> RolloutState:
        return self._journal.add(what, now, self._journal.reason_facts(reason or "by hand"))

    def _enter(self, what: str, now: datetime, reason: str) -> RolloutState:
        after = self._plan.after(self._journal.state.stage)
        if after is None:
            raise RolloutError("advance: this is the last stage; there is none after it")
        return self._journal.change(what, now, after.name, after.setting, reason)


def _require_phase(what: str, state: RolloutState, phase: str) -> None:
    if state.phase != phase:
        raise RolloutError(f"{what}: the rollout is {state.phase}; only a {phase} one {what}s")


def revert(
    paths: Places, reason: str = "", who: str | None = None, clock: UtcClock = now_utc
) -> list[str]:
    """Turn the candidate off for every instrument, at once; return other problems.

    Needs only the flag file; `FlagError` if that cannot be written in any way. Other problems (a
    damaged log, a full disk, a lock that another process holds too long, a flag file that cannot be
    read) are returned.
    """
    journal, now = Journal(paths, who or who_am_i()), clock()
    text = reason or "by hand"
    try:
        with journal.log.locked():
            journal.truncate_torn_line(now)
            return _turn_off(journal, now, text)
    except RolloutError as error:
        return list(dict.fromkeys([str(error), *_turn_off(journal, now, text)]))


def _turn_off(journal: Journal, now: datetime, reason: str) -> list[str]:
    # `Journal.turn_off` reports a damaged log; an unreadable one is reported here.
    problems: list[str] = []
    try:
        journal.refresh()
    except DamagedLogError:
        pass
    except RolloutError as error:
        problems.append(str(error))
    return problems + journal.turn_off("revert", now, reason)
