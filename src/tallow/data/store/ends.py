"""How far the series of a log go: a candle that is later than all is new, and nothing is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import time_view

if TYPE_CHECKING:
    from tallow.data.store.view import DeltaView

Kind = tuple[str, str]
"""A timeframe and an adjustment."""


class SeriesEnds:
    """The latest times of a log's series, as this process's writes left it.

    Where anybody else wrote since, each series may go as far as the longest of its kind. Inside the
    log's lock.
    """

    def __init__(self) -> None:
        self._state: tuple[int, int] | None = None
        self._limits: dict[Kind, int] = {}
        self._last: dict[tuple[Kind, str], int] = {}

    def all_before(
        self, view: DeltaView, kind: Kind, names: Sequence[str], firsts: Sequence[int]
    ) -> bool:
        """Say whether a state has no row of instruments from given times on, as far as is known."""
        if self._state != _state(view):
            self._state = _state(view)
            self._limits, self._last = {}, {}
        if kind not in self._limits:
            self._limits[kind] = view.latest_time(*kind)
        limit, last = self._limits[kind], self._last
        return all(
            first > last.get((kind, name), limit) for name, first in zip(names, firsts, strict=True)
        )

    def note(self, view: DeltaView, received: int, rows: pl.DataFrame) -> None:
        """Note rows of one kind, in the log's order, that were added to a state: their receipt."""
        kind = rows["timeframe"][0], rows["adjustment"][0]
        if self._state != _state(view) or kind not in self._limits:
            return
        self._state = view.files.version, received
        limit, times = self._limits[kind], time_view(rows)
        names, offsets = instrument_runs(rows)
        for name, last in zip(names, times[offsets[1:] - 1].tolist(), strict=True):
            self._last[kind, name] = max(last, self._last.get((kind, name), limit))


def _state(view: DeltaView) -> tuple[int, int]:
    return view.files.version, view.last_received
