"""One write, under a backend's lock: compared, appended, and entered in the ledger."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from tallow.core.errors import ConflictError
from tallow.core.limits import STORE_COMMIT_ATTEMPTS, STORE_RETRY_SECONDS
from tallow.core.text import counted, to_html
from tallow.data.reading.candles import Candles
from tallow.data.reading.quarantine import count_rows, empty_quarantine
from tallow.data.reading.runs import Runs, instrument_runs
from tallow.data.reading.schema import time_view
from tallow.data.store.backend import Backend, LogPoint, Meanwhile, Writing
from tallow.data.store.classify import Classification
from tallow.data.store.ledger import LedgerEntry
from tallow.data.store.log import LOG_SCHEMA, VALUES, constant, latest_revisions, selection_around
from tallow.data.store.receipts import Receipt

Compare = Callable[[pl.DataFrame, pl.DataFrame, Runs], Classification]
"""Takes rows, what the log knows of their keys, and the runs of the rows' instruments."""

COUNTS = ("new", "identical", "revised", "quarantined")
"""What may become of a row that is written."""

_KNOWN = ("instrument", "timestamp", *VALUES, "revision", "deleted")
_NOTHING_KNOWN = pl.DataFrame(schema={name: LOG_SCHEMA[name] for name in _KNOWN})


@dataclass(frozen=True)
class WriteReport:
    """Where the rows of a write went: ``rows_in = new + identical + revised + quarantined``.

    Attributes
    ----------
    identical
        Rows that say what the store, or another row of the same write, says.
    received_at
        The write's receipt time, in microseconds since 1970 UTC; None where nothing changed.
    quarantine
        The quarantined rows; the store's ledger keeps them, too.
    entry
        The write's number in the ledger.
    follows
        The state of the store that it was compared with, and added to.
    settled
        Numbers of the rows of the quarantine that the write answered: they wait no more.
    source_timeframe
        How long the candles last.
    notes
        What was not said of them, each with that by which it is known.
    """

    rows_in: int
    new: int
    identical: int
    revised: int
    quarantined: int
    received_at: int | None
    quarantine: pl.DataFrame
    entry: int
    follows: LogPoint
    settled: tuple[int, ...] = ()
    source_timeframe: str = ""
    notes: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        counts = (f"{getattr(self, name):,} {name}" for name in COUNTS)
        title = f"WriteReport({counted(self.rows_in, 'row')}: {', '.join(counts)})"
        return to_html(title, [], [self.quarantine] if len(self.quarantine) else [])


class ReceiptMaker(NamedTuple):
    """How the receipt of a write is made, in its transaction.

    `name` is the request's, `digest` that of what it asks; `answer` makes the answer's text. One
    without a name is made and not kept.
    """

    name: str | None
    digest: str
    answer: Callable[[WriteReport], str]


_asked = threading.local()


@contextmanager
def keeping(maker: ReceiptMaker) -> Iterator[None]:
    """Let this thread's next write to a store keep a receipt; whoever is in between need not know.

    The write raises `RepeatedWriteError`, and nothing is written, where the name has one.
    """
    _asked.maker = maker
    try:
        yield
    finally:
        _asked.maker = None


def _asked_maker() -> ReceiptMaker | None:
    """Return how the receipt of this thread's next write is made, once; None where none is."""
    maker: ReceiptMaker | None = getattr(_asked, "maker", None)
    _asked.maker = None
    return maker


def append(
    backend: Backend,
    rows: pl.DataFrame,
    series: tuple[str, str, str],
    compare: Compare,
    read: Candles | None = None,
    repeated: int = 0,
    meanwhile: Meanwhile = nullcontext,
) -> WriteReport:
    """Write rows of one timeframe, adjustment and source.

    `compare` says what they are; `read` has what was quarantined in reading them. `meanwhile` is
    entered while the write, its place in the order being certain, becomes durable. A receipt is
    kept where `keeping` asks for one.
    """
    maker = _asked_maker()

    def work(writing: Writing) -> WriteReport:
        report = write_rows(writing, rows, series, compare, read, repeated)
        if maker is not None:
            answer = maker.answer(report)
            if maker.name is not None:
                writing.keep(maker.name, Receipt(maker.digest, answer))
        return report

    return commit(backend, work, len(rows), meanwhile)


def commit(
    backend: Backend,
    work: Callable[[Writing], WriteReport],
    rows: int,
    meanwhile: Meanwhile = nullcontext,
) -> WriteReport:
    """Do the work of a write of so many rows at most; again where others commit first."""
    for attempt in range(STORE_COMMIT_ATTEMPTS):
        try:
            return backend.write(work, rows, meanwhile)
        except ConflictError:
            if attempt + 1 == STORE_COMMIT_ATTEMPTS:
                raise
            time.sleep(STORE_RETRY_SECONDS * attempt)
    raise AssertionError("unreachable")


def write_rows(
    writing: Writing,
    rows: pl.DataFrame,
    series: tuple[str, str, str],
    compare: Compare,
    read: Candles | None,
    repeated: int,
) -> WriteReport:
    """Classify rows under the lock, append what changes something, and enter it in the ledger."""
    timeframe, adjustment, source = series
    runs = read.runs if read is not None else None
    runs = instrument_runs(rows) if runs is None else runs
    found = compare(rows, _known_rows(writing, rows, runs, timeframe, adjustment), runs)
    if len(found.rows):
        writing.append(_log_rows(found.rows, series, writing.received_at))
    quarantine = read.quarantine if read is not None else empty_quarantine()
    quarantined = count_rows(quarantine)
    repeated += read.report.repeated if read is not None else 0
    entry = LedgerEntry(
        received_at=writing.received_at,
        source=source,
        timeframe=timeframe,
        adjustment=adjustment,
        rows_in=len(rows) + repeated + quarantined,
        new=found.new,
        identical=found.identical + repeated,
        revised=found.revised,
        quarantined=quarantined,
    )
    number = writing.record(entry, quarantine)
    return WriteReport(
        entry.rows_in,
        entry.new,
        entry.identical,
        entry.revised,
        entry.quarantined,
        entry.received_at if len(found.rows) else None,
        quarantine,
        number,
        writing.follows,
        source_timeframe=timeframe,
    )


def _known_rows(
    writing: Writing, rows: pl.DataFrame, runs: Runs, timeframe: str, adjustment: str
) -> pl.DataFrame:
    """Return what the log knows of the keys of rows, the latest revision of each."""
    names, offsets = runs
    if writing.all_new(timeframe, adjustment, names, time_view(rows)[offsets[:-1]].tolist()):
        return _NOTHING_KNOWN
    return latest_revisions(
        writing.scan(selection_around(rows, names, timeframe, adjustment), _KNOWN)
    )


def _log_rows(rows: pl.DataFrame, series: tuple[str, str, str], received_at: int) -> pl.DataFrame:
    names = ("timeframe", "adjustment", "source", "received_at")
    fixed = {
        name: constant(name, value, len(rows))
        for name, value in zip(names, (*series, received_at), strict=True)
    }
    close = rows["close"]
    fixed["deleted"] = (
        close.is_null().alias("deleted")
        if close.null_count()
        else constant("deleted", False, len(rows))
    )
    return pl.DataFrame([fixed[name] if name in fixed else rows[name] for name in LOG_SCHEMA])
