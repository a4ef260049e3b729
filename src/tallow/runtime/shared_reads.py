"""Rows of a store that several questions of one caller read alike: they are read once."""

from __future__ import annotations

from typing import Any

import polars as pl

from tallow.core.limits import QUERY_ROWS


class SharedReads:
    """What was read of states of a store, by all that it depends on; bounded in rows."""

    def __init__(self) -> None:
        self._frames: dict[Any, pl.DataFrame] = {}
        self._changed: dict[Any, dict[str, int]] = {}
        self._rows = 0

    def of(self, state: Any, epoch: str) -> Any:
        """Return a state whose rows are read once, for as long as this is kept."""
        return _SharedState(state, epoch, self)

    def frame(self, key: Any, state: Any, names: Any, options: dict[str, Any]) -> pl.DataFrame:
        """Return rows, read now or before."""
        found = self._frames.get(key)
        if found is None:
            found = state.read(names, **options)
            self._rows += len(found)
            if self._rows <= QUERY_ROWS:
                self._frames[key] = found
        return found

    def changed(self, key: Any, state: Any, given: Any, options: dict[str, Any]) -> dict[str, int]:
        """Return what has changed, asked now or before."""
        if key not in self._changed:
            self._changed[key] = state.changed_since(*given, **options)
        return self._changed[key]


class _SharedState:
    """A state of a store; see `SharedReads.of`."""

    def __init__(self, state: Any, epoch: str, reads: SharedReads) -> None:
        self._state, self._epoch, self._reads = state, epoch, reads

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)

    def read(self, names: Any, **options: Any) -> pl.DataFrame:
        """Return rows as the state does."""
        key = (self._epoch, tuple(names), *sorted(options.items()))
        return self._reads.frame(key, self._state, names, options)

    def changed_since(self, received: int, names: Any = None, **options: Any) -> dict[str, int]:
        """Return what has changed as the state does."""
        among = None if names is None else tuple(names)
        key = (self._epoch, received, among, *sorted(options.items()))
        return self._reads.changed(key, self._state, (received, names), options)
