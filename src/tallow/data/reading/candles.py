"""What reading gives: the candles, the quarantined rows, and the counts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

import polars as pl

from tallow.core.text import counted, to_html
from tallow.core.timeframe import Timeframe
from tallow.data.reading.quarantine import count_by_rule, count_rows, empty_quarantine
from tallow.data.reading.runs import Runs
from tallow.data.reading.schema import FRAME


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
        Rows identical to another row, which were dropped.
    quarantined
        Quarantined rows.
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
    symbols
        `instrument` and `symbol`, each pair once, where rows say symbols beside keys; else None.
    """

    frame: pl.DataFrame
    quarantine: pl.DataFrame
    report: ReadReport
    source_timeframe: Timeframe
    native: str = "polars"
    runs: Runs | None = field(default=None, compare=False)
    symbols: pl.DataFrame | None = field(default=None, compare=False)

    @classmethod
    def of(
        cls, frame: pl.DataFrame, runs: Runs, source_timeframe: Timeframe, native: str = "polars"
    ) -> Candles:
        """Return the candles of a frame that is, as it stands, what reading would make of it."""
        rows, time = len(frame), frame["timestamp"]
        ends = cast("Any", time.min()), cast("Any", time.max())
        report = ReadReport(rows, rows, 0, 0, {}, (FRAME,), (), len(runs[0]), *ends)
        return cls(frame, empty_quarantine(), report, source_timeframe, native, runs)

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        first, last = self.report.first, self.report.last
        span = f", {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC" if first and last else ""
        return (
            f"Candles({len(self):,} x {self.source_timeframe}, "
            f"{counted(self.report.instruments, 'instrument')}{span}, "
            f"{self.report.quarantined:,} quarantined)"
        )

    def _repr_html_(self) -> str:
        by_rule = [f"quarantined: {name} {rows:,}" for name, rows in self.report.by_rule.items()]
        return to_html(repr(self), by_rule, [self.frame])


def with_quarantine(
    candles: Candles,
    quarantine: pl.DataFrame,
    kept: pl.Expr | pl.Series | None = None,
    repeated: int = 0,
) -> Candles:
    """Return candles with another quarantine, counted again.

    `quarantine` has all rows that are quarantined, earlier ones among them. `kept` says which rows
    of the frame stay, all by default; `repeated` counts rows identical to others, dropped before
    these candles were read.
    """
    frame = candles.frame if kept is None else candles.frame.filter(kept)
    quarantined, time = count_rows(quarantine), frame["timestamp"]
    repeated += candles.report.repeated
    report = replace(
        candles.report,
        rows_in=len(frame) + repeated + quarantined,
        accepted=len(frame),
        repeated=repeated,
        quarantined=quarantined,
        by_rule=count_by_rule(quarantine),
        instruments=frame["instrument"].n_unique(),
        first=cast("Any", time.min()),
        last=cast("Any", time.max()),
    )
    runs = candles.runs if kept is None else None
    return replace(candles, frame=frame, quarantine=quarantine, report=report, runs=runs)
