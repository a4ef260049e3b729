"""A store that others write to, a live engine on it, and a consumer of what the engine reports."""

from __future__ import annotations

import shutil
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from tallow import AnalyticsEngine, LiveEngine, open_store
from tallow.core.errors import TallowWarning
from tests.runtime.live.markets import Values, frame_of, keys_of

MINUTE_US = 60_000_000
BEGINS = int(datetime(2025, 6, 2, tzinfo=UTC).timestamp()) * 1_000_000
SPECS = "ema(9), sma(4)"
OPTIONS: dict[str, Any] = {
    "timeframes": ["5m", "1h"],
    "indicators": SPECS,
    "calendar": "24/7",
    "keep": 10,
}

Bars = dict[tuple[str, datetime], tuple[Any, ...]]


def rows(name: str, first: int, count: int, shift: float = 0.0) -> pl.DataFrame:
    """Return an instrument's candles of minutes that follow each other, of changing prices."""
    found = {}
    for k in range(first, first + count):
        price = 100.0 + shift + 7 * k % 11
        found[name, BEGINS + k * MINUTE_US] = Values(price, price, price, price, 1.0 + k % 3)
    return frame_of(found, interest=False)


def key(name: str, minute: int) -> pl.DataFrame:
    return keys_of([(name, BEGINS + minute * MINUTE_US)])


class Market:
    """A store in a folder, a live engine on it, and a consumer of what that tells."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.copy, self.state = folder / "store", folder / "copy", folder / "state"
        open_store(self.folder, create=True).close()
        self.live = LiveEngine(**OPTIONS, store=self.folder)
        self.view: dict[str, dict[Any, dict[str, Any]]] = {size: {} for size in ("5m", "1h")}

    def take(self, update: Any) -> None:
        """Keep the row with the higher revision."""
        for size, frame in update.frames.items():
            for row in frame.iter_rows(named=True):
                place = row["instrument"], row["timestamp"]
                if row["revision"] > self.view[size].get(place, {"revision": -1})["revision"]:
                    self.view[size][place] = row

    def update(self, candles: pl.DataFrame) -> None:
        self.call(lambda: self.live.update(candles))

    def catch_up(self) -> None:
        """Let the engine see what others did; then all must agree."""
        self.call(self.live.catch_up)
        self.agree()

    def call(self, act: Any) -> None:
        """Take an update; where it says that history was changed, ask anew for what was asked."""
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", TallowWarning)
            self.take(act())
        if any("history was removed or replaced" in str(each.message) for each in said):
            for size, kept in self.view.items():
                wanted = self.ask(size)
                for place in [place for place, row in kept.items() if not row["revision"]]:
                    del kept[place]
                    if place in wanted:
                        kept[place] = wanted[place]

    def ask(self, size: str) -> dict[Any, dict[str, Any]]:
        """Return the bars of the store, as rows of before all revisions."""
        with open_store(self.folder) as store:
            stored = store.read()
        run = AnalyticsEngine("24/7", threads=1).process_candles(stored, size, SPECS)
        rows = run.frame.iter_rows(named=True)
        return {(row["instrument"], row["timestamp"]): row | {"revision": 0} for row in rows}

    def agree(self) -> None:
        with open_store(self.folder) as store:
            stored = store.read()
        engine = AnalyticsEngine("24/7", threads=1)
        for size, kept in self.view.items():
            wanted = engine.process_candles(stored, size, SPECS).frame.drop("open_interest")
            names = [name for name in wanted.columns if name != "is_final"]
            told = [{name: row[name] for name in names} for row in kept.values() if row["candles"]]
            assert bars(pl.DataFrame(told, schema=wanted.select(names).schema)) == bars(
                wanted.select(names)
            )
            last = wanted.group_by("instrument").last()
            assert bars(self.live.latest(size).select(names)) == bars(last.select(names))

    def put_back(self) -> None:
        """Put the copy of the store's folder where the store is."""
        shutil.rmtree(self.folder)
        shutil.copytree(self.copy, self.folder)

    def resume(self) -> None:
        """Kill the engine, and go on from its file.

        Where that is refused, nobody knows what was told: the consumer asks for all there is.
        """
        with warnings.catch_warnings(record=True) as refused:
            warnings.simplefilter("always", TallowWarning)
            self.live = LiveEngine.load(self.state, **OPTIONS, store=self.folder)
        self.refused = [str(each.message) for each in refused]
        if refused:
            self.view = {size: self.ask(size) for size in self.view}


def bars(frame: pl.DataFrame) -> Bars:
    return {row[:2]: row[2:] for row in frame.rows()}
