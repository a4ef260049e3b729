"""What reading gives: the candles, the rows that were set aside, and the counts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from tallow.core.timeframe import Timeframe
from tallow.data.reading.quarantine import count_by_rule, count_rows
from tallow.data.reading.runs import Runs


@dataclass(frozen=True)
class ReadReport:
    """How an input was read.

    Attributes
    ----------
    rows_in
        Rows of the input; always `accepted` + `repeated` + `quarantined`.
    accepted
        Rows of the candle frame.
    repeated
        Rows that said again exactly what another row says, and were dropped.
    quarantined
        Rows set aside.
    by_rule
        Quarantined rows by the rule they broke first.
    sources
        The files that were read, or ``("frame",)``.
    ignored_columns
        Columns that no field was read from.
    instruments
        Instruments in the candle frame.
    first, last
        Earliest and latest candle's open, in UTC; None without candles.
    """

    rows_in: int
    accepted: int
    repeated: int
    quarantined: int
    by_rule: dict[str, int]
    sources: tuple[str, ...]
    ignored_columns: tuple[str, ...]
    instruments: int
    first: datetime | None
    last: datetime | None

    def __post_init__(self) -> None:
        assert self.rows_in == self.accepted + self.repeated + self.quarantined, self
        assert sum(self.by_rule.values()) == self.quarantined, self


@dataclass(frozen=True, repr=False)
class Candles:
    """Candles that keep every rule, with everything that was left out of them.

    Attributes
    ----------
    frame
        Columns of `data.reading.schema.CANDLE_SCHEMA`, `open_interest` after them where the input
        has it; sorted by instrument and timestamp, unique in them, no nulls but in `open_interest`.
    quarantine
        Columns of `tallow.data.reading.quarantine.QUARANTINE_SCHEMA`, in the order of the input.
    report
        The counts.
    source_timeframe
        How long each candle lasts.
    native
        What the caller gave, and gets back: ``polars``, ``pandas`` or ``pyarrow``.
    runs
        The instruments, and where the rows of each begin, where reading has found that out.
    """

    frame: pl.DataFrame
    quarantine: pl.DataFrame
    report: ReadReport
    source_timeframe: Timeframe
    native: str = "polars"
    runs: Runs | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        first, last = self.report.first, self.report.last
        span = f", {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC" if first and last else ""
        return (
            f"Candles({len(self):,} x {self.source_timeframe}, "
            f"{self.report.instruments:,} instruments{span}, "
            f"{self.report.quarantined:,} quarantined)"
        )


def with_more(candles: Candles, repeated: int, aside: pl.DataFrame | None) -> Candles:
    """Return candles with rows that were told apart before they were read: counted, and kept."""
    quarantine, report = candles.quarantine, candles.report
    if aside is not None:
        quarantine = pl.concat([quarantine, aside], how="diagonal")
    quarantined = count_rows(quarantine)
    report = replace(
        report,
        rows_in=report.rows_in + repeated + quarantined - report.quarantined,
        repeated=report.repeated + repeated,
        quarantined=quarantined,
        by_rule=count_by_rule(quarantine),
    )
    return replace(candles, quarantine=quarantine, report=report)
