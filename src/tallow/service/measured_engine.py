"""The live engine of a service: it times its updates, and counts where their rows went."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl

from tallow.data.reading.quarantine import count_rows
from tallow.runtime.live.live_engine import LiveEngine
from tallow.runtime.live.updates import LiveUpdate
from tallow.service.measures import WENT, Measures


class MeasuredEngine(LiveEngine):
    """A live engine with measures; everything else is as for a `LiveEngine`.

    Its updates are timed as ``processing/update``, and the time in which their rows become durable,
    within that, as ``durable/all``.
    """

    def __init__(self, *arguments: Any, measures: Measures, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._measures = measures
        released = self._intake.while_durable

        @contextmanager
        def timed() -> Iterator[None]:
            with measures.timed("durable/all"), released():
                yield

        self._intake.while_durable = timed

    def update(self, candles: Any) -> LiveUpdate:
        """Take candles."""
        with self._measures.timed("processing/update"):
            return self._counted(super().update(candles))

    def update_ticks(self, ticks: Any) -> LiveUpdate:
        """Take ticks."""
        with self._measures.timed("processing/update"):
            return self._counted(super().update_ticks(ticks))

    def delete(self, keys: Any) -> LiveUpdate:
        """Delete candles."""
        with self._measures.timed("processing/update"):
            return self._counted(super().delete(keys))

    def quarantine(self, rows: pl.DataFrame) -> None:
        """Write rows that a feed could not understand to the store's quarantine."""
        super().quarantine(rows)
        count = count_rows(rows)
        self._measures.count_all({"rows/rows_in": count, "rows/quarantined": count})

    def _counted(self, update: LiveUpdate) -> LiveUpdate:
        report = update.report
        self._measures.count_all({f"rows/{name}": getattr(report, name) for name in WENT})
        return update
