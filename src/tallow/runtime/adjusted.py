"""Adjusted candles for a query: raw ones of the store, times the factors of its actions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import polars as pl

from tallow.data.adjust import (
    FACTOR_SCHEMA,
    Adjustment,
    apply_factors,
    closes_before,
    resolve_factors,
)
from tallow.runtime.stored import StoredCandles

RAW = "raw"


@dataclass(frozen=True)
class AdjustedCandles(StoredCandles):
    """Candles that are adjusted as they are read; see `tallow.data.adjust`.

    An instrument without raw candles has those that came adjusted already, if there are any. `now`
    decides which actions have happened, in microseconds since 1970 UTC.
    """

    now: int
    _factors: dict[str, pl.DataFrame] = field(default_factory=dict, compare=False)
    _raw_names: dict[str, bool] = field(default_factory=dict, compare=False)

    def read(self, names: Sequence[str], start: int | None, end: int | None) -> pl.DataFrame:
        """Return adjusted candles with ``start <= timestamp < end``."""
        raw = self._with_raw(names)
        candles = apply_factors(self._raw.read(raw, start, end), self._factors_of(raw))
        if len(raw) == len(names):
            return candles
        others = super().read([name for name in names if name not in raw], start, end)
        return pl.concat([candles, others]).sort("instrument", "timestamp")

    def changed_between(self, names: Sequence[str], moment: int) -> dict[str, int]:
        """Do as for the candles that these are made of; other factors are another `identity`."""
        changed = super().changed_between(names, moment)
        for name, earliest in self._raw.changed_between(names, moment).items():
            changed[name] = min(earliest, changed.get(name, earliest))
        return changed

    def names(self) -> set[str]:
        """Return all instruments that ever had candles. Reads all keys."""
        return super().names() | self._raw.names()

    def has_interest(self) -> bool:
        """Say whether the candles have open interest."""
        return super().has_interest() or self._raw.has_interest()

    def identity(self, name: str) -> tuple[str, ...]:
        """Return what says which candles an instrument's are, its factors too."""
        raw = self._with_raw([name])
        factors = repr(self._factors_of(raw).rows())
        digest = hashlib.sha256(factors.encode()).hexdigest()
        return (*super().identity(name), str(len(raw)), digest)

    @cached_property
    def _raw(self) -> StoredCandles:
        return StoredCandles(
            self.store, self.timeframe, RAW, self.known_until, self.epoch, self.calendars
        )

    @cached_property
    def _actions(self) -> pl.DataFrame:
        return self.store.actions.read(as_of=self.known_until)

    def _with_raw(self, names: Sequence[str]) -> list[str]:
        """Return the instruments that have raw candles."""
        unknown = [name for name in names if name not in self._raw_names]
        if unknown:
            found = self._raw.changed_between(unknown, 0)
            self._raw_names.update((name, name in found) for name in unknown)
        return [name for name in names if self._raw_names[name]]

    def _factors_of(self, names: Sequence[str]) -> pl.DataFrame:
        unknown = [name for name in names if name not in self._factors]
        own = self._actions.filter(pl.col("instrument").is_in(unknown))
        if len(own):
            adjustment = cast("Adjustment", self.adjustment)
            found = resolve_factors(
                own, adjustment, self.calendars, self._closes_before, now=self.now
            )
            self._factors.update(
                (str(name), factors)
                for (name,), factors in found.partition_by("instrument", as_dict=True).items()
            )
        nothing = pl.DataFrame(schema=FACTOR_SCHEMA)
        for name in unknown:
            self._factors.setdefault(name, nothing)
        return pl.concat([nothing, *(self._factors[name] for name in names)])

    def _closes_before(self, moments: pl.DataFrame) -> pl.Series:
        names = moments["instrument"].unique().sort().to_list()
        return closes_before(self._raw.read(names, None, None), moments)
