"""Futures: the candles after a moment as they might have come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.data.reading.schema import OPEN_INTEREST, PRICES

CAME: Final = "later candles"
PRICES_CHANGE: Final = "later prices"
VOLUMES_CHANGE: Final = "later volumes"
CORRECTED: Final = "later corrections"
OTHERS: Final = "other instruments' later candles"
NEWCOMERS: Final = "instruments that appear later"

CORRECTED_SHARE: Final = 0.1
"""Share of the later candles that a correction changes."""

MOVES: Final = (None, 4.0, 0.25)
"""What later prices are times: each candle's a random factor, or all up, or all down. What asks
whether a price is above another one needs both."""

HALVES: Final = 4
"""Two ways to part the instruments, two halves each."""

FIRST, LAST = "!", "~"
"""What the keys of newcomers begin with: one stands before all others, one behind them."""


@dataclass(frozen=True)
class Future:
    """One way in which the candles after a moment might have come.

    Attributes
    ----------
    change
        What is changed of them, in words; of `CAME` nothing is: they come, or do not.
    variant
        Of `PRICES_CHANGE`: an index of `MOVES`. Of `OTHERS`: which half of the instruments changes,
        by their numbers' last two bits; rows of the other half are compared.
    """

    change: str
    variant: int = 0


class Futures:
    """A history whose later candles can be changed: the same candle always in the same way.

    Parameters
    ----------
    candles
        Sorted by instrument and timestamp, in one chunk.
    seed
        Of the changes.
    """

    def __init__(self, candles: pl.DataFrame, seed: int) -> None:
        self.candles = candles
        self.times: Times = candles["timestamp"].dt.epoch("us").to_numpy()
        self.codes: Ints = candles["instrument"].rle_id().to_numpy().astype(np.int64)
        random = np.random.default_rng(seed)
        prices, volumes = np.exp(random.normal(0.0, (1.0, 2.0), (len(candles), 2))).T
        slight = 1.0 + random.uniform(-0.05, 0.05, len(candles))
        self._is_corrected = random.random(len(candles)) < CORRECTED_SHARE
        moves = [_prices(candles, prices if factor is None else factor) for factor in MOVES]
        traded = _volumes(candles, volumes)
        self._changed = {
            PRICES_CHANGE: moves,
            VOLUMES_CHANGE: [traded],
            CORRECTED: [_prices(candles, slight).hstack(traded)],
            OTHERS: [moves[0].hstack(traded)] * HALVES,
        }
        self._newcomers = [
            candles.with_columns((prefix + candles["instrument"]).alias("instrument"), *moves[0])
            for prefix in (FIRST, LAST)
        ]

    def all(self) -> list[Future]:
        """Return all futures but `CAME`."""
        moves = [Future(PRICES_CHANGE, variant) for variant in range(len(MOVES))]
        halves = [Future(OTHERS, variant) for variant in range(HALVES)]
        parted = [each for each in halves if 0 < self.is_changed(each).sum() < len(self.codes)]
        return [*moves, *map(Future, (VOLUMES_CHANGE, CORRECTED, NEWCOMERS)), *parted]

    def past(self, moment: int) -> pl.DataFrame:
        """Return the candles that opened before a moment, in microseconds: what is known then."""
        return self.candles.filter(self.times < moment)

    def changed(self, future: Future, where: Flags, gone: Flags | None = None) -> pl.DataFrame:
        """Return the history, changed in some of its candles, and without those that are `gone`."""
        frame = self.candles
        if future.change == NEWCOMERS:
            frame = pl.concat([frame, *(each.filter(where) for each in self._newcomers)])
            gone = None if gone is None else np.concatenate([gone, np.zeros(2 * where.sum(), bool)])
            frame = frame if gone is None else frame.filter(~gone)
            return frame.sort("instrument", "timestamp").rechunk()
        if future.change != CAME:
            mask = pl.Series(where & self.is_changed(future))
            changed = self._changed[future.change][future.variant]
            frame = frame.with_columns(
                changed[name].zip_with(mask, frame[name]) for name in changed.columns
            )
        return frame if gone is None else frame.filter(~gone)

    def names_changed(self, future: Future) -> list[str]:
        """Return the instruments of which a future changes candles."""
        changed = self.candles["instrument"].filter(self.is_changed(future))
        return changed.unique(maintain_order=True).to_list()

    def is_changed(self, future: Future) -> Flags:
        """Say which candles a future would change."""
        if future.change == CORRECTED:
            return self._is_corrected
        if future.change == OTHERS:
            bit, side = divmod(future.variant, 2)
            changed: Flags = (self.codes >> bit) % 2 == side
            return changed
        return np.ones(len(self.candles), dtype=np.bool_)


def _prices(candles: pl.DataFrame, factor: Floats | float) -> pl.DataFrame:
    """Return the prices, each candle's times one factor, so that they still fit together."""
    return pl.DataFrame([candles[name] * factor for name in PRICES])


def _volumes(candles: pl.DataFrame, factor: Floats) -> pl.DataFrame:
    """Return volume, in whole numbers above 0, and open interest, times a factor each."""
    columns = [(candles["volume"] * factor).floor() + 1.0]
    if OPEN_INTEREST in candles.columns:
        columns.append(candles[OPEN_INTEREST] * factor)
    return pl.DataFrame(columns)
