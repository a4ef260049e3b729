"""What a store must hold, as a dictionary: for each key of a series, its revisions.

It is written from the store's promises alone, a key at a time; it knows of no frame, file or lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import polars as pl

from tallow.data.reading.schema import TIME_TYPE
from tallow.data.store.store import Store
from tallow.data.store.write import WriteReport

FIRST = 1_748_749_500_000_000
"""2025-06-01 03:45 UTC, in microseconds: on the grid of every timeframe that the tests use."""
MINUTE = 60_000_000

Kind = tuple[str, str]
Key = tuple[str, int]
ONE: Mapping[str, Any] = {"source_timeframe": "1m"}
"""What candles of a minute are written with."""

RAW: Kind = ("1m", "raw")


class Values(NamedTuple):
    """What a candle says."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    open_interest: float | None = None


class Revision(NamedTuple):
    """One row of the log; `values` is None for a deletion."""

    received_at: int
    values: Values | None


def flat(price: float, open_interest: float | None = None) -> Values:
    """Return a candle without movement."""
    return Values(price, price, price, price, 10.0, open_interest)


def at(minute: int) -> int:
    """Return the time of a minute after `FIRST`."""
    return FIRST + minute * MINUTE


def keys_frame(keys: Iterable[Key]) -> pl.DataFrame:
    """Return keys as a frame."""
    schema = {"instrument": pl.String(), "timestamp": pl.Int64()}
    return pl.DataFrame(list(keys), schema, orient="row").cast({"timestamp": TIME_TYPE})


def candle_frame(candles: Mapping[Key, Values]) -> pl.DataFrame:
    """Return candles as a frame, in the mapping's order."""
    values = pl.DataFrame(
        list(candles.values()), dict.fromkeys(Values._fields, pl.Float64()), orient="row"
    )
    return pl.concat([keys_frame(candles), values], how="horizontal")


@dataclass
class Model:
    """A log as it must be; its methods answer what the store's must answer."""

    rows: dict[Kind, dict[Key, list[Revision]]] = field(default_factory=dict)
    last_received: int = 0

    def write(self, candles: Mapping[Key, Values], now: int, kind: Kind = RAW) -> tuple[int, ...]:
        """Take a write in; return how many of its rows were new, identical and revised."""
        held, moment = self.rows.setdefault(kind, {}), max(now, self.last_received + 1)
        counts = [0, 0, 0]
        for key, said in candles.items():
            before = held[key][-1].values if key in held else None
            # A candle that says nothing about open interest leaves it as it was known.
            values = said
            if before is not None and said.open_interest is None:
                values = said._replace(open_interest=before.open_interest)
            if values == before:
                counts[1] += 1
                continue
            counts[2 if key in held else 0] += 1
            held.setdefault(key, []).append(Revision(moment, values))
            self.last_received = moment
        return tuple(counts)

    def delete(self, keys: Iterable[Key], now: int, kind: Kind = RAW) -> tuple[int, ...]:
        """Take a deletion in; return the counts as `write` does."""
        held, moment = self.rows.setdefault(kind, {}), max(now, self.last_received + 1)
        counts = [0, 0, 0]
        for key in keys:
            if key not in held or held[key][-1].values is None:
                counts[1] += 1
                continue
            counts[2] += 1
            held[key].append(Revision(moment, None))
            self.last_received = moment
        return tuple(counts)

    def read(self, kind: Kind = RAW, known_at: int | None = None) -> list[tuple]:
        """Return the candles known at a moment, in order."""
        found = []
        for key, revisions in sorted(self.rows.get(kind, {}).items()):
            known = [r for r in revisions if known_at is None or r.received_at <= known_at]
            if known and known[-1].values is not None:
                found.append((*key, *known[-1].values))
        return found

    def log(self, kind: Kind = RAW) -> list[tuple]:
        """Return instrument, time, revision, receipt time and close of every revision, in order."""
        return [
            (*key, number, r.received_at, None if r.values is None else r.values.close)
            for key, revisions in sorted(self.rows.get(kind, {}).items())
            for number, r in enumerate(revisions, 1)
        ]

    def has_interest(self, kind: Kind = RAW) -> bool:
        """Say whether any revision of a kind has open interest."""
        rows = [r for revisions in self.rows.get(kind, {}).values() for r in revisions]
        return any(r.values is not None and r.values.open_interest is not None for r in rows)

    def receipts(self) -> list[int]:
        """Return all receipt times, in order."""
        return sorted(
            {
                revision.received_at
                for held in self.rows.values()
                for revisions in held.values()
                for revision in revisions
            }
        )


def read(store: Store, kind: Kind = RAW, **limits) -> list[tuple]:
    """Return what a store reads, as `Model.read` does."""
    frame = store.read(source_timeframe=kind[0], adjustment=kind[1], **limits)
    return frame.with_columns(pl.col("timestamp").to_physical()).rows()


def log(store: Store, kind: Kind = RAW) -> list[tuple]:
    """Return what a store's log holds, as `Model.log` does."""
    frame = store.log(source_timeframe=kind[0], adjustment=kind[1])
    times = frame.with_columns(pl.col(pl.Datetime).to_physical())
    return times.select("instrument", "timestamp", "revision", "received_at", "close").rows()


def counts(report: WriteReport) -> tuple[int, int, int]:
    """Return how many rows were new, identical and revised; all of them are accounted for."""
    assert report.rows_in == report.new + report.identical + report.revised + report.quarantined
    return report.new, report.identical, report.revised
