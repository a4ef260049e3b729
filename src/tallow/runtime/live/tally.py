"""The counts of a live session: where rows went, how fast, how late, and what went wrong."""

from __future__ import annotations

import heapq
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

import polars as pl

from tallow.core.limits import (
    LIVE_EVENTS_KEPT,
    LIVE_LAGGING_SHOWN,
    LIVE_RATE_SECONDS,
    LIVE_TIMINGS_KEPT,
)
from tallow.core.time import SECOND_US
from tallow.data.feeds.health import FeedHealth
from tallow.data.reading.quarantine import count_by_rule, count_rows
from tallow.runtime.live.updates import LiveReport, LiveUpdate

WENT = ("appended", "late", "revised", "deleted", "repeated", "quarantined")
"""Where rows go, as in a `LiveReport`."""


@dataclass(frozen=True)
class Correction:
    """A row of a minute before its instrument's newest one, and how many bars it changed."""

    instrument: str
    timestamp: datetime
    bars: int


@dataclass(frozen=True)
class Refusal:
    """A quarantined row, or a whole batch, which has no instrument; and why."""

    instrument: str | None
    timestamp: datetime | None
    reason: str


@dataclass(frozen=True)
class LiveStatistics:
    """The state of a live session. Counts are since it began.

    ``rows_in = appended + late + revised + deleted + repeated + quarantined``, each as in
    `LiveReport`; messages that were not understood, or parts of them, count as rows.

    Attributes
    ----------
    left_out
        Rows of other instruments than the wanted ones; not among `rows_in`.
    from_store
        Candles that others had written to the store.
    bars
        Per timeframe, rows that updates returned.
    hint
        A sentence where stamps look like those of the close; empty elsewhere.
    provisional
        Those of them whose sessions are assumed, per timeframe; `first_provisional` is the first.
    by_rule
        Quarantined rows, by the rule they broke.
    rows_per_second
        Over the last `LIVE_RATE_SECONDS`.
    update_ms
        Median and 99th percentile of the last updates, in milliseconds, the store's writes
        included; None before the first.
    now
        The session's clock, in microseconds since 1970 UTC; None before its first reading.
    newest
        When the newest row was complete, a candle at its minute's end; None before the first.
    complete
        The same per instrument; changes as the session goes on.
    lag_seconds
        From `newest` to `now`, never below 0.
    lagging
        The instruments furthest behind, with their own lag in seconds.
    error
        Why the store, or the state's file, cannot be written now; None where they can.
    saved_at
        When the state was saved, in microseconds since 1970 UTC.
    """

    rows_in: int
    appended: int
    late: int
    revised: int
    deleted: int
    repeated: int
    quarantined: int
    left_out: int
    from_store: int
    batches: int
    instruments: int
    bars: Mapping[str, int]
    by_rule: Mapping[str, int]
    rows_per_second: float
    update_ms: tuple[float, float] | None
    now: int | None
    newest: int | None
    complete: Mapping[str, int]
    lag_seconds: float | None
    lagging: tuple[tuple[str, float], ...]
    corrections: tuple[Correction, ...]
    refusals: tuple[Refusal, ...]
    error: str | None
    saved_at: int | None
    health: FeedHealth
    provisional: Mapping[str, int] = field(default_factory=dict)
    first_provisional: tuple[str, datetime] | None = None
    hint: str = ""

    @property
    def corrected(self) -> int:
        """Rows that changed what was known: late, revised and deleted ones."""
        return self.late + self.revised + self.deleted

    @property
    def refused(self) -> int:
        """The same as `quarantined`."""
        return self.quarantined

    @property
    def by_reason(self) -> Mapping[str, int]:
        """The same as `by_rule`."""
        return self.by_rule


