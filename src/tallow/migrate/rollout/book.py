"""A rollout's log and flag file, kept in step through kills at any moment.

A change is logged as what shall be done, then done to the flag file, then logged as applied. After
a kill in between, the file shows what was done: it has the setting from before, and the change is
finished; or it has the new one, and only the log lacks a line; or somebody else edited it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from tallow.core.errors import DamagedLogError, FlagError, RolloutError
from tallow.migrate.flags.setting import (
    OFF,
    Setting,
    content_with,
    force_off,
    read_setting,
    write_setting,
)
from tallow.migrate.rollout.audit import AuditLog
from tallow.migrate.rollout.plan import Places
from tallow.migrate.rollout.state import State, fold, told


class Book:
    """The log and the flag file of one rollout.

    Parameters
    ----------
    who
        Whose name stands in the log.
    """

    def __init__(self, places: Places, who: str) -> None:
        self.places, self.who = places, who
        self.log = AuditLog(places.log)
        self.state = State()

    def refresh(self) -> State:
        """Return the state by all that is logged.

        Raises
        ------
        DamagedLogError
            If the log was cut or edited.
        RolloutError
            If it cannot be read.
        """
        self._fold(self.log.read())
        if self.log.problem is not None:
            raise DamagedLogError(self.log.problem)
        return self.state

    @contextmanager
    def locked(self, now: datetime) -> Iterator[State]:
        """Hold the lock, with log and flag file in step.

        Raises
        ------
        RolloutError
            If the lock is held by another, the log was damaged, or a file cannot be written.
        """
        with self.log.locked():
            self.mend(now)
            self.refresh()
            self._settle(now)
            yield self.state

    def mend(self, now: datetime) -> None:
        """Take away what a kill left of a last line; the lock must be held."""
        try:
            self._fold(self.log.mend(self.who, now))
        except OSError as error:
            raise self._unwritten(error) from error

    def add(self, what: str, now: datetime, facts: Mapping[str, Any], force: bool = False) -> State:
        """Log something; the lock must be held.

        Raises
        ------
        RolloutError
            If the log was damaged, or cannot be written.
        """
        try:
            self._fold(self.log.append(self.who, what, now, facts, force))
        except OSError as error:
            raise self._unwritten(error) from error
        return self.state

    def change(
        self,
        what: str,
        now: datetime,
        stage: str,
        setting: Setting,
        reason: str,
        evidence: Mapping[str, Any] | None = None,
    ) -> State:
        """Set the flag, logged before and after; the lock must be held.

        Raises
        ------
        RolloutError, FlagError
            If the log or the flag file cannot be written.
        """
        # What cannot be done is not announced.
        content_with(self.places.flags, self.places.experiment, setting)
        fence = self._fence(self.state.number + 1)
        self.add(what, now, self._intent(stage, setting, reason, evidence))
        write_setting(self.places.flags, self.places.experiment, setting, fence)
        return self.add("applied", now, {})

    def turn_off(
        self, what: str, now: datetime, reason: str, evidence: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Set the flag to off whatever else fails, and return what did.

        The lock should be held. If it cannot be had, this goes on all the same.

        Raises
        ------
        FlagError
            If the flag file cannot be written in any way.
        """
        intent = self._intent("off", OFF, reason, evidence)
        unwritten = self._tried(what, now, intent)
        note = force_off(self.places.flags, self.places.experiment)
        if unwritten:
            unwritten = self._tried(what, now, intent)
        unwritten = unwritten or self._tried("applied", now, {})
        return [each for each in (note, unwritten, self.log.problem) if each]

    def found(self) -> tuple[Setting | None, str]:
        """Return what the flag is set to; or None, and why it cannot be told."""
        try:
            return read_setting(self.places.flags, self.places.experiment), ""
        except FlagError as error:
            return None, str(error)

    def _unwritten(self, error: OSError) -> RolloutError:
        return RolloutError(
            f"log: file={self.log.path}; {error.strerror}; it must be a file to write"
        )

    def _fold(self, entries: list[Any]) -> None:
        for entry in entries:
            try:
                self.state = fold(self.state, entry)
            except (KeyError, TypeError, ValueError):
                self.state = replace(self.state, number=entry.number)
                self.log.problem = self.log.problem or (
                    f"log: file={self.log.path}; line {entry.number} makes no sense; revert if in "
                    f"doubt, then move {self.log.path.name}* away and start anew"
                )

    def _settle(self, now: datetime) -> None:
        """Finish a change that a kill cut short; note what somebody edited by hand."""
        state = self.state
        if state.phase == "new":
            return
        found, why = self.found()
        if state.is_pending and found == state.setting:
            self.add("applied", now, {})
        elif state.is_pending and state.setting == OFF:
            # Whatever the file is like by now.
            force_off(self.places.flags, self.places.experiment)
            self.add("applied", now, {})
        elif state.is_pending and found == state.before and self._can_be(state.setting):
            assert state.setting is not None
            fence = self._fence(state.number)
            write_setting(self.places.flags, self.places.experiment, state.setting, fence)
            self.add("applied", now, {})
        elif found != state.setting:
            was = "unknown" if state.setting is None else str(state.setting)
            text = f"the flag file was edited: {was} before, {found} now" if found else why
            self.add("edited", now, {"found": told(found), "reason": text})

    def _can_be(self, setting: Setting | None) -> bool:
        """Say whether the flag file can be set; what cannot be read was edited."""
        if setting is None:
            return False
        try:
            content_with(self.places.flags, self.places.experiment, setting)
        except FlagError:
            return False
        return True

    def _tried(self, what: str, now: datetime, facts: Mapping[str, Any]) -> str | None:
        try:
            self.add(what, now, facts, force=True)
        except RolloutError as error:
            return str(error)
        return None

    def _intent(
        self, stage: str, setting: Setting, reason: str, evidence: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        return {
            "from": told(self.found()[0]),
            "to": {"stage": stage, **(told(setting) or {})},
            "reason": reason,
            "evidence": evidence,
        }

    def _fence(self, number: int) -> Any:
        """Return a check that nothing was logged since: a revert does not wait for a lock."""

        def check() -> None:
            self._fold(self.log.read())
            if self.state.number != number:
                raise RolloutError("rollout: changed meanwhile; look at its status")

        return check
