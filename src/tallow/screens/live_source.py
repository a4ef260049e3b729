"""The bars of a live engine, as far back as its candles are in memory, for screens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from tallow.core.errors import ScreenError, near_matches
from tallow.core.spec import Spec
from tallow.core.time import END_OF_TIME
from tallow.core.timeframe import parse_timeframe
from tallow.data.store.store import Store
from tallow.data.universe import Universe
from tallow.data.universe_files import find_universe
from tallow.runtime.live.bar_rows import BarRows


class LiveSource:
    """The closed bars that a live engine has in memory, and the open ones.

    `rows` are those of each timeframe, with the columns of the engine's plan.
    """

    has_receipts = False

    def __init__(
        self, names: Sequence[str], rows: dict[str, BarRows], store: Store | None, depth: int
    ) -> None:
        self._names, self._rows, self._store, self._depth = names, rows, store, depth
        self.size, self.until, self.is_present = parse_timeframe("1m"), END_OF_TIME, True
        self.is_whole, self.notes = True, tuple[str, ...]()

    def begin(self, names: Sequence[str] | None, until: int | None, known_at: int | None) -> None:
        """Take of whom is asked: the bars are those of all, as they are."""

    def fetch(
        self, timeframe: str, specs: Sequence[Spec], start: int | None, names: Sequence[str] | None
    ) -> pl.DataFrame:
        """Return the bars of a timeframe; `ScreenError` if the engine lacks it, or an indicator."""
        if timeframe not in self._rows:
            raise ScreenError(
                f"screen: {timeframe}; is no timeframe of this live engine, which has "
                f"{', '.join(self._rows)}; give it to LiveEngine"
            )
        rows = self._rows[timeframe]
        for spec in specs:
            if spec.columns[0] not in rows.fields:
                hint = near_matches(spec.columns[0], rows.fields)
                raise ScreenError(
                    f"screen: {spec.text}; is no indicator of this live engine; give it to "
                    f"LiveEngine(indicators=...); {hint}"
                )
        order = np.argsort(np.array(self._names, dtype=object))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        column = pl.Series("instrument", list(self._names), dtype=pl.String)
        return rows.frame(column, rank, interest=False)

    def require_depth(self, timeframe: str, bars: int) -> None:
        """Raise `ScreenError` if so many bars before the newest are more than memory has."""
        minutes = parse_timeframe(timeframe).minutes
        if minutes and bars * minutes >= self._depth:
            raise ScreenError(
                f"screen: looks {bars} bars of {timeframe} back; this live engine keeps "
                f"{self._depth} candles; give LiveEngine a larger keep="
            )

    def universe(self, given: str | Path | Universe | None) -> Universe | None:
        """Return the universe that is meant, with keys for symbols of a store."""
        universes = None if self._store is None else self._store.universes
        found = find_universe(given, universes)
        return found if found is None or universes is None else universes.by_keys(found)

    def instruments(self) -> Sequence[str]:
        """Return the engine's instruments."""
        return list(self._names)
