"""A state of a store as it was known at a moment to who watched the market.

A first version counts as known at its bar's close, and that of a corporate action from its ex-date
on, whenever it was received: history that was filled in later was there all the same. Later
versions count by receipt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import polars as pl

from tallow.data.store.backend import Backend, LogView
from tallow.data.store.log import Selection
from tallow.data.store.reader import StoreReader, StoreState

_FIRST = 1
"""The number of a key's first revision."""


class KnownState(StoreReader):
    """A state without the later versions that were received after a moment."""

    def __init__(self, state: StoreState, known_at: int) -> None:
        self._state, self._known_at = state, known_at

    @property
    def backend(self) -> Backend:
        """The backend that keeps the log."""
        return self._state.backend

    def view(self) -> LogView:
        """Return what was known of the log."""
        return cast("LogView", _KnownView(self._state.view(), self._known_at))


class _KnownView:
    """A view whose scans leave out what a `KnownState` does."""

    def __init__(self, view: LogView, known_at: int) -> None:
        self._view, self._known_at = view, known_at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)

    def scan(
        self, selection: Selection, columns: Sequence[str], skip_damaged: bool = False
    ) -> pl.DataFrame:
        """Return the rows of a selection in the log's order."""
        wanted = list(dict.fromkeys([*columns, "received_at", "revision"]))
        rows = self._view.scan(selection, wanted, skip_damaged)
        is_known = pl.col("received_at").to_physical() <= self._known_at
        return rows.filter(is_known | (pl.col("revision") == _FIRST)).select(columns)
