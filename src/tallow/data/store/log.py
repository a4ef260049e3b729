"""The log of candle revisions: its columns, what can be asked of it, and who keeps it.

A row is never overwritten. The row of a key with the highest revision is the candle; a deletion is
a revision without prices. Everything that writes goes through `tallow.data.store.store.Store`,
which classifies rows under a backend's lock; a backend only keeps them, and finds them again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from operator import index
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import polars as pl

from tallow.core.errors import RangeError, excerpt
from tallow.core.limits import STORE_FILTER_INSTRUMENTS
from tallow.core.time import from_us
from tallow.core.timeframe import parse_timeframe
from tallow.data.kernels.rows import TIME_MAX_US, TIME_MIN_US
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import NUMBERS, OPEN_INTEREST, TIME_TYPE, time_view
from tallow.data.store.ledger import Ledger, LedgerEntry

LOG_SCHEMA: dict[str, pl.DataType] = {
    "timeframe": pl.String(),
    "adjustment": pl.String(),
    "instrument": pl.String(),
    "timestamp": TIME_TYPE,
    **dict.fromkeys(NUMBERS, pl.Float64()),
    OPEN_INTEREST: pl.Float64(),
    "revision": pl.Int32(),
    "received_at": TIME_TYPE,
    "source": pl.String(),
    "deleted": pl.Boolean(),
}
"""Columns of the log, in order. A deletion has null prices; `revision` counts a key's rows from 1;
all rows of one write have one `received_at`, later than that of every write before."""

SERIES_KEY = ("timeframe", "adjustment", "instrument")
KEY = (*SERIES_KEY, "timestamp")
LOG_ORDER = (*KEY, "revision")
"""How rows lie in every file, and come out of every scan."""

VALUES = (*NUMBERS, OPEN_INTEREST)


UNFINISHED = (
    "store: {}: is a copy of another store, and is not whole; begin it again, with tallow store "
    "backup or restore, or remove what is there"
)
"""What is said of a place that a backup, or a restore, was cut off in."""


@dataclass(frozen=True)
class Selection:
    """Which rows of the log: of one timeframe and adjustment, or all where these are None.

    Attributes
    ----------
    instruments
        Sorted names, or None for all.
    start, end
        ``start <= timestamp < end``, in microseconds since 1970 UTC; None is no limit.
    received_from, received_before
        ``received_from <= received_at < received_before``, in the same unit; None is no limit.
    """

    instruments: tuple[str, ...] | None = None
    timeframe: str | None = "1m"
    adjustment: str | None = "raw"
    start: int | None = None
    end: int | None = None
    received_from: int | None = None
    received_before: int | None = None

    @classmethod
    def of(
        cls,
        instruments: Sequence[str] | None,
        timeframe: str | None,
        adjustment: str | None,
        start: int | None,
        end: int | None,
        as_of: int | None,
    ) -> Selection:
        """Return what a caller asks for: any order of names, any spelling of a timeframe.

        Raises
        ------
        RangeError
            If a time is no whole number.
        """
        start, end, as_of = (
            None if given is None else _within_years(name, given)
            for name, given in (("start", start), ("end", end), ("as_of", as_of))
        )
        names = None if instruments is None else tuple(sorted(set(instruments)))
        size = None if timeframe is None else parse_timeframe(timeframe).text
        before = None if as_of is None else as_of + 1
        return cls(names, size, adjustment, start, end, None, before)

    def where(self) -> pl.Expr:
        """Return the condition that a row of the log must meet."""
        parts: list[pl.Expr] = []
        for name, wanted in (("timeframe", self.timeframe), ("adjustment", self.adjustment)):
            if wanted is not None:
                parts.append(pl.col(name) == wanted)
        if self.instruments is not None:
            column = pl.col("instrument")
            one = len(self.instruments) == 1
            # A plain comparison is what Parquet's statistics are looked at for.
            parts.append(
                column == self.instruments[0] if one else column.is_in(list(self.instruments))
            )
        limits = (
            ("timestamp", self.start, self.end),
            ("received_at", self.received_from, self.received_before),
        )
        for name, low, high in limits:
            if low is not None:
                parts.append(pl.col(name) >= moment(low))
            if high is not None:
                parts.append(pl.col(name) < moment(high))
        return pl.all_horizontal(parts) if parts else pl.lit(True)

    def up_to(self, received: int) -> Selection:
        """Return this selection without what was received later."""
        before = received + 1
        known = self.received_before
        return self.replace(received_before=before if known is None else min(before, known))

    def replace(self, **changes: Any) -> Selection:
        """Return a copy with some fields changed."""
        return replace(self, **changes)


def _within_years(name: str, given: int) -> int:
    """Return a time in microseconds; what lies before or after all that a log has, at its end."""
    try:
        return min(max(index(given), TIME_MIN_US), TIME_MAX_US + 1)
    except TypeError as error:
        raise RangeError(
            f"{name}: {excerpt(given)}; must be whole microseconds since 1970 UTC; for an instant, "
            "int(instant.timestamp() * 1_000_000)"
        ) from error


def moment(microseconds: int) -> pl.Expr:
    """Return an instant as a literal of the log's time type."""
    return pl.lit(microseconds, pl.Int64).cast(TIME_TYPE)


