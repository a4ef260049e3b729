"""Keeps a live engine's state equal to its store, whatever others do to the store.

Each instrument's state is that of the store at a point: usually the newest that the engine has
seen. Where reading or computing failed, an instrument stays behind at an earlier point; where
history was removed, all do. The next call that can rebuilds such an instrument from the store, and
reports how its bars differ from before.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tallow.core.arrays import Floats, Ints
from tallow.core.errors import StoreError, TallowWarning
from tallow.core.time import END_OF_TIME, from_us
from tallow.data.kernels import aggregate as bars
from tallow.data.store.backend import LogPoint
from tallow.runtime.live.bar_rows import join_rows, rows_as_text, rows_of_text
from tallow.runtime.live.live_state import LiveState
from tallow.runtime.live.live_store import LiveStore
from tallow.runtime.live.memory import TIME
from tallow.runtime.live.outcome import Outcome, Past
from tallow.runtime.live.timeframe_state import split_rows
from tallow.runtime.live.update_rows import UpdateRows, deletion_rows, sort_rows

if TYPE_CHECKING:
    from tallow.data.store.write import WriteReport

_NOWHERE = LogPoint("", 0)

_REWRITTEN = (
    "live: the store's history was removed or replaced, as by pruning or restoring, before {}; "
    "what this engine has reported is reported again where it differs; query older bars again"
)


class StorePosition(NamedTuple):
    """The point of the store that an instrument's state belongs to.

    The state is not `whole` where a change of it failed halfway.
    """

    point: LogPoint
    whole: bool = True


class Follower:
    """Keeps the state of a live engine that of its store.

    Parameters
    ----------
    names, numbers
        The engine's instruments by number, and their numbers by name. Read, never changed.

    Attributes
    ----------
    behind
        Instruments whose state belongs to an earlier point, by number.
    reasons
        Why these could not be rebuilt.
    running
        Returns the minutes that ticks still build of an instrument: no store has them yet.
    """

    def __init__(
        self, state: LiveState, source: LiveStore, names: Sequence[str], numbers: dict[str, int]
    ) -> None:
        self.source = source
        self.behind: dict[int, StorePosition] = {}
        self.reasons: dict[int, Exception] = {}
        self.running: Callable[[int], Ints] = lambda _number: np.empty(0, dtype=np.int64)
        self._state, self._names, self._numbers = state, names, numbers
        self._deferred: Outcome | None = None
        # Instruments of others that the engine does not have: the receipt before theirs.
        self._unknown: dict[str, int] = {}
        # Whether all of the store's instruments were seen, and any other one is new since.
        self._knows_all = self._rest_is_new = self._is_rewritten = False
        self._began = source.point.received
        # By key, the instruments that continue its history; None until somebody asks.
        self._successors: dict[str, set[str]] | None = None
        state.past_before = self._past_before
        # Receipts rise even where a clock is set back: so must revisions.
        state.revision = max(state.revision, source.point.received)

    # The position in the store

    def position(self) -> dict[str, Any]:
        """Return which point of which store the state belongs to, as JSON."""
        return {
            "point": self.source.point,
            "behind": [[number, *position] for number, position in self.behind.items()],
            "unmet": self._unknown,
            "knows_all": self._knows_all,
            "deferred": self._deferred
            and [rows_as_text(join_rows(rows)) if rows else None for rows in self._deferred.rows],
        }

    def resume(self, position: Mapping[str, Any]) -> None:
        """Go on from the position of a saved state."""
        self.source.point = LogPoint(*position["point"])
        for number, point, whole in position["behind"]:
            self.behind[number] = StorePosition(LogPoint(*point), whole)
        self._unknown, self._knows_all = dict(position["unmet"]), position["knows_all"]
        if deferred := position.get("deferred"):
            fields = [each.fields for each in self._state.timeframes]
            rows = [
                [rows_of_text(texts, names)] if texts else []
                for texts, names in zip(deferred, fields, strict=True)
            ]
            self.defer(Outcome(rows))

    # What is reported

    def defer(self, outcome: Outcome) -> None:
        """Keep changed rows for the next update that is reported."""
        self._deferred = outcome.after(self._deferred)

    def with_deferred(self, outcome: Outcome) -> Outcome:
        """Return an update with the changed rows that were deferred before it."""
        earlier, self._deferred = self._deferred, None
        return outcome.after(earlier)

    # What the engine wrote

    def apply(self, given: UpdateRows, report: WriteReport | None) -> Outcome:
        """Apply rows that are durable, or made of ticks; before them, what others wrote.

        Raises
        ------
        StoreError
            If one of their instruments stays behind. Durable rows are applied later.
        """
        if report is not None and report.follows != self.source.point:
            try:
                self.defer(self.follow(report.follows))
            except Exception as error:
                raise StoreError(f"live: {_error_text(error)} ({_TAKEN_LATER})") from error
        elif self.behind:
            self.defer(self.rebuild_behind())
        point = self.source.point
        if report is not None and report.received_at is not None:
            point = point._replace(received=report.received_at)
        before = self.source.point
        outcome = self._apply(given, point)
        if report is not None and self._leave_behind(given.which, before):
            outcome = outcome.then(self.rebuild_behind())
        if not self.behind.keys().isdisjoint(given.which.tolist()):
            self.require_up_to_date(outcome)
        return outcome

    def note_write(self, report: WriteReport, which: Ints | None = None) -> None:
        """Note a write of rows that the state has; after others' writes, it is read like them.

        `which` are the instruments written; those that continue them are rebuilt later.
        """
        if report.follows == self.source.point and report.received_at is not None:
            self.source.point = report.follows._replace(received=report.received_at)
            if which is not None:
                self._leave_behind(which, report.follows)

    def _leave_behind(self, which: Ints, before: LogPoint) -> bool:
        """Note that instruments that continue written ones are behind; say if there are any."""
        if self._successors is None:
            self._successors = self.source.successors()
        if not self._successors:
            return False
        names = {self._names[number] for number in which.tolist()}
        after = set[str]().union(*(self._successors.get(name, ()) for name in names))
        for name in after & self._numbers.keys():
            self.behind.setdefault(self._numbers[name], StorePosition(before))
        return bool(after)

    def require_up_to_date(self, outcome: Outcome) -> None:
        """Raise `StoreError` if an instrument is behind; defer the changed rows then."""
        if self.reasons:
            self.defer(outcome)
        for number, error in self.reasons.items():
            others = f", and {len(self.reasons) - 1} more" if len(self.reasons) > 1 else ""
            raise StoreError(
                f"live: instrument {self._names[number]!r}{others}; "
                f"{_error_text(error)} ({_TAKEN_LATER})"
            ) from error

    # What others did

    def check_history(self) -> None:
        """Rebuild what must be where history was removed; what others added can wait."""
        try:
            now = self.source.store.point()
        except StoreError:
            # Nothing is worse than before, and the next update raises it.
            return
        known = self.source.point
        if now.epoch != known.epoch or now.received < known.received:
            self.defer(self.follow(now))
        elif self.behind:
            self.defer(self.rebuild_behind())

    def follow(self, now: LogPoint) -> Outcome:
        """Apply what others did to the store up to a point, for instruments that are known."""
        source, self._successors = self.source, None
        outcome = self._state.no_change()
        if source.is_rewritten(now):
            before = source.point
            source.restart(now)
            for number in range(len(self._names)):
                self.behind.setdefault(number, StorePosition(before))
            self._unknown = dict.fromkeys(self._unknown, 0)
            self._is_rewritten = True
            self._rest_is_new |= self._knows_all
            self._knows_all = False
            warnings.warn(
                _REWRITTEN.format(from_us(now.received).isoformat()), TallowWarning, stacklevel=2
            )
        elif now.received > source.point.received:
            parts = source.changes(now.received)
            for name in source.rejoined_names(parts, now.received) & self._numbers.keys():
                self.behind.setdefault(self._numbers[name], StorePosition(source.point))
            outcome = self._apply(self._of_known(parts, source.point), now)
        return outcome.then(self.rebuild_behind())

    def _of_known(self, parts: dict[str, Floats], before: LogPoint) -> UpdateRows:
        known = [name for name in parts if name in self._numbers]
        for name in parts.keys() - known:
            self._unknown.setdefault(name, before.received)
        numbers = np.array([self._numbers[name] for name in known], dtype=np.int64)
        numbers = np.repeat(numbers, [len(parts[name]) for name in known])
        nothing = deletion_rows(numbers[:0], numbers[:0])
        rows = np.concatenate([nothing, *(parts[name] for name in known)])
        return replace(sort_rows(numbers, rows), is_complete=True)

    def unknown_instruments(self) -> list[str]:
        """Return the store's instruments that the engine does not have, sorted."""
        names = set(self._unknown)
        if not self._knows_all:
            names = self.source.names() - self._numbers.keys()
            self._unknown = {name: self._unknown[name] for name in self._unknown if name in names}
            self._knows_all = True
        return sorted(names - self._numbers.keys())

    def add(self, names: Sequence[str]) -> Outcome:
        """Give new instruments their past; return their last bars.

        Where others wrote one while the engine ran, all its bars since are reported, by a rebuild.
        """
        outcome, memory = self._state.no_change(), self._state.memory
        since = {name: self._new_since(name) for name in names}
        for name, received in since.items():
            number = self._numbers[name]
            if received is not None:
                self.behind[number] = StorePosition(self.source.point._replace(received=received))
            else:
                # Until its past is read it has none, and nothing of it was reported.
                self.behind[number], memory.reported_from[number] = (
                    StorePosition(_NOWHERE),
                    END_OF_TIME,
                )
        for name, received in since.items():
            number = self._numbers[name]
            past = self.source.past(name, memory.capacity, received)
            outcome.extend(self._state.begin_instrument(number, past))
            if received is None:
                del self.behind[number]
        return outcome

    def _new_since(self, name: str) -> int | None:
        """Return the receipt after which an instrument's rows are new; None if none is."""
        if name in self._unknown or not self._is_rewritten:
            return self._unknown.pop(name, None)
        # Where history was removed, its first write was not seen.
        return (
            0 if self._rest_is_new or name not in self.source.names(self._began, [name]) else None
        )

    # Into the state

    def _apply(self, given: UpdateRows, point: LogPoint) -> Outcome:
        """Apply rows up to a point; leave an instrument behind where that fails.

        Rows of instruments that are behind already are left for their rebuild.
        """
        given, before = given.without(self.behind), self.source.point
        try:
            outcome = self._state.apply(given)
        except BaseException as error:
            for number in given.which.tolist():
                self.behind[number] = StorePosition(before, whole=False)
                if isinstance(error, Exception):
                    self.reasons[number] = error
            if not isinstance(error, Exception):
                raise
            return self._state.no_change()
        finally:
            # Not earlier: the past of these rows is read as it was without them.
            self.source.point = point
        for number, reason in outcome.unread:
            self.behind[number], self.reasons[number] = StorePosition(before), reason
        return outcome

    def rebuild_behind(self) -> Outcome:
        """Rebuild the instruments that are behind; one for which that fails stays behind."""
        outcome = self._state.no_change()
        for number, position in sorted(self.behind.items()):
            try:
                found = self._rebuild(number, position)
            except Exception as error:  # noqa: BLE001
                # A damaged file, a server that is down, no memory: others must not wait for it.
                self.reasons[number] = error
                continue
            del self.behind[number]
            self.reasons.pop(number, None)
            outcome.extend(found)
        return outcome

    def _rebuild(self, number: int, position: StorePosition) -> Outcome:
        name, memory, source = self._names[number], self._state.memory, self.source
        running = self._running_rows(number)
        if position.point.epoch == source.point.epoch:
            found = source.versions(name, position.point.received, position.whole)
            if found is None:
                return self._state.no_change()
            new, old = found
            old = Past(
                old.states, _add_running(old.rows, running if position.whole else running[:0])
            )
        else:
            new = source.past_from(name, memory.capacity, int(memory.reported_from[number]))
            old = self._state.past_in_memory(number, position.whole)
            self._withdraw_deferred(number, old)
        new = Past(new.states, _add_running(new.rows, running))
        self.behind[number] = position._replace(whole=False)
        return self._state.rebuild(number, new, old)

    def _withdraw_deferred(self, number: int, past: Past) -> None:
        """Turn an instrument's deferred rows of bars before its past into removed bars.

        They were made with history that may be gone; the rebuild reports those that still are.
        """
        since = self._state.memory.reported_from[number]
        until = past.rows[0, TIME] if len(past.rows) else END_OF_TIME
        states = split_rows(self._state.timeframes, past.states[np.newaxis])
        for rows, (bar, *_) in zip(
            self._deferred.rows if self._deferred else (), states, strict=False
        ):
            for place, part in enumerate(rows):
                if bar[0, bars.HAS_BAR]:
                    before = part.timestamp < bar[0, bars.OPENS]
                else:
                    before = part.end <= until
                old = (part.instrument == number) & (part.end > since) & before
                removed = part.take(old).as_removed(self._state.revision)
                rows[place] = join_rows([part.take(~old), removed])

    def _running_rows(self, number: int) -> Floats:
        """Return the candles that ticks still build, which the store does not have."""
        kept = self._state.memory.candles_of(number)
        return kept[np.isin(kept[:, TIME], self.running(number))]

    def _past_before(self, number: int, moment: int) -> Past:
        return self.source.past_before(self._names[number], moment)


_TAKEN_LATER = "what was written is in the store, and is taken by the next call that can read it"


def _error_text(error: Exception) -> str:
    return str(error) or type(error).__name__


def _add_running(rows: Floats, running: Floats) -> Floats:
    """Return candles with those that ticks still build; a stored one of the same time counts."""
    fresh = running[~np.isin(running[:, TIME], rows[:, TIME])]
    if not len(fresh):
        return rows
    both = np.concatenate([rows, fresh])
    return both[np.argsort(both[:, TIME], kind="stable")]
