"""Whom the old API speaks of: a universe, or all instruments of the store, with their symbols."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from tallow.core.time import from_us, now_us
from tallow.data.store.store import Store


class Members:
    """The stocks of the old groups ``BB_RANGE``, and of its universe.

    Parameters
    ----------
    universe
        The name of a stored universe, whose members of today they are; None for all instruments.
    zone
        By whose date.
    """

    def __init__(self, store: Store, universe: str | None, zone: ZoneInfo) -> None:
        self._store, self._universe, self._zone = store, universe, zone

    def all(self) -> list[str]:
        """Return the instruments with candles, in order; `UniverseError` if there is no list."""
        if self._universe is None:
            return sorted(self._candles())
        today = from_us(now_us()).astimezone(self._zone).date()
        return self.known(self._store.universes.read(self._universe).members(today))

    def known(self, names: Iterable[str]) -> list[str]:
        """Return those names that have candles."""
        found = self._candles()
        return [name for name in dict.fromkeys(names) if name in found]

    def with_minutes(self) -> list[str]:
        """Return those of all that have candles of minutes."""
        found = self._store.names()
        return [name for name in self.all() if name in found]

    def symbols(self) -> dict[str, str]:
        """Return symbols by instrument; whose is not known has none."""
        return dict(self._store.symbols().select("instrument", "symbol").iter_rows())

    def _candles(self) -> set[str]:
        return self._store.names() | self._store.names("1d")
