"""Adjusted candles for a query: raw ones of the store times the factors of its actions, and others.

A store may hold both raw candles of an instrument and such as came adjusted. Of each time the raw
candle counts where there is one, and else the one that came: by days, weeks or months for candles
of these. What came is adjusted for what had taken effect when it was received; the factors of what
has since are the store's.
"""

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
    apply_later_factors,
    closes_before,
    resolve_factors,
)
from tallow.data.schema import CANDLE_SCHEMA, OPEN_INTEREST
from tallow.data.store.log import current
from tallow.runtime.joined import JoinedCandles
from tallow.runtime.stored import StoredCandles

RAW = "raw"
_COLUMNS = (*CANDLE_SCHEMA, OPEN_INTEREST)
_LONG = {"day": "1d", "week": "1w", "month": "1mo"}


@dataclass(frozen=True)
class _Received(StoredCandles):
    """Candles with a further column, `received_at`."""

    def _kept(self, names: Sequence[str], start: int | None, end: int | None) -> pl.DataFrame:
        kind = {"timeframe": self.timeframe, "adjustment": self.adjustment}
        log = self.store.log(names, **kind, start=start, end=end, as_of=self.known_until)
        return current(log).select(*_COLUMNS, "received_at")


@dataclass(frozen=True)
class AdjustedCandles(JoinedCandles):
    """Candles that are adjusted as they are read; see `tallow.data.adjust`.

    `now` decides which actions have happened, in microseconds since 1970 UTC.
    """

    now: int
    _factors: dict[str, pl.DataFrame] = field(default_factory=dict, compare=False)
    _came_names: dict[str, bool] = field(default_factory=dict, compare=False)

    def read(self, names: Sequence[str], start: int | None, end: int | None) -> pl.DataFrame:
        """Return adjusted candles with ``start <= timestamp < end``."""
        factors = self._factors_of(names)
        raw = apply_factors(self._raw.read(names, start, end), factors)
        came_names = self._with_came(names)
        if not came_names:
            return raw
        came = self.joined.read(came_names, start, end, self._received.read)
        received = came["received_at"].to_physical()
        came = apply_later_factors(came.select(_COLUMNS), factors, received)
        if not len(raw):
            return came
        others = self._slots(came).join(self._slots(raw), on=["instrument", "slot"], how="anti")
        return pl.concat([raw, others.select(_COLUMNS)]).sort("instrument", "timestamp")

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
        factors = repr(self._factors_of([name]).rows())
        digest = hashlib.sha256(factors.encode()).hexdigest()
        return (*super().identity(name), "raw and came", digest)

    @cached_property
    def _raw(self) -> StoredCandles:
        series = (self.store, self.timeframe, RAW, self.known_until, self.epoch, self.calendars)
        return JoinedCandles(*series, self.joined)

    @cached_property
    def _received(self) -> StoredCandles:
        kind = (self.timeframe, self.adjustment)
        return _Received(self.store, *kind, self.known_until, self.epoch, self.calendars)

    @cached_property
    def _actions(self) -> pl.DataFrame:
        return self.store.actions.read(as_of=self.known_until)

    def _with_came(self, names: Sequence[str]) -> list[str]:
        """Return the instruments with candles that came adjusted."""
        unknown = [name for name in names if name not in self._came_names]
        if unknown:
            found = super().changed_between(unknown, 0)
            self._came_names.update((name, name in found) for name in unknown)
        return [name for name in names if self._came_names[name]]

    def _slots(self, candles: pl.DataFrame) -> pl.DataFrame:
        """Return candles with a column `slot`: of one slot, one source's candle counts."""
        every = _LONG.get(self._size.unit)
        time = pl.col("timestamp")
        if every is None:
            return candles.with_columns(slot=time.dt.replace_time_zone(None))
        slot = time.dt.replace_time_zone(None)
        names = candles["instrument"].unique().to_list()
        places = self.calendars.places(names).tolist()
        for place, calendar in enumerate(self.calendars.calendars):
            own = [name for name, at in zip(names, places, strict=True) if at == place]
            here = time.dt.convert_time_zone(calendar.timezone).dt.replace_time_zone(None)
            is_own = pl.col("instrument").is_in(own)
            slot = pl.when(is_own).then(here.dt.truncate(every)).otherwise(slot)
        return candles.with_columns(slot=slot)

    def _factors_of(self, names: Sequence[str]) -> pl.DataFrame:
        unknown = [name for name in names if name not in self._factors]
        own = self.joined.actions(self._actions, unknown)
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