@dataclass
class Tally:
    """Counts what a session does.

    Attributes
    ----------
    complete
        When each instrument's newest row was complete, in microseconds since 1970 UTC.
    errors
        Why the ``store`` or the ``state`` cannot be written, as long as that is so.
    """

    counts: Counter[str] = field(default_factory=Counter)
    bars: Counter[str] = field(default_factory=Counter)
    by_rule: Counter[str] = field(default_factory=Counter)
    complete: dict[str, int] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    saved_at: int | None = None
    provisional: Counter[str] = field(default_factory=Counter)
    hint: str = ""
    _first_provisional: tuple[str, datetime] | None = None
    _corrections: deque[Correction] = field(default_factory=lambda: deque(maxlen=LIVE_EVENTS_KEPT))
    _refusals: deque[Refusal] = field(default_factory=lambda: deque(maxlen=LIVE_EVENTS_KEPT))
    _seconds: deque[float] = field(default_factory=lambda: deque(maxlen=LIVE_TIMINGS_KEPT))
    _recent: deque[tuple[float, int]] = field(default_factory=deque)
    _began: float = field(default_factory=time.monotonic)

    def take(self, rows: pl.DataFrame, length: int, update: LiveUpdate, seconds: float) -> None:
        """Count an update.

        Parameters
        ----------
        rows
            `instrument` and `timestamp` of the rows that were read.
        length
            How long each row lasts, in microseconds.
        """
        self.add(update.report)
        self._seconds.append(seconds)
        if update.report.corrected:
            self._note_corrections(rows, length, update)
        # A loop: most updates have few rows, and a query would cost more.
        times = rows["timestamp"].to_physical().to_list()
        for name, moment in zip(rows["instrument"].to_list(), times, strict=True):
            end = moment + length
            self.complete[name] = max(self.complete.get(name, end), end)

    def add(self, report: LiveReport) -> None:
        """Count the rows of a batch, and keep the quarantined ones."""
        self._pace(report.rows_in)
        self.hint = self.hint or report.hint
        self.counts.update({name: getattr(report, name) for name in WENT}, batches=1)
        if report.quarantined:
            columns = ("instrument", "timestamp", "rule")
            for row in report.quarantine.select(columns).tail(LIVE_EVENTS_KEPT).iter_rows():
                self._refusals.append(Refusal(*row))
            self.by_rule.update(count_by_rule(report.quarantine))

    def count_quarantined(self, quarantine: pl.DataFrame) -> None:
        """Count rows that a feed did not understand."""
        rows = count_rows(quarantine)
        self._pace(rows)
        self.counts.update(quarantined=rows)
        self.by_rule.update(count_by_rule(quarantine))

    def refuse(self, reason: str) -> None:
        """Keep why a batch could not be read at all."""
        self.counts.update(batches=1)
        self._refusals.append(Refusal(None, None, reason))

    def give(self, update: LiveUpdate) -> None:
        """Count the rows that an update returned."""
        # Not by frames: most updates are one candle, and to make its frames costs more.
        self.bars.update({size: len(rows) for size, rows in update.rows.items()})
        if not any(map(update.may_be_provisional, update.rows)):
            return
        for size, assumed in update.provisional.items():
            if len(assumed):
                self.provisional[size] += len(assumed)
                self._first_provisional = self._first_provisional or assumed.row(0)

    def statistics(self, now: int | None, instruments: int, health: FeedHealth) -> LiveStatistics:
        """Return the counts as they stand."""
        newest = max(self.complete.values(), default=None)
        lag = None if now is None or newest is None else _lag(now, newest)
        return LiveStatistics(
            rows_in=sum(self.counts[name] for name in WENT),
            **{name: self.counts[name] for name in (*WENT, "left_out", "from_store", "batches")},
            instruments=instruments,
            bars=dict(self.bars),
            by_rule=dict(self.by_rule),
            rows_per_second=self._rate(),
            update_ms=self._update_ms(),
            now=now,
            newest=newest,
            complete=MappingProxyType(self.complete),
            lag_seconds=lag,
            lagging=self._lagging(now),
            corrections=tuple(self._corrections),
            refusals=tuple(self._refusals),
            error=next(iter(self.errors.values()), None),
            saved_at=self.saved_at,
            health=health,
            provisional=dict(self.provisional),
            first_provisional=self._first_provisional,
            hint=self.hint,
        )

    def _note_corrections(self, rows: pl.DataFrame, length: int, update: LiveUpdate) -> None:
        """Keep rows of earlier minutes whose bars have changed.

        The engine counts corrections, and does not say which rows they are: a row that repeats what
        is known changes no bar. A running minute that comes again is not a correction.
        """
        seen = pl.DataFrame(
            {"instrument": list(self.complete), "seen": list(self.complete.values())},
            schema={"instrument": pl.String, "seen": pl.Int64},
        )
        frames = [frame.select("instrument", "timestamp") for frame in update.frames.values()]
        grouped = pl.concat(frames).group_by("instrument")
        changed = grouped.agg(first=pl.col("timestamp").min(), bars=pl.len())
        earlier = (
            rows.join(seen, on="instrument")
            .filter(pl.col("timestamp").to_physical() + length < pl.col("seen"))
            .join(changed, on="instrument")
            .filter(pl.col("first") <= pl.col("timestamp"))
            .select("instrument", "timestamp", "bars")
        )
        for row in earlier.tail(LIVE_EVENTS_KEPT).iter_rows():
            self._corrections.append(Correction(*row))

    def _pace(self, rows: int) -> None:
        self._recent.append((time.monotonic(), rows))

    def _rate(self) -> float:
        now = time.monotonic()
        while self._recent and self._recent[0][0] < now - LIVE_RATE_SECONDS:
            self._recent.popleft()
        span = min(LIVE_RATE_SECONDS, now - self._began)
        return sum(rows for _, rows in self._recent) / span if span > 0 else 0.0

    def _update_ms(self) -> tuple[float, float] | None:
        if not self._seconds:
            return None
        ordered = sorted(self._seconds)
        places = (len(ordered) // 2, min(len(ordered) * 99 // 100, len(ordered) - 1))
        median, high = (ordered[place] * 1e3 for place in places)
        return median, high

    def _lagging(self, now: int | None) -> tuple[tuple[str, float], ...]:
        if now is None:
            return ()
        last = heapq.nsmallest(LIVE_LAGGING_SHOWN, self.complete.items(), key=lambda item: item[1])
        return tuple((name, _lag(now, moment)) for name, moment in last)


def _lag(now: int, moment: int) -> float:
    return max(0.0, (now - moment) / SECOND_US)
