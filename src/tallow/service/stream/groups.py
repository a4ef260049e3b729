"""Who is told what: subscriptions of the same rows share a group, and its messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Protocol

from tallow.service.limits import STREAM_PENDING_MAX, STREAM_STEP_GROUPS
from tallow.service.stream.changes import RowChanges, Series, StreamRow
from tallow.service.stream.encoding import Columns, begin_rows, bodies, message


class Subscription(Protocol):
    """What a client asked for under a name."""

    name: str

    @property
    def has_news(self) -> bool:
        """Whether messages wait."""
        ...

    def messages(self) -> AsyncIterator[str]:
        """Yield the messages that wait; what changes meanwhile waits for the next call."""
        ...

    def note(self, seq: int) -> None:
        """Take note that nothing else changed up to a change."""
        ...

    def leave(self) -> None:
        """Be told nothing any more."""
        ...


@dataclass(eq=False)
class RowGroup:
    """Subscriptions of the same rows.

    Attributes
    ----------
    instruments
        None for all.
    fresh
        What changed since the last messages.
    """

    instruments: frozenset[str] | None
    timeframes: tuple[str, ...]
    columns: Columns
    subscriptions: set[RowSubscription] = field(default_factory=set)
    fresh: RowChanges = field(default_factory=RowChanges)

    def concerns(self, series: Series) -> bool:
        """Say whether rows of a series are told."""
        timeframe, instrument = series
        if timeframe not in self.timeframes:
            return False
        return self.instruments is None or instrument in self.instruments

    def of(self, changes: RowChanges) -> RowChanges:
        """Return those of changes that are told."""
        rows = {key: row for key, row in changes.rows.items() if self.concerns(key[:2])}
        marks = {series: mark for series, mark in changes.marks.items() if self.concerns(series)}
        return RowChanges(rows, marks)

    def flush(self, seq: int) -> None:
        """Send what changed to whoever is ready; let it wait for the others."""
        if not len(self.fresh):
            return
        fresh, self.fresh = self.fresh, RowChanges()
        body: list[str] | None = None
        for each in self.subscriptions:
            if each.is_ready:
                body = bodies(fresh, self.columns, seq) if body is None else body
                if len(body) == 1 and each.push(body[0], seq):
                    continue
            each.add(fresh)


class Groups:
    """All groups, by what concerns them."""

    def __init__(self) -> None:
        self._groups: dict[object, RowGroup] = {}
        self._by_name: dict[str, dict[str, list[RowGroup]]] = {}
        self._of_all: dict[str, list[RowGroup]] = {}
        self._fresh: set[RowGroup] = set()
        self._later: dict[RowGroup, None] = {}

    def find(
        self, instruments: frozenset[str] | None, timeframes: tuple[str, ...], columns: Columns
    ) -> RowGroup:
        """Return the group of such subscriptions; make it where it is the first."""
        found = self._groups.get((instruments, timeframes, columns))
        if found is None:
            found = self._groups[instruments, timeframes, columns] = RowGroup(
                instruments, timeframes, columns
            )
            for routes in self._routes(found):
                routes.append(found)
        return found

    def drop(self, group: RowGroup) -> None:
        """Forget a group that has no subscriptions any more."""
        if group.subscriptions:
            return
        del self._groups[group.instruments, group.timeframes, group.columns]
        self._fresh.discard(group)
        self._later.pop(group, None)
        for routes in self._routes(group):
            routes.remove(group)
        # A name that nobody asks for any more takes no memory.
        for timeframe, name in product(group.timeframes, group.instruments or ()):
            if not self._by_name[timeframe][name]:
                del self._by_name[timeframe][name]

    def add(self, changes: RowChanges) -> None:
        """Take changes of one timeframe to the groups that they concern."""
        timeframe = next(iter(changes.rows), ("",))[0]
        for group in self._of_all.get(timeframe, ()):
            self._fresh.add(group)
            group.fresh.rows.update(changes.rows)
        named = self._by_name.get(timeframe)
        if named:
            for key, row in changes.rows.items():
                for group in named.get(key[1], ()):
                    self._fresh.add(group)
                    group.fresh.rows[key] = row
        for series, mark in changes.marks.items():
            for group in self._concerned(series):
                group.fresh.update(RowChanges({}, {series: mark}))

    def flush(self, seq: int) -> bool:
        """Send what changed, some of it at a time; say whether more waits.

        Where few groups are concerned, these are sent at once, before what waits: a candle does not
        wait for all bars that another change closed.
        """
        fresh, self._fresh = self._fresh, set()
        if len(fresh) > STREAM_STEP_GROUPS:
            self._later |= dict.fromkeys(fresh)
            fresh = set()
        waiting = (each for each in self._later if each not in fresh)
        now = [*fresh, *islice(waiting, STREAM_STEP_GROUPS)]
        self._encode(now)
        for group in now:
            self._later.pop(group, None)
            group.flush(seq)
        return len(self._later) > 0

    def _encode(self, groups: Iterable[RowGroup]) -> None:
        """Make the texts of what is sent at once, all together."""
        told: dict[Columns, list[StreamRow]] = {}
        for group in groups:
            if any(each.is_ready for each in group.subscriptions):
                told.setdefault(group.columns, []).extend(group.fresh.rows.values())
        for columns, rows in told.items():
            columns.encode(rows)

    def begin_anew(self) -> None:
        """Let all subscriptions look up what changed, as changes were lost."""
        for group in self._groups.values():
            group.fresh = RowChanges()
            for each in group.subscriptions:
                each.look_up()

    def _concerned(self, series: Series) -> Iterator[RowGroup]:
        timeframe, instrument = series
        named = self._by_name.get(timeframe)
        if named:
            for group in named.get(instrument, ()):
                self._fresh.add(group)
                yield group
        for group in self._of_all.get(timeframe, ()):
            self._fresh.add(group)
            yield group

    def _routes(self, group: RowGroup) -> Iterable[list[RowGroup]]:
        for timeframe in group.timeframes:
            if group.instruments is None:
                yield self._of_all.setdefault(timeframe, [])
            else:
                named = self._by_name.setdefault(timeframe, {})
                for name in group.instruments:
                    yield named.setdefault(name, [])


class RowSource(Protocol):
    """What a subscription of rows asks for: the changes so far, and the bars as they are."""

    @property
    def seq(self) -> int:
        """The number of the last change."""
        ...

    def since(self, seq: int) -> RowChanges | None:
        """Return the changes after one; None where they are no longer known."""
        ...

    def bars(self, group: RowGroup) -> AsyncIterator[list[str]]:
        """Yield the texts of the last bars of a group, some at a time."""
        ...

    def drop(self, group: RowGroup) -> None:
        """Forget a group that has no subscriptions any more."""
        ...


class Teller(Protocol):
    """Whoever a subscription's messages go to."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, and nothing is being sent."""
        ...

    def push(self, text: str) -> bool:
        """Send at once, where there is room; say whether it was sent."""
        ...

    def wake(self) -> None:
        """Say that messages wait."""
        ...


