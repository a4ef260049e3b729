"""Adjusted candles for a query: raw ones of the store times the factors of its actions, and others.

A store may have both raw and already adjusted candles of an instrument. Of each time the raw
candle counts where there is one, and else the one that came: by days, weeks or months for candles
of these. What came is adjusted for what had taken effect when it was received; the factors of what
has since are the store's. Candles that came adjusted for splits are multiplied by the factors of
dividends where these are asked for. There is no other way: what came adjusted for dividends too
cannot be taken back, and an instrument that has nothing else of a day is refused in words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import cast

import polars as pl

from tallow.core.text import counted
from tallow.core.time import WEEK_US
from tallow.data.adjust import (
    ADJUSTMENTS,
    FACTOR_SCHEMA,
    Adjustment,
    apply_factors,
    apply_later_factors,
    begins_in_doubt,
    closes_before,
    last_before,
    resolve_factors,
)
from tallow.data.joins import Read
from tallow.data.reading.schema import CANDLE_COLUMNS
from tallow.data.store.log import current_rows
from tallow.runtime.stored import JoinedCandles, StoredCandles

RAW = "raw"
SPLIT, TOTAL, DIVIDENDS = "split", "total", "dividends"
_LONG = {"day": "1d", "week": "1w", "month": "1mo"}
_YEAR_US = 53 * WEEK_US

_VERSION = 2
"""Rises where the same candles and factors give other prices."""


@dataclass(frozen=True)
class _ReceivedCandles(JoinedCandles):
    """Candles with a further column, `received_at`."""

    def _kept(self, names: Sequence[str], start: int | None, end: int | None) -> pl.DataFrame:
        kind = {"source_timeframe": self.timeframe, "adjustment": self.adjustment}
        log = self.store.log(names, **kind, start=start, end=end, known_at=self.known_until)
        return current_rows(log).select(*CANDLE_COLUMNS, "received_at")


@dataclass(frozen=True)
class AdjustedCandles(JoinedCandles):
    """Candles that are adjusted as they are read; see `tallow.data.adjust`.

    `now` decides which actions have happened, in microseconds since 1970 UTC.
    """

    now: int
    _refused: dict[str, str] = field(default_factory=dict, compare=False)
    _factors: dict[tuple[str, str], pl.DataFrame] = field(default_factory=dict, compare=False)
    _came_names: dict[tuple[str, str], bool] = field(default_factory=dict, compare=False)

    @property
    def refused(self) -> dict[str, str]:
        """Instruments that were read and whose candles cannot be given, and why."""
        return self._refused

    def read(self, names: Sequence[str], start: int | None, end: int | None) -> pl.DataFrame:
        """Return adjusted candles with ``start <= timestamp < end``, of those not refused."""
        rows, why = self._all(names, start, end)
        self._refused.update(why)
        return rows.filter(~pl.col("instrument").is_in(list(why))) if why else rows

    def changed_between(self, names: Sequence[str], moment: int) -> dict[str, int]:
        """Do as for the candles that these are made of; other factors are another `identity`."""
        changed: dict[str, int] = {}
        for series in self._series:
            for name, earliest in series.changed_between(names, moment).items():
                changed[name] = min(earliest, changed.get(name, earliest))
        return changed

    def names(self) -> set[str]:
        """Return all instruments that ever had candles."""
        return set[str]().union(*(series.names() for series in self._series))

    def has_interest(self) -> bool:
        """Say whether the candles have open interest."""
        return any(series.has_interest() for series in self._series)

    def identity(self, name: str) -> tuple[str, ...]:
        """Return what identifies an instrument's candles, with its factors."""
        factors = repr(self._factors_of([name], self.adjustment).rows())
        digest = hashlib.sha256(factors.encode()).hexdigest()
        return (*super().identity(name), f"raw and came {_VERSION}", digest)

    def factors(self, names: Sequence[str]) -> pl.DataFrame:
        """Return the factors of instruments; columns of `FACTOR_SCHEMA`."""
        return self._factors_of(names, self.adjustment)

    def _names_with_rows(self, names: Sequence[str], start: int, end: int) -> set[str]:
        return set(self._all(names, start, end)[0]["instrument"])

    def _all(
        self, names: Sequence[str], start: int | None, end: int | None
    ) -> tuple[pl.DataFrame, dict[str, str]]:
        """Return adjusted candles, and which instruments lack some that were asked for, and why."""
        factors = self._factors_of(names, self.adjustment)
        rows = self._adjusted(self._raw.read, names, start, end, factors)
        came_names = self._with_came(self.adjustment, names)
        if came_names:
            came = self._came.read(came_names, start, end)
            received = came["received_at"].to_physical()
            came = apply_later_factors(came.select(CANDLE_COLUMNS), factors, received)
            rows = self._with_others(rows, came, self._unit)
        why = self._unknown_factors(rows, factors)
        other_names = self._with_came(self._other.adjustment, names)
        if other_names and self.adjustment == TOTAL:
            rows = self._with_others(rows, self._from_split(other_names, start, end), self._unit)
            why |= self._unknown_factors(rows, factors)
        elif other_names:
            why |= self._not_given(rows, self._other.read(other_names, start, end))
        return rows, why

    def _adjusted(
        self,
        read: Read,
        names: Sequence[str],
        start: int | None,
        end: int | None,
        factors: pl.DataFrame,
    ) -> pl.DataFrame:
        """Return candles times their factors, as if all before them had been read."""
        rows = read(names, start, end)
        if start is None:
            return apply_factors(rows, factors)
        low = start
        for begin in (start - WEEK_US, start - _YEAR_US, None):
            doubtful = begins_in_doubt(rows, factors)
            if not doubtful:
                break
            earlier = read(doubtful, begin, low)
            rows = pl.concat([earlier, rows]).sort("instrument", "timestamp")
            low = start if begin is None else begin
        return apply_factors(rows, factors).filter(pl.col("timestamp").to_physical() >= start)

    def _from_split(self, names: Sequence[str], start: int | None, end: int | None) -> pl.DataFrame:
        """Return candles that came adjusted for splits, adjusted for dividends, too."""
        dividends = self._factors_of(names, DIVIDENDS)
        rows = self._adjusted(self._other.read, names, start, end, dividends)
        received = rows["received_at"].to_physical()
        return apply_later_factors(
            rows.select(CANDLE_COLUMNS), self._factors_of(names, SPLIT), received
        )

    # What cannot be given

    def _unknown_factors(self, rows: pl.DataFrame, factors: pl.DataFrame) -> dict[str, str]:
        """Say which rows need a dividend's factor that is not known."""
        unknown = factors.filter(pl.col("price_factor").is_nan())
        if not len(unknown):
            return {}
        needed = rows.filter(pl.col("close").is_nan())["instrument"].unique()
        last = unknown.filter(pl.col("instrument").is_in(needed.implode()))
        return {
            name: (
                f"query: adjustment={self.adjustment!r}; the dividend that took effect at "
                f"{until.isoformat()} is given by its amount, and the candles before it came "
                "adjusted, so that no raw close says its factor; give it as a factor, or write "
                "the raw candles of the session before it"
            )
            for name, until in last.group_by("instrument").agg(pl.col("until").max()).iter_rows()
        }

    def _not_given(self, rows: pl.DataFrame, other: pl.DataFrame) -> dict[str, str]:
        """Say which candles there are only adjusted for more than was asked."""
        lost = self._without(other, rows, self._unit or "1d")
        spans = lost.group_by("instrument").agg(
            pl.col("timestamp").min().alias("first"),
            pl.col("timestamp").max().alias("last"),
            pl.len().alias("rows"),
        )
        return {
            row["instrument"]: (
                f"query: adjustment={self.adjustment!r}; {counted(row['rows'], 'candle')}, from "
                f"{row['first'].isoformat()} to {row['last'].isoformat()}, came adjusted for "
                "dividends too, which cannot be taken back; ask for adjustment='total', or write "
                "raw candles of that time"
            )
            for row in spans.iter_rows(named=True)
        }

    # The series of the store

    @cached_property
    def _series(self) -> list[StoredCandles]:
        return [self._raw, self._came, self._other]

    @cached_property
    def _raw(self) -> StoredCandles:
        return self._of(JoinedCandles, RAW)

    @cached_property
    def _came(self) -> StoredCandles:
        return self._of(_ReceivedCandles, self.adjustment)

    @cached_property
    def _other(self) -> StoredCandles:
        """Candles that came adjusted in the way that was not asked for."""
        (other,) = ADJUSTMENTS.keys() - {self.adjustment}
        return self._of(_ReceivedCandles, other)

    def _of(self, kind: type[JoinedCandles], adjustment: str) -> StoredCandles:
        moment = (self.known_until, self.epoch, self.calendars)
        return kind(self.store, self.timeframe, adjustment, *moment, self.joined)

    @cached_property
    def _actions(self) -> pl.DataFrame:
        return self.store.actions.read(known_at=self.known_until)

    def _with_came(self, adjustment: str, names: Sequence[str]) -> list[str]:
        """Return the instruments with candles that came adjusted so."""
        unknown = [name for name in names if (adjustment, name) not in self._came_names]
        if unknown:
            series = self._came if adjustment == self.adjustment else self._other
            found = series.changed_between(unknown, 0)
            self._came_names.update(((adjustment, name), name in found) for name in unknown)
        return [name for name in names if self._came_names[adjustment, name]]

    # Which candle counts

    @property
    def _unit(self) -> str | None:
        return _LONG.get(self._size.unit)

    def _with_others(
        self, rows: pl.DataFrame, others: pl.DataFrame, every: str | None
    ) -> pl.DataFrame:
        """Return candles, and others where they have none."""
        if not len(rows):
            return others
        more = self._without(others, rows, every)
        return pl.concat([rows, more]).sort("instrument", "timestamp") if len(more) else rows

    def _without(
        self, candles: pl.DataFrame, others: pl.DataFrame, every: str | None
    ) -> pl.DataFrame:
        """Return those candles of whose slot there is no other one."""
        slots = (self._slots(each, every) for each in (candles, others))
        lone = next(slots).join(next(slots), on=["instrument", "slot"], how="anti")
        return lone.select(CANDLE_COLUMNS)

    def _slots(self, candles: pl.DataFrame, every: str | None) -> pl.DataFrame:
        """Return candles with a column `slot`: of one slot, one source's candle counts."""
        time = pl.col("timestamp")
        slot = time.dt.replace_time_zone(None)
        if every is None:
            return candles.with_columns(slot=slot)
        names = candles["instrument"].unique().to_list()
        places = self.calendars.indices(names).tolist()
        for place, calendar in enumerate(self.calendars.calendars):
            own = [name for name, at in zip(names, places, strict=True) if at == place]
            here = time.dt.convert_time_zone(calendar.timezone).dt.replace_time_zone(None)
            is_own = pl.col("instrument").is_in(own)
            slot = pl.when(is_own).then(here.dt.truncate(every)).otherwise(slot)
        return candles.with_columns(slot=slot)

    # Factors

    def _factors_of(self, names: Sequence[str], which: str) -> pl.DataFrame:
        """Return the factors of an adjustment, or of dividends alone."""
        unknown = [name for name in names if (which, name) not in self._factors]
        own = self.joined.actions(self._actions, unknown)
        if which == DIVIDENDS:
            own = own.filter(kind="dividend")
        if len(own):
            adjustment = cast("Adjustment", TOTAL if which == DIVIDENDS else which)
            found = resolve_factors(
                own, adjustment, self.calendars, self._closes_before, now=self.now
            )
            self._factors.update(
                ((which, str(name)), factors)
                for (name,), factors in found.partition_by("instrument", as_dict=True).items()
            )
        nothing = pl.DataFrame(schema=FACTOR_SCHEMA)
        for name in unknown:
            self._factors.setdefault((which, name), nothing)
        return pl.concat([nothing, *(self._factors[which, name] for name in names)])

    def _closes_before(self, moments: pl.DataFrame) -> pl.Series:
        """Return raw closes; NaN where the candles of the session before came adjusted."""
        names = moments["instrument"].unique().sort().to_list()
        raw = self._raw.read(names, None, None)
        closes = closes_before(raw, moments)
        for series in (self._came, self._other):
            came_names = self._with_came(series.adjustment, names)
            if came_names:
                came = series.read(came_names, None, None).select(CANDLE_COLUMNS)
                later = (
                    self._last_days(came, moments)
                    > self._last_days(raw, moments).fill_null(date.min)
                ).fill_null(value=False)
                closes = pl.select(pl.when(later).then(float("nan")).otherwise(closes)).to_series()
        return closes.alias("close")

    def _last_days(self, candles: pl.DataFrame, moments: pl.DataFrame) -> pl.Series:
        days = self._slots(candles, "1d")["slot"].cast(pl.Date)
        return last_before(candles, moments, days)