class LogPoint(NamedTuple):
    """A state of the log: its epoch, and the receipt of its newest write or 0.

    Of one epoch, a later receipt adds to what an earlier one had.
    """

    epoch: str
    received: int


@dataclass(frozen=True)
class StoreStats:
    """How much a store holds, and how it lies; times in microseconds since 1970 UTC.

    Attributes
    ----------
    rows, tail_rows
        Rows of the log, all revisions counted; those of them that are still in the tail.
    overlapping
        Files that compaction would rewrite.
    horizon
        The moment before which `as_of` cannot reach, or 0.
    """

    location: str
    rows: int
    tail_rows: int
    files: int
    bytes: int
    overlapping: int
    version: int
    first: int | None
    last: int | None
    last_received: int
    horizon: int


@dataclass(frozen=True)
class Compacted:
    """What a compaction or a pruning did: files before and after, rows and files taken away."""

    files_before: int
    files_after: int
    rows_removed: int
    files_removed: int


@dataclass(frozen=True)
class Contents:
    """All that a store holds at one moment.

    Attributes
    ----------
    horizon
        The moment before which `as_of` cannot reach, or 0.
    entries, held
        The ledger: all writes, and all rows that were set aside.
    pieces
        All rows of the log in `LOG_ORDER`, a bounded number at a time; to be read once.
    """

    horizon: int
    entries: pl.DataFrame
    held: pl.DataFrame
    pieces: Iterator[pl.DataFrame]


class Writing(Protocol):
    """A write in progress, under the backend's lock: what it reads stays true until it commits."""

    @property
    def received_at(self) -> int:
        """The receipt time of this write, in microseconds since 1970 UTC; later than all before."""
        ...

    @property
    def follows(self) -> LogPoint:
        """The state that this write adds to."""
        ...

    def scan(self, selection: Selection, columns: Sequence[str]) -> pl.DataFrame:
        """Return rows of the state that this write adds to, in `LOG_ORDER`."""
        ...

    def append(self, rows: pl.DataFrame) -> None:
        """Commit rows of `LOG_SCHEMA` in `LOG_ORDER`: all of them, durably, or none.

        Raises
        ------
        ConflictError
            If somebody without this lock (another machine) committed meanwhile.
        StoreError
            If they cannot be written; nothing is.
        """
        ...

    def record(self, entry: LedgerEntry, quarantine: pl.DataFrame) -> int:
        """Enter the write in the ledger; return its number there."""
        ...


