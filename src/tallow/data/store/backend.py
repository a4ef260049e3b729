"""Backends keep a log: what they can do, and what a state of the log answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import polars as pl

from tallow.data.store.ledger import Ledger, LedgerEntry
from tallow.data.store.log import Selection
from tallow.data.store.receipts import Receipt, Receipts

T = TypeVar("T")
Meanwhile = Callable[[], AbstractContextManager[object]]
"""Gives a context for the time in which a write becomes durable."""


class LogPoint(NamedTuple):
    """A state of the log: its epoch, and the receipt of its newest write or 0.

    Of one epoch, a later receipt adds to what an earlier one had.
    """

    epoch: str
    received: int


@dataclass(frozen=True)
class StoreStats:
    """How much a store holds, and how it is stored; times in microseconds since 1970 UTC.

    Attributes
    ----------
    rows, tail_rows
        Rows of the log, all revisions counted; those of them that are still in the tail.
    overlapping
        Files that compaction would rewrite.
    horizon
        The moment before which `known_at` cannot reach, or 0.
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
class CompactionReport:
    """What a compaction or a pruning did: files before and after, rows and files removed."""

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
        The moment before which `known_at` cannot reach, or 0.
    entries, quarantine
        The ledger: all writes, and all quarantined rows.
    pieces
        All rows of the log in `LOG_ORDER`, a bounded number at a time; to be read once.
    """

    horizon: int
    entries: pl.DataFrame
    quarantine: pl.DataFrame
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

    def all_new(
        self, timeframe: str, adjustment: str, names: Sequence[str], firsts: Sequence[int]
    ) -> bool:
        """Say whether it is known that no row of instruments is there, from given times on.

        Costs microseconds; where it is not known, `scan` says it.
        """
        ...

    def append(self, rows: pl.DataFrame) -> None:
        """Commit rows of `LOG_SCHEMA` in `LOG_ORDER`: all of them, durably, or none.

        `ConflictError` if somebody without this lock (another machine) committed meanwhile.
        `StoreError` if they cannot be written; nothing is.
        """
        ...

    def record(self, entry: LedgerEntry, quarantine: pl.DataFrame) -> int:
        """Enter the write in the ledger; return its number there."""
        ...

    def keep(self, name: str, receipt: Receipt) -> None:
        """Keep the write's receipt under its name, in its transaction; see `Receipts.keep`."""
        ...


class LogView(Protocol):
    """A state of the log: what is asked of it is answered as it was when it was looked at."""

    @property
    def token(self) -> Hashable:
        """What changes with every change of the log that a reader would see."""
        ...

    @property
    def epoch(self) -> str:
        """What changes where history is removed, so that nothing derived from it is trusted."""
        ...

    @property
    def last_received(self) -> int:
        """The receipt time of the newest write, or 0."""
        ...

    @property
    def horizon(self) -> int:
        """The moment before which `known_at` cannot reach, or 0."""
        ...

    def is_of_one_epoch(self) -> bool:
        """Say whether no history was removed while this was read; what was read counts then."""
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

    def names(self, selection: Selection) -> set[str]:
        """Return the instruments of a selection's rows."""
        ...

    def ends(self) -> tuple[int, int] | None:
        """Return times between which all rows lie; None where that is not known without reading."""
        ...


class Backend(Protocol):
    """Keeps a log. All methods may be called from several threads and processes at once."""

    state_folder: Path
    """Local folder for what is derived from the log on this machine."""

    def is_replaced(self) -> bool:
        """Say whether the store that was opened has been replaced or removed. Cheap."""
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

    def write(self, work: Callable[[Any], T], rows: int, meanwhile: Meanwhile = nullcontext) -> T:
        """Do the work of a write of so many rows at most, under the lock; return what it returns.

        Writes of several threads are done in the order in which they come, and may share a commit:
        each is durable when this returns. `work` takes a `Writing`. `meanwhile` is entered when the
        write's place in that order is certain, and left when it is durable.
        """
        ...

    def ledger(self) -> Ledger:
        """Return where ingests and quarantined rows are kept."""
        ...

    def receipts(self) -> Receipts:
        """Return where the receipts of writes are kept."""
        ...

    def damaged(self) -> list[str]:
        """Return what is wrong with which files."""
        ...

    def stats(self) -> StoreStats:
        """Return how much there is, and how it is stored. Reads no rows."""
        ...

    def compact(self, keep_hours: float) -> CompactionReport:
        """Bring the log into the shape that is read fastest; readers notice nothing."""
        ...

    def prune(
        self, before: int | None, superseded_before: int | None, keep_hours: float
    ) -> CompactionReport:
        """Take away rows with older timestamps, and revisions superseded by a moment."""
        ...

    def contents(self) -> AbstractContextManager[Contents]:
        """Give all that there is, of one moment, whatever is written in the block."""
        ...

    def load(self, found: Contents) -> None:
        """Take over all of another store, as it is: all or nothing; this one must be empty."""
        ...

    def tail_rows(self) -> int | None:
        """Return how many rows were in the durable tail at the last write; None without a tail."""
        ...

    def flush(self) -> None:
        """Move the durable tail, where there is one, to where the rest is."""
        ...

    def close(self) -> None:
        """Release files and connections; what was acknowledged is durable already."""
        ...
