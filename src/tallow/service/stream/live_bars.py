"""The last bars of the live engine, as the stream's snapshots have them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Protocol, TypeVar
from weakref import WeakValueDictionary

from tallow.data.universe import Universe
from tallow.plan.plan import Plan
from tallow.runtime.live.live_engine import LiveEngine
from tallow.service.errors import BusyError
from tallow.service.limits import STREAM_READS_MAX
from tallow.service.stream.encoding import Columns

T = TypeVar("T")

BUSY_SECONDS = 0.05
"""After how long a read that was refused is tried again."""


_TYPES = {"names": "string"}
"""Kinds of outputs that are called otherwise where their texts are told."""


class ReadBeside(Protocol):
    """Does a read beside the loop."""

    def __call__(self, work: Callable[[], T]) -> Awaitable[T]:
        """Return what the read returns."""
        ...


class LiveBars:
    """A live engine's bars, read beside the loop; `universe` finds one by its name.

    Attributes
    ----------
    plan
        The plan of its indicators.
    """

    def __init__(
        self, live: LiveEngine, plan: Plan, read: ReadBeside, universe: Callable[[str], Universe]
    ) -> None:
        self.plan, self._live, self._read, self._universe = plan, live, read, universe
        self._turns = asyncio.Semaphore(STREAM_READS_MAX)
        self._columns = WeakValueDictionary[tuple[str, ...], Columns]()

    @property
    def timeframes(self) -> tuple[str, ...]:
        """The engine's timeframes."""
        return self._live.timeframes

    @property
    def types(self) -> dict[str, str]:
        """The types in frames of columns that are not float64, by their names."""
        kinds = self.plan.kinds
        found = {name: kinds[name].kind for name in self.plan.columns if name in kinds}
        return {name: _TYPES.get(kind, kind) for name, kind in found.items() if kind != "float64"}

    @property
    def every_name(self) -> list[str]:
        """All instruments, by number."""
        return self._live.names

    def names(self, wanted: Iterable[str] | None) -> list[str]:
        """Return the instruments that are there, of some or of all, sorted."""
        known = self._live.names
        return sorted(known if wanted is None else set(wanted).intersection(known))

    def columns(self, chosen: tuple[str, ...]) -> Columns:
        """Return the columns of rows, the same object for the same choice."""
        found = self._columns.get(chosen)
        if found is None:
            found = Columns(self.plan.columns, chosen, self.plan.kinds)
            self._columns[chosen] = found
        return found

    async def texts(self, timeframe: str, names: list[str], columns: Columns) -> list[str]:
        """Return the last bars of some instruments as texts."""
        async with self._turns:
            while True:
                # Many clients that connect at once wait for each other, and for readers of HTTP.
                with contextlib.suppress(BusyError):
                    return await self._read(
                        lambda: columns.texts_of_frame(
                            timeframe, self._live.latest(timeframe, names)
                        )
                    )
                await asyncio.sleep(BUSY_SECONDS)

    async def members(self, universe: str, among: list[str] | None) -> list[str]:
        """Return the members of a universe today, of some or of all instruments."""
        today = datetime.now(UTC).date()
        found = await self._read(lambda: self._universe(universe).members(today))
        return found if among is None else [name for name in among if name in set(found)]

    async def screened(
        self, saved: Mapping[str, str], screen: str, timeframe: str
    ) -> frozenset[str]:
        """Return the instruments that match a saved screen."""
        answer = await self._read(lambda: self._live.screen(screen, timeframe, saved=saved))
        return frozenset(answer.frame["instrument"].to_list())