class LogView(Protocol):
    """A state of the log: what is asked of it is answered as it was when it was looked at."""

    @property
    def token(self) -> Hashable:
        """What changes with every change of the log that a reader would see."""
        ...

    @property
    def epoch(self) -> str:
        """What changes where history is taken away, so that nothing derived from it is trusted."""
        ...

    @property
    def last_received(self) -> int:
        """The receipt time of the newest write, or 0."""
        ...

    @property
    def horizon(self) -> int:
        """The moment before which `as_of` cannot reach, or 0."""
        ...

    def is_of_one_epoch(self) -> bool:
        """Say whether no history was taken away while this was read; what was read counts then."""
        ...

    def scan(
        self, selection: Selection, columns: Sequence[str], skip_damaged: bool = False
    ) -> pl.DataFrame:
        """Return rows in `LOG_ORDER`; `columns` contain what orders them.

        With `skip_damaged`, rows of damaged files are left out instead of an error.
        """
        ...

    def has_interest(self, selection: Selection) -> bool:
        """Say whether any row of a timeframe and adjustment has open interest."""
        ...


class Backend(Protocol):
    """Who keeps a log. All methods may be called from several threads and processes at once."""

    state_folder: Path
    """Local folder for what is derived from the log on this machine."""

    def is_replaced(self) -> bool:
        """Say whether another store, or none, lies where the one lay that was opened. Cheap."""
        ...

    def begin_generation(self) -> None:
        """Change the epoch for this process: it may have derived things from what is gone."""
        ...

    def view(self) -> LogView:
        """Look at the log: return its newest state."""
        ...

    def writing(self) -> AbstractContextManager[Writing]:
        """Take the lock for one write; an error in the block undoes what is not committed."""
        ...

    def ledger(self) -> Ledger:
        """Return where ingests and quarantined rows are kept."""
        ...

    def damaged(self) -> list[str]:
        """Return what is wrong with which files."""
        ...

    def stats(self) -> StoreStats:
        """Return how much there is, and how it lies. Reads no rows."""
        ...

    def compact(self, keep_hours: float) -> Compacted:
        """Bring the log into the shape that is read fastest; readers notice nothing."""
        ...

    def prune(
        self, before: int | None, superseded_before: int | None, keep_hours: float
    ) -> Compacted:
        """Take away rows with older timestamps, and revisions superseded by a moment."""
        ...

    def contents(self) -> AbstractContextManager[Contents]:
        """Give all that there is, of one moment, whatever is written in the block."""
        ...

    def load(self, found: Contents) -> None:
        """Take over all of another store, as it is: all or nothing; this one must be empty."""
        ...

    def flush(self) -> None:
        """Move the durable tail, where there is one, to where the rest is."""
        ...

    def close(self) -> None:
        """Release files and connections; what was acknowledged is durable already."""
        ...


def require_kept(view: LogView, selection: Selection) -> None:
    """Raise `RangeError` if a selection asks for revisions that were pruned."""
    asked = selection.received_before
    if asked is None:
        return
    # Nothing was superseded after the newest write, whatever moment a pruning named; and where
    # nothing was pruned, nothing was known before the first write.
    horizon = min(view.horizon, view.last_received)
    if horizon and asked <= horizon:
        reached = from_us(horizon).isoformat()
        raise RangeError(
            f"as_of: earlier than {reached}; what was superseded by then has been pruned; "
            "ask for a later moment"
        )


def current(rows: pl.DataFrame) -> pl.DataFrame:
    """Return of each key the row with the highest revision, deletions left out.

    `rows` are in `LOG_ORDER`; a column of the key that they do not have is the same for all.
    """
    return latest(rows).filter(~pl.col("deleted"))


def latest(rows: pl.DataFrame) -> pl.DataFrame:
    """Do as `current`, with the deletions."""
    if len(rows) < 2:
        return rows
    same = pl.lit(True)
    for name in reversed(KEY):
        if name in rows.columns:
            same &= pl.col(name) == pl.col(name).shift(-1)
    return rows.filter(~same.fill_null(False))


def around(rows: pl.DataFrame, timeframe: str, adjustment: str) -> Selection:
    """Return what the log may know of these keys: their span, and few names one by one."""
    if not len(rows):
        return Selection((), timeframe, adjustment)
    times, names = time_view(rows), instrument_runs(rows)[0]
    few = tuple(sorted(set(names))) if len(names) <= STORE_FILTER_INSTRUMENTS else None
    return Selection(few, timeframe, adjustment, int(times.min()), int(times.max()) + 1)
