"""A rollout's log and flag file, kept consistent even if the process is killed at any moment.

A change is logged as an intent, then made in the flag file, then logged as applied. After a kill in
between, the flag file shows how far it went: it has the previous setting, and the change is
finished; or it has the new one, and only the log lacks a line; or somebody else edited it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from tallow.core.errors import DamagedLogError, FlagError, RolloutError
from tallow.core.limits import STORE_RECEIPT_SECONDS
from tallow.migrate.flags.setting import (
    OFF,
    Setting,
    content_with,
    force_off,
    read_setting,
    write_setting,
)
from tallow.migrate.rollout.audit import AuditEntry, AuditLog
from tallow.migrate.rollout.plan import Places
from tallow.migrate.rollout.state import (
    RolloutState,
    UnknownEntryError,
    apply_entry,
    setting_facts,
)

ENTRIES_KEPT = 100
"""Lines of a log that a journal keeps of each kind: the newest."""

_QUIET = ("analysis", "applied")
"""Lines that follow from others, or come by themselves."""


class RepeatedActionError(RolloutError):
    """An action was asked for by a request that was done already."""


class ActionRequest(NamedTuple):
    """The request that an action was asked for by: its name, and the digest of what it asks.

    It stands in the action's line of the log: so it is done once, whoever is killed in between.
    """

    name: str
    digest: str


class Journal:
    """The log and the flag file of one rollout.

    Attributes
    ----------
    who
        The name written in the log.
    request
        What asks for the next action; None where it may be done as often as it is asked for.
    recent, acts
        The newest lines of the log that were read; and those of people's and controllers' actions.
    """

    def __init__(self, paths: Places, who: str, request: ActionRequest | None = None) -> None:
        self.paths, self.who, self.request = paths, who, request
        self.log = AuditLog(paths.log)
        self.state = RolloutState()
        self.recent: deque[AuditEntry] = deque(maxlen=ENTRIES_KEPT)
        self.acts: deque[AuditEntry] = deque(maxlen=ENTRIES_KEPT)
        self._requested: dict[str, datetime] = {}

    def refresh(self) -> RolloutState:
        """Read new lines of the log, and return the state.

        `DamagedLogError` if the log was cut or edited; `RolloutError` if it cannot be read.
        """
        self._apply(self.log.read())
        if self.log.problem is not None:
            raise DamagedLogError(self.log.problem)
        return self.state

    @contextmanager
    def locked(self, now: datetime) -> Iterator[RolloutState]:
        """Hold the lock, with log and flag file consistent.

        `RolloutError` if another process holds it, the log is damaged, or a file cannot be written;
        `RepeatedActionError` if the request was done in the last day.
        """
        with self.log.locked():
            self.truncate_torn_line(now)
            self.refresh()
            self._require_first(now)
            self._reconcile(now)
            yield self.state

    def truncate_torn_line(self, now: datetime) -> None:
        """Remove an incomplete last line that a kill left; the lock must be held."""
        self._apply(self.log.truncate_torn_line(self.who, now))

    def add(
        self, what: str, now: datetime, facts: Mapping[str, Any], force: bool = False
    ) -> RolloutState:
        """Log an action under the lock; `RolloutError` if the log is damaged or not written."""
        self._apply(self.log.append(self.who, what, now, facts, force))
        return self.state

    def reason_facts(self, reason: str) -> dict[str, Any]:
        """Return the facts of an action's line: why, and what asked for it."""
        return {"reason": reason} | (
            {} if self.request is None else {"request": self.request._asdict()}
        )

    def change(
        self,
        what: str,
        now: datetime,
        stage: str,
        setting: Setting,
        reason: str,
        evidence: Mapping[str, Any] | None = None,
    ) -> RolloutState:
        """Set the flag, logged before and after; the lock must be held.

        `RolloutError` or `FlagError` if the log or the flag file cannot be written.
        """
        # An intent is logged only if it can be carried out.
        content_with(self.paths.flags, self.paths.experiment, setting)
        fence = self._fence(self.state.number + 1)
        self.add(what, now, self._intent(stage, setting, reason, evidence))
        write_setting(self.paths.flags, self.paths.experiment, setting, fence)
        return self.add("applied", now, {})

    def turn_off(
        self, what: str, now: datetime, reason: str, evidence: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Set the flag to off even if everything else fails, and return what failed.

        The lock should be held, but is not required. `FlagError` if the flag file cannot be written
        in any way.
        """
        intent = self._intent("off", OFF, reason, evidence)
        failure = self._try_add(what, now, intent)
        note = force_off(self.paths.flags, self.paths.experiment)
        if failure:
            failure = self._try_add(what, now, intent)
        failure = failure or self._try_add("applied", now, {})
        return [each for each in (note, failure, self.log.problem) if each]

    def read_flag(self) -> tuple[Setting | None, str]:
        """Return the flag's setting; or None, and why it cannot be read."""
        try:
            return read_setting(self.paths.flags, self.paths.experiment), ""
        except FlagError as error:
            return None, str(error)

    def _require_first(self, now: datetime) -> None:
        done = None if self.request is None else self._requested.get(self.request.name)
        if done is not None and done >= now - timedelta(seconds=STORE_RECEIPT_SECONDS):
            raise RepeatedActionError(
                "rollout: an action of this request was done already; the log says which"
            )

    def _apply(self, entries: list[AuditEntry]) -> None:
        self.recent.extend(entries)
        self.acts.extend(each for each in entries if each.what not in _QUIET)
        for entry in entries:
            try:
                self.state = apply_entry(self.state, entry)
                if "request" in entry.facts:
                    self._requested[entry.facts["request"]["name"]] = entry.at
            except UnknownEntryError as error:
                self.state = replace(self.state, number=entry.number)
                self.log.set_problem(f"line {entry.number}: {error}")
            except (KeyError, TypeError, ValueError):
                self.state = replace(self.state, number=entry.number)
                self.log.set_problem(f"line {entry.number} makes no sense")

    def _reconcile(self, now: datetime) -> None:
        """Finish a change that a kill interrupted; log an edit by hand."""
        state = self.state
        if state.phase == "new":
            return
        found, why = self.read_flag()
        if state.is_pending and found == state.setting:
            self.add("applied", now, {})
        elif state.is_pending and state.setting == OFF:
            # Whatever is in the file now.
            force_off(self.paths.flags, self.paths.experiment)
            self.add("applied", now, {})
        elif state.is_pending and found == state.before and self._can_set(state.setting):
            assert state.setting is not None
            fence = self._fence(state.number)
            write_setting(self.paths.flags, self.paths.experiment, state.setting, fence)
            self.add("applied", now, {})
        elif found != state.setting:
            was = "unknown" if state.setting is None else str(state.setting)
            text = f"the flag file was edited: {was} before, {found} now" if found else why
            self.add("edited", now, {"found": setting_facts(found), "reason": text})

    def _can_set(self, setting: Setting | None) -> bool:
        """Return whether the flag can be set; None is a setting that could not be read."""
        if setting is None:
            return False
        try:
            content_with(self.paths.flags, self.paths.experiment, setting)
        except FlagError:
            return False
        return True

    def _try_add(self, what: str, now: datetime, facts: Mapping[str, Any]) -> str | None:
        try:
            self.add(what, now, facts, force=True)
        except RolloutError as error:
            return str(error)
        return None

    def _intent(
        self, stage: str, setting: Setting, reason: str, evidence: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        return {
            "from": setting_facts(self.read_flag()[0]),
            "to": {"stage": stage, **(setting_facts(setting) or {})},
            **self.reason_facts(reason),
            "evidence": evidence,
        }

    def _fence(self, number: int) -> Any:
        """Return a check that nothing else was logged: a revert does not wait for the lock."""

        def check() -> None:
            self._apply(self.log.read())
            if self.state.number != number:
                raise RolloutError("rollout: changed meanwhile; look at its status")

        return check