class RowSubscription:
    """A client's subscription of rows.

    What waits for a client is the newest row of each key, and no more than a bound: beyond it, the
    changes since the last message are looked up when the client has room again.

    Attributes
    ----------
    seq
        The change up to which all is told.
    """

    def __init__(
        self, name: str, group: RowGroup, source: RowSource, client: Teller, seq: int | None
    ) -> None:
        self.name, self.group = name, group
        self._source, self._client = source, client
        self._begin = begin_rows("rows", name)
        self._pending: RowChanges | None = RowChanges() if seq is None else None
        self.seq = source.seq if seq is None else seq
        self._needs_bars = seq is None
        group.subscriptions.add(self)

    @property
    def has_news(self) -> bool:
        """Whether rows wait, or the snapshot."""
        return self._needs_bars or self._pending is None or len(self._pending) > 0

    @property
    def is_ready(self) -> bool:
        """Whether nothing waits: then a message may go at once."""
        return self._client.is_idle and not self.has_news

    def push(self, body: str, seq: int) -> bool:
        """Send a message at once, where there is room."""
        if not self._client.push(f'{self._begin},"from_seq":{self.seq + 1}{body}'):
            return False
        self.seq = seq
        return True

    def add(self, changes: RowChanges) -> None:
        """Let changes wait."""
        if self._pending is not None:
            self._pending.update(changes)
            if len(self._pending) > STREAM_PENDING_MAX:
                self._pending = None
        self._client.wake()

    def look_up(self) -> None:
        """Look up what changed, with the next messages."""
        self._pending = None
        self._client.wake()

    async def messages(self) -> AsyncIterator[str]:
        """Yield the snapshot, if it is due, then what changed."""
        if self._needs_bars:
            self._needs_bars = False
            async for text in self._snapshot():
                yield text
        # What its group has not sent yet is part of it.
        self.group.flush(self._source.seq)
        seq, changes = self._source.seq, self._take()
        if changes is None:
            self._pending, self.seq, self._needs_bars = RowChanges(), seq, True
            reason = "what changed since is no longer known"
            yield message("resync", self.name, seq=seq, reason=reason)
            return
        for body in bodies(changes, self.group.columns, seq) if len(changes) else ():
            yield f'{self._begin},"from_seq":{self.seq + 1}{body}'
        self.seq = seq

    def note(self, seq: int) -> None:
        """Take note that nothing else changed up to a change."""
        if not self.has_news and not len(self.group.fresh):
            self.seq = seq

    def leave(self) -> None:
        """Be told nothing any more."""
        self.group.subscriptions.discard(self)
        self._source.drop(self.group)

    def _take(self) -> RowChanges | None:
        pending, self._pending = self._pending, RowChanges()
        if pending is not None:
            return pending
        found = self._source.since(self.seq)
        return None if found is None else self.group.of(found)

    async def _snapshot(self) -> AsyncIterator[str]:
        begin, seq = begin_rows("snapshot", self.name), self.seq
        async for texts in self._source.bars(self.group):
            yield f'{begin},"seq":{seq},"more":true,"rows":[{",".join(texts)}]}}'
        yield f'{begin},"seq":{seq},"rows":[]}}'
