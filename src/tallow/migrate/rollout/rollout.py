"""What people do to a rollout; all of it is written down."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable
from datetime import UTC, datetime

from tallow.core.errors import DamagedLogError, RolloutError
from tallow.migrate.rollout.book import Book
from tallow.migrate.rollout.plan import Places, Plan
from tallow.migrate.rollout.state import State

Clock = Callable[[], datetime]


def now_utc() -> datetime:
    """Return the time by the system's clock."""
    return datetime.now(UTC)


def who_am_i() -> str:
    """Return ``user@host``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


class Rollout:
    """The acts of a person on a rollout; a running controller notices them at its next look.

    Parameters
    ----------
    who
        Whose name stands in the log.
    clock
        Gives times in UTC.
    """

    def __init__(self, plan: Plan, who: str | None = None, clock: Clock = now_utc) -> None:
        self._plan, self._clock = plan, clock
        self._book = Book(plan.places, who or who_am_i())

    def state(self) -> State:
        """Return where the rollout stands by its log.

        Raises
        ------
        RolloutError
            If the log cannot be read, or was damaged.
        """
        return self._book.refresh()

    def start(self) -> State:
        """Begin with the first stage after off; a rollout that has begun stays where it is.

        Raises
        ------
        RolloutError
            If the plan has lost the stage where the rollout is, or a file cannot be written.
        """
        now = self._clock()
        with self._book.locked(now) as state:
            self._plan.stage(state.stage)
            if state.plan != self._plan.digest:
                facts = {"plan": self._plan.digest, "path": str(self._plan.places.path)}
                self._book.add("plan", now, facts)
            is_new = state.phase == "new"
            return self._enter("start", now, "begun") if is_new else self._book.state

    def advance(self, reason: str = "") -> State:
        """Go to the next stage at once, whatever the analyses say.

        Raises
        ------
        RolloutError
            If there is no next stage, or a file cannot be written.
        """
        now = self._clock()
        with self._book.locked(now):
            return self._enter("advance", now, reason or "by hand")

    def pause(self, reason: str = "") -> State:
        """Stay at this stage until a person says otherwise; a failure still turns it off.

        Raises
        ------
        RolloutError
            If nothing is running, or the log cannot be written.
        """
        now = self._clock()
        with self._book.locked(now) as state:
            if state.phase != "running":
                raise RolloutError(
                    f"pause: the rollout is {state.phase}; only a running one pauses"
                )
            return self._book.add("pause", now, {"reason": reason or "by hand"})

    def resume(self, reason: str = "") -> State:
        """Go on after a pause; what was tolerated so far is forgotten.

        Raises
        ------
        RolloutError
            If it is not paused, the flag file cannot be read, or the log cannot be written.
        """
        now = self._clock()
        with self._book.locked(now) as state:
            if state.phase != "paused":
                raise RolloutError(
                    f"resume: the rollout is {state.phase}; only a paused one resumes"
                )
            stage = self._plan.stage(state.stage)
            if state.setting != stage.setting:
                raise RolloutError(
                    f"resume: the flag is not set to what stage {stage.name} says; it was edited: "
                    "set it back by hand, or advance, or revert"
                )
            return self._book.add("resume", now, {"reason": reason or "by hand"})

    def _enter(self, what: str, now: datetime, reason: str) -> State:
        after = self._plan.after(self._book.state.stage)
        if after is None:
            raise RolloutError("advance: this is the last stage; there is none after it")
        return self._book.change(what, now, after.name, after.setting, reason)


def revert(
    places: Places, reason: str = "", who: str | None = None, clock: Clock = now_utc
) -> list[str]:
    """Turn the candidate off for every instrument, at once.

    Needs the flag file alone. What is wrong besides (a damaged log, no room for a line in it, a
    lock that another holds too long, a flag file that cannot be read) is told afterwards.

    Returns
    -------
    list of str
        What was wrong; empty where nothing was.

    Raises
    ------
    FlagError
        If the flag file cannot be written in any way.
    """
    book, now = Book(places, who or who_am_i()), clock()
    text = reason or "by hand"
    try:
        with book.log.locked():
            book.mend(now)
            return _off(book, now, text)
    except RolloutError as error:
        return list(dict.fromkeys([str(error), *_off(book, now, text)]))


def _off(book: Book, now: datetime, reason: str) -> list[str]:
    # A damaged log is told afterwards, as a problem that stays; one that cannot be read, here.
    problems: list[str] = []
    try:
        book.refresh()
    except DamagedLogError:
        pass
    except RolloutError as error:
        problems.append(str(error))
    return problems + book.turn_off("revert", now, reason)
