"""Rows of a store that several questions of one caller read alike: they are read once.

The questions are answered side by side, a batch of instruments each in turn, so that no more than a
batch's rows have to be kept.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, TypeVar

import polars as pl

from tallow.core.limits import QUERY_ROWS

T = TypeVar("T")


def side_by_side(making: Sequence[Generator[None, None, T]]) -> list[T]:
    """Run generators in turns, from pause to pause; return what each of them returns."""
    found: dict[int, T] = {}
    left = dict(enumerate(making))
    while left:
        for number, each in list(left.items()):
            try:
                next(each)
            except StopIteration as done:
                found[number] = done.value
                del left[number]
    return [found[number] for number in range(len(making))]


class SharedReads:
    """What was read last of a state of a store; bounded in rows."""

    def __init__(self) -> None:
        self._frames: dict[Any, pl.DataFrame] = {}
        self._changed: dict[Any, dict[str, int]] = {}

    def of(self, state: Any) -> Any:
        """Return a state whose rows are read once, for as long as this is kept."""
        return _SharedState(state, self)

    def frame(self, key: Any, state: Any, names: Any, options: dict[str, Any]) -> pl.DataFrame:
        """Return rows, read now or shortly before."""
        found = self._frames.pop(key, None)
        if found is None:
            found = state.read(names, **options)
        self._frames[key] = found
        while len(self._frames) > 1 and sum(map(len, self._frames.values())) > QUERY_ROWS:
            # The oldest: what others ask for comes soon after it was first asked for.
            del self._frames[next(iter(self._frames))]
        return found

    def changed(self, key: Any, state: Any, given: Any, options: dict[str, Any]) -> dict[str, int]:
        """Return what has changed, asked now or before."""
        if key not in self._changed:
            self._changed[key] = state.changed_since(*given, **options)
        return self._changed[key]


class _SharedState:
    """A state of a store; see `SharedReads.of`."""

    def __init__(self, state: Any, reads: SharedReads) -> None:
        self._state, self._reads = state, reads

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)

    def read(self, names: Any, **options: Any) -> pl.DataFrame:
        """Return rows as the state does."""
        key = (_among(names), *sorted(options.items()))
        return self._reads.frame(key, self._state, names, options)

    def changed_since(self, received: int, names: Any = None, **options: Any) -> dict[str, int]:
        """Return what has changed as the state does."""
        key = (received, _among(names), *sorted(options.items()))
        return self._reads.changed(key, self._state, (received, names), options)


def _among(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
