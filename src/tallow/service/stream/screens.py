"""Who is in a saved screen: asked again when bars closed, told as who entered and who left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from tallow.core.errors import TallowError
from tallow.service.stream.encoding import message
from tallow.service.stream.groups import Teller

Ask = Callable[[str, str], Awaitable[frozenset[str]]]
"""Returns the members of a saved screen in a timeframe."""


class ScreenMembers:
    """The members of one screen, for all who are told.

    Attributes
    ----------
    members
        As of the last answer.
    seq
        The change with which they became so.
    """

    def __init__(self, name: str, timeframe: str, members: frozenset[str], seq: int) -> None:
        self.name, self.timeframe = name, timeframe
        self.members, self.seq = members, seq
        self.subscriptions: set[ScreenSubscription] = set()

    def set(self, members: frozenset[str], seq: int) -> None:
        """Take another answer, and wake who is told."""
        self.members, self.seq = members, seq
        for each in self.subscriptions:
            each.wake()


class ScreenSubscription:
    """A client's subscription of a screen: what it was told last, and who is in now."""

    def __init__(self, name: str, screen: ScreenMembers, client: Teller) -> None:
        self.name, self._screen, self._client = name, screen, client
        self._told: frozenset[str] | None = None
        screen.subscriptions.add(self)

    @property
    def has_news(self) -> bool:
        """Whether others are in than it was told."""
        return self._told != self._screen.members

    def wake(self) -> None:
        """Say that messages wait."""
        self._client.wake()

    async def messages(self) -> AsyncIterator[str]:
        """Yield who is in, at first; then who entered and left."""
        if not self.has_news:
            return
        before, now = self._told, self._screen.members
        self._told = now
        if before is None:
            yield message("snapshot", self.name, seq=self._screen.seq, members=sorted(now))
            return
        entered, left = sorted(now - before), sorted(before - now)
        yield message("members", self.name, seq=self._screen.seq, entered=entered, left=left)

    def note(self, seq: int) -> None:
        """Take note of nothing: it is never resumed."""

    def leave(self) -> None:
        """Be told nothing any more."""
        self._screen.subscriptions.discard(self)


class Screens:
    """The screens that are told; those with nobody to tell are forgotten.

    Attributes
    ----------
    names
        All saved screens.
    """

    def __init__(self, names: tuple[str, ...], ask: Ask) -> None:
        self.names, self._ask = names, ask
        self._followed: dict[tuple[str, str], ScreenMembers] = {}

    async def find(self, name: str, timeframe: str, seq: int) -> ScreenMembers:
        """Return a screen's members; `TallowError` if it cannot be asked."""
        key = (name, timeframe)
        if key not in self._followed:
            members = await self._ask(name, timeframe)
            self._followed.setdefault(key, ScreenMembers(name, timeframe, members, seq))
        return self._followed[key]

    async def ask_again(self, next_seq: Callable[[], int]) -> None:
        """Ask all screens that are told; a change of one gets a number."""
        for key, each in list(self._followed.items()):
            if not each.subscriptions:
                self._followed.pop(key, None)
                continue
            try:
                members = await self._ask(each.name, each.timeframe)
            except TallowError:
                # Too much is asked at once, or a file of members is gone: a later bar asks again.
                continue
            if members != each.members:
                each.set(members, next_seq())
