"""A live engine's state kept that of its store: what others did is taken, and nothing is missed.

Of each instrument the state is that of the store at a point: mostly the newest that the engine has
seen. Where reading or computing broke off, an instrument stays behind at an earlier one; and where
history was taken away, all do. Such an instrument is made anew from the store, by the next call
that can, and what differs from its rows of before is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tallow.core.arrays import Floats, Ints
from tallow.core.errors import StoreError
from tallow.core.time import END_OF_TIME
from tallow.data.store.backend import LogPoint
from tallow.runtime.live.admit import Given, deletions, in_order
from tallow.runtime.live.core import LiveState, Outcome, Past
from tallow.runtime.live.memory import TIME
from tallow.runtime.live.source import LiveStore

if TYPE_CHECKING:
    from tallow.data.store.write import WriteReport

_NOWHERE = LogPoint("", 0)


class Mark(NamedTuple):
    """The point of the store that an instrument's state is of.

    It is not `whole` where a change of it broke off.
    """

    point: LogPoint
    whole: bool = True


class Follower:
    """Keeps the state of a live engine that of its store.

    Parameters
    ----------
    names, numbers
        The engine's instruments: by number, and their numbers by name. Looked at, not changed.

    Attributes
    ----------
    behind
        Instruments whose state is of an earlier point, by number.
    reasons
        Why these could not be brought up to the store.
    running
        Gives the minutes that ticks are making of an instrument: they are in no store yet.
    """

    def __init__(
        self, state: LiveState, source: LiveStore, names: Sequence[str], numbers: dict[str, int]
    ) -> None:
        self.source = source
        self.behind: dict[int, Mark] = {}
        self.reasons: dict[int, Exception] = {}
        self.running: Callable[[int], Ints] = lambda _number: np.empty(0, dtype=np.int64)
        self._state, self._names, self._numbers = state, names, numbers
        self._untold: Outcome | None = None
        # Instruments that others wrote and the engine does not have: the receipt before theirs.
        self._unmet: dict[str, int] = {}
        # Whether all of the store's instruments were met, and those that were not are new since.
        self._knows_all = self._rest_is_new = self._is_rewritten = False
        self._began = source.point.received
        # By key, the instruments that go on from it, as of the point; None where nobody looked.
        self._successors: dict[str, set[str]] | None = None
        state.older = self._older
        # Receipts rise though a clock is set back: what was told before is of earlier ones.
        state.revision = max(state.revision, source.point.received)

    # Where the state is

    def place(self) -> dict[str, Any]:
        """Return of which point of which store the state is, as JSON has it."""
        return {
            "point": self.source.point,
            "behind": [[number, *mark] for number, mark in self.behind.items()],
            "unmet": self._unmet,
            "knows_all": self._knows_all,
        }

    def go_to(self, place: Mapping[str, Any]) -> None:
        """Go on from where a saved state is."""
        self.source.point = LogPoint(*place["point"])
        for number, point, whole in place["behind"]:
            self.behind[number] = Mark(LogPoint(*point), whole)
        self._unmet, self._knows_all = dict(place["unmet"]), place["knows_all"]

    # What is told

    def keep(self, outcome: Outcome) -> None:
        """Keep what has changed for the next update that is told."""
        self._untold = outcome.after(self._untold)

    def told(self, outcome: Outcome) -> Outcome:
        """Return an update with all that has changed before it and was not told."""
        untold, self._untold = self._untold, None
        return outcome.after(untold)

    # What the engine wrote

    def take(self, given: Given, report: WriteReport | None) -> Outcome:
        """Take rows that are durable, or are made of ticks; before them what others did.

        Raises
        ------
        StoreError
            If one of their instruments stays behind. What is durable is taken later.
        """
        if report is not None and report.follows != self.source.point:
            try:
                self.keep(self.follow(report.follows))
            except Exception as error:
                raise StoreError(f"live: {_said(error)} ({_TAKEN_LATER})") from error
        elif self.behind:
            self.keep(self.mend())
        point = self.source.point
        if report is not None and report.received_at is not None:
            point = point._replace(received=report.received_at)
        before = self.source.point
        outcome = self._apply(given, point)
        if report is not None and self._leave_behind(given.which, before):
            outcome = outcome.then(self.mend())
        if not self.behind.keys().isdisjoint(given.which.tolist()):
            self.require_level(outcome)
        return outcome

    def note(self, report: WriteReport, which: Ints | None = None) -> None:
        """Take note of a write of what the state has; where others wrote before it, it is read.

        `which` are the instruments that were written; what goes on from them is made anew later.
        """
        if report.follows == self.source.point and report.received_at is not None:
            self.source.point = report.follows._replace(received=report.received_at)
            if which is not None:
                self._leave_behind(which, report.follows)

    def _leave_behind(self, which: Ints, before: LogPoint) -> bool:
        """Mark the instruments that go on from some that were written; say if there are any."""
        if self._successors is None:
            self._successors = self.source.successors()
        if not self._successors:
            return False
        names = {self._names[number] for number in which.tolist()}
        after = set[str]().union(*(self._successors.get(name, ()) for name in names))
        for name in after & self._numbers.keys():
            self.behind.setdefault(self._numbers[name], Mark(before))
        return bool(after)

    def require_level(self, outcome: Outcome) -> None:
        """Raise `StoreError` if an instrument is behind its store; the rest is told later then."""
        if self.reasons:
            self.keep(outcome)
        for number, error in self.reasons.items():
            others = f", and {len(self.reasons) - 1} more" if len(self.reasons) > 1 else ""
            raise StoreError(
                f"live: instrument {self._names[number]!r}{others}; {_said(error)} ({_TAKEN_LATER})"
            ) from error

    # What others did

    def look(self) -> None:
        """Make anew what must be where history was taken away; what others added can wait."""
        try:
            now = self.source.store.point()
        except StoreError:
            # It is no worse than it was, and the next update will say so.
            return
        known = self.source.point
        if now.epoch != known.epoch or now.received < known.received:
            self.keep(self.follow(now))
        elif self.behind:
            self.keep(self.mend())

    def follow(self, now: LogPoint) -> Outcome:
        """Take what others did to the store, up to a point, of instruments that are known."""
        source, self._successors = self.source, None
        outcome = self._state.nothing()
        if source.is_rewritten(now):
            before = source.point
            source.begin(now)
            for number in range(len(self._names)):
                self.behind.setdefault(number, Mark(before))
            self._unmet = dict.fromkeys(self._unmet, 0)
            self._is_rewritten = True
            self._rest_is_new |= self._knows_all
            self._knows_all = False
        elif now.received > source.point.received:
            parts = source.changed(now.received)
            for name in source.rejoined(parts, now.received) & self._numbers.keys():
                self.behind.setdefault(self._numbers[name], Mark(source.point))
            outcome = self._apply(self._of_known(parts, source.point), now)
        return outcome.then(self.mend())

    def _of_known(self, parts: dict[str, Floats], before: LogPoint) -> Given:
        known = [name for name in parts if name in self._numbers]
        for name in parts.keys() - known:
            self._unmet.setdefault(name, before.received)
        numbers = np.array([self._numbers[name] for name in known], dtype=np.int64)
        numbers = np.repeat(numbers, [len(parts[name]) for name in known])
        nothing = deletions(numbers[:0], numbers[:0])
        return in_order(numbers, np.concatenate([nothing, *(parts[name] for name in known)]))

    def strangers(self) -> list[str]:
        """Return the store's instruments that the engine does not have."""
        names = set(self._unmet)
        if not self._knows_all:
            names = self.source.names() - self._numbers.keys()
            self._unmet = {name: self._unmet[name] for name in self._unmet if name in names}
            self._knows_all = True
        return sorted(names - self._numbers.keys())

    def meet(self, names: Sequence[str]) -> Outcome:
        """Give new instruments their past; return their last bars.

        What others wrote of one while the engine ran is told whole, by mending it.
        """
        outcome, memory = self._state.nothing(), self._state.memory
        since = {name: self._came_after(name) for name in names}
        for name, received in since.items():
            number = self._numbers[name]
            if received is not None:
                self.behind[number] = Mark(self.source.point._replace(received=received))
            else:
                # Until its past is there, it has none; and nothing of that was told.
                self.behind[number], memory.told_from[number] = Mark(_NOWHERE), END_OF_TIME
        for name, received in since.items():
            number = self._numbers[name]
            past = self.source.past(name, memory.capacity, received)
            outcome.extend(self._state.begin(number, past.states, past.rows))
            if received is None:
                del self.behind[number]
        return outcome

    def _came_after(self, name: str) -> int | None:
        """Return the receipt after which an instrument's rows are new; None for none of them."""
        if name in self._unmet or not self._is_rewritten:
            return self._unmet.pop(name, None)
        # Where history was changed, nobody saw it come.
        return (
            0 if self._rest_is_new or name not in self.source.names(self._began, [name]) else None
        )

    # Into the state

    def _apply(self, given: Given, point: LogPoint) -> Outcome:
        """Take rows that lead to a point; where that fails, they come later.

        As do those of instruments that are behind already.
        """
        given, before = given.without(self.behind), self.source.point
        try:
            outcome = self._state.apply(given)
        except BaseException as error:
            for number in given.which.tolist():
                self.behind[number] = Mark(before, whole=False)
                if isinstance(error, Exception):
                    self.reasons[number] = error
            if not isinstance(error, Exception):
                raise
            return self._state.nothing()
        finally:
            # Not before: what lies before these rows is read as it was without them.
            self.source.point = point
        for number, reason in outcome.unread:
            self.behind[number], self.reasons[number] = Mark(before), reason
        return outcome

    def mend(self) -> Outcome:
        """Make instruments that are behind anew; those for which that fails stay behind."""
        outcome = self._state.nothing()
        for number, mark in sorted(self.behind.items()):
            try:
                found = self._mended(number, mark)
            except Exception as error:  # noqa: BLE001
                # A damaged file, a server that is away, no memory: others must not wait for it.
                self.reasons[number] = error
                continue
            del self.behind[number]
            self.reasons.pop(number, None)
            outcome.extend(found)
        return outcome

    def _mended(self, number: int, mark: Mark) -> Outcome:
        name, memory, source = self._names[number], self._state.memory, self.source
        running = self._running_rows(number)
        if mark.point.epoch == source.point.epoch:
            found = source.versions(name, mark.point.received, mark.whole)
            if found is None:
                return self._state.nothing()
            new, old = found
            old = Past(old.states, _with(old.rows, running if mark.whole else running[:0]))
        else:
            new = source.past_from(name, memory.capacity, int(memory.told_from[number]))
            old = self._state.held(number, mark.whole)
        new = Past(new.states, _with(new.rows, running))
        self.behind[number] = mark._replace(whole=False)
        return self._state.renew(number, new.states, new.rows, old)

    def _running_rows(self, number: int) -> Floats:
        """Return the candles that ticks are making, which the store does not have."""
        kept = self._state.memory.kept(number)
        return kept[np.isin(kept[:, TIME], self.running(number))]

    def _older(self, number: int, moment: int) -> Past:
        return self.source.older(self._names[number], moment)


_TAKEN_LATER = "what was written is in the store, and is taken by the next call that can read it"


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _with(rows: Floats, running: Floats) -> Floats:
    """Return candles with those that ticks are making among them; whatever is newer counts."""
    fresh = running[~np.isin(running[:, TIME], rows[:, TIME])]
    if not len(fresh):
        return rows
    both = np.concatenate([rows, fresh])
    return both[np.argsort(both[:, TIME], kind="stable")]
