"""A log in a PostgreSQL database: tables of the schema `tallow`, which SQL may read as well.

The server does what files need care for: a statement sees one state, a transaction is whole or not
there. Writers wait for each other at the one row of `facts`, which also makes receipt times rise.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tallow.core.errors import StoreError
from tallow.core.limits import STORE_REWRITE_ROWS
from tallow.data.store.backend import (
    CompactionReport,
    Contents,
    LogPoint,
    Meanwhile,
    StoreStats,
    T,
)
from tallow.data.store.group import QueuedWrite, WriteQueue
from tallow.data.store.ledger import LedgerEntry
from tallow.data.store.location import no_store
from tallow.data.store.log import LOG_ORDER, LOG_SCHEMA, TIMELESS, Selection
from tallow.data.store.order import in_log_order
from tallow.data.store.postgres_ledger import LEDGER_TABLES, PostgresLedger
from tallow.data.store.postgres_receipts import PostgresReceipts
from tallow.data.store.postgres_version import FILLING, VERSION, require_version, version_of
from tallow.data.store.receipts import Receipt
from tallow.data.store.server import Server, ServerSession, instant, literal

# Collation "C" is the order of bytes: LOG_ORDER, and the same on every server for ever.
_TABLES = f"""
SELECT pg_advisory_xact_lock(hashtext('tallow'));
CREATE SCHEMA IF NOT EXISTS tallow;
CREATE TABLE IF NOT EXISTS tallow.log (
    timeframe text COLLATE "C" NOT NULL,
    adjustment text COLLATE "C" NOT NULL,
    instrument text COLLATE "C" NOT NULL,
    timestamp timestamptz NOT NULL,
    open float8, high float8, low float8, close float8, volume float8, open_interest float8,
    revision integer NOT NULL,
    received_at timestamptz NOT NULL,
    source text NOT NULL,
    deleted boolean NOT NULL,
    PRIMARY KEY (timeframe, adjustment, instrument, timestamp, revision)
);
CREATE INDEX IF NOT EXISTS log_received ON tallow.log (received_at);
CREATE INDEX IF NOT EXISTS log_interest ON tallow.log (timeframe, adjustment)
    WHERE open_interest IS NOT NULL;
{LEDGER_TABLES}
CREATE TABLE IF NOT EXISTS tallow.facts (
    version text NOT NULL, epoch text NOT NULL, horizon bigint NOT NULL, received bigint NOT NULL
);
INSERT INTO tallow.facts SELECT '{{version}}', '{{epoch}}', 0, 0
    WHERE NOT EXISTS (SELECT FROM tallow.facts);
"""


class PostgresBackend:
    """Keeps a log in a database; see `tallow.data.store.backend.Backend`."""

    def __init__(
        self,
        url: str,
        state: Path,
        create: bool,
        clock: Callable[[], int],
        to_fill: bool = False,
    ) -> None:
        self.state_folder = state
        self._clock = clock
        self._server = Server(url)
        # The server joins commits by itself; one after the other, they keep their order.
        self._queue = WriteQueue(self._write_each, longest_wait=None)
        self._open(create, to_fill)

    def _open(self, create: bool, to_fill: bool) -> None:
        name, version = self._server.name, version_of(self._server)
        if version is None:
            if not create:
                raise no_store(name)
            version = FILLING if to_fill else VERSION
            self._create(version)
        require_version(version, name, to_fill)
        self.ledger().renew()
        self.receipts().renew()

    def _create(self, version: str) -> None:
        encoding = self._server.query("SELECT current_setting('server_encoding') AS name").item()
        if encoding != "UTF8":
            raise StoreError(
                f"store: {self._server.name}: encoding={encoding}; must be UTF8; create another "
                "database with ENCODING 'UTF8'"
            )
        self._server.run(_TABLES.format(version=version, epoch=uuid.uuid4().hex))

    def _facts(self) -> dict[str, Any]:
        return self._server.query("SELECT * FROM tallow.facts").row(0, named=True)

    def is_replaced(self) -> bool:
        """Return False: a server's connections end with what they are to."""
        return False

    def begin_generation(self) -> None:
        """Do nothing; see `is_replaced`."""

    def view(self) -> PostgresView:
        """Look at the log: return its newest state."""
        return PostgresView(self._server, **self._facts())

    @contextmanager
    def writing(self) -> Iterator[PostgresWriting]:
        """Take the lock for one write, which is a transaction."""
        with self._server.transaction() as session:
            facts = session.query("SELECT epoch, received FROM tallow.facts FOR UPDATE")
            follows = LogPoint(*facts.row(0))
            yield PostgresWriting(session, max(self._clock(), follows.received + 1), follows)

    def write(self, work: Callable[[Any], T], rows: int, meanwhile: Meanwhile = nullcontext) -> T:
        """Do a write in a transaction of its own."""
        done: T = self._queue.write(work, meanwhile=meanwhile)
        return done

    def _write_each(self, group: Iterator[QueuedWrite]) -> None:
        with self.writing() as writing:
            for each in group:
                each.result = each.work(writing)

    def ledger(self) -> PostgresLedger:
        """Return where ingests and quarantined rows are kept."""
        return PostgresLedger(self._server.transaction)

    def receipts(self) -> PostgresReceipts:
        """Return where the receipts of writes are kept."""
        return PostgresReceipts(self._server.transaction)

    def damaged(self) -> list[str]:
        """Return nothing: the server checks its own files."""
        return []

    def stats(self) -> StoreStats:
        """Return how much there is. Counts all rows."""
        facts = self._facts()
        rows, first, last, size = (
            self._server.query(
                "SELECT count(*), min(timestamp), max(timestamp), "
                "pg_total_relation_size('tallow.log') AS size FROM tallow.log"
            )
            .with_columns(pl.col(pl.Datetime).to_physical())
            .row(0)
        )
        return StoreStats(
            location=self._server.name,
            rows=rows,
            tail_rows=0,
            files=0,
            bytes=size,
            overlapping=0,
            version=int(facts["version"]),
            first=first,
            last=last,
            last_received=facts["received"],
            horizon=facts["horizon"],
        )

    def compact(self, keep_hours: float) -> CompactionReport:
        """Give back the room of rows that were removed, and count again for the planner."""
        self._server.run("VACUUM (ANALYZE) tallow.log")
        return CompactionReport(0, 0, 0, 0)

    def prune(
        self, before: int | None, superseded_before: int | None, keep_hours: float
    ) -> CompactionReport:
        """Take rows away; see `tallow.data.store.store.Store.prune`."""
        removed = 0
        with self.writing() as writing:
            run = writing.session.run
            if superseded_before is not None:
                removed += run(_SUPERSEDED.format(instant(superseded_before)))
                run(f"UPDATE tallow.facts SET horizon = greatest(horizon, {superseded_before})")
            if before is not None:
                others = ", ".join(map(literal, TIMELESS))
                old = f"timestamp < {instant(before)} AND timeframe NOT IN ({others})"
                removed += run(f"DELETE FROM tallow.log WHERE {old}")
            run(f"UPDATE tallow.facts SET epoch = '{uuid.uuid4().hex}'")
        return CompactionReport(0, 0, removed, 0)

    @contextmanager
    def contents(self) -> Iterator[Contents]:
        """Give all that there is, of one moment: the block is a transaction."""
        with self._server.transaction("REPEATABLE READ, READ ONLY") as session:
            ledger = PostgresLedger(lambda: nullcontext(session))
            horizon = session.query("SELECT horizon FROM tallow.facts").item()
            entries, quarantine = ledger.entries(), ledger.held(everything=True)
            yield Contents(horizon, entries, quarantine, _pieces(session))

    def load(self, found: Contents) -> None:
        """Take over all of another store, as it is, in one transaction; this one is empty."""
        received = 0
        with self.writing() as writing:
            session = writing.session
            if session.query(_IS_FILLED).item():
                raise StoreError(
                    f"store: {self._server.name}: is not empty; restore into a new database"
                )
            for rows in found.pieces:
                session.copy("log", rows)
                received = max(received, *rows["received_at"].to_physical().unique())
            facts = f"received = {received}, horizon = {found.horizon}, version = '{VERSION}'"
            session.run(f"UPDATE tallow.facts SET {facts}")
            PostgresLedger(lambda: nullcontext(session)).load(found.entries, found.quarantine)

    def tail_rows(self) -> int | None:
        """Return None: there is no tail."""
        return None

    def flush(self) -> None:
        """Do nothing: there is no tail."""

    def close(self) -> None:
        """Close the connections."""
        self._server.close()


@dataclass(frozen=True)
class PostgresView:
    """A state of the log, by its facts: rows are asked for when they are needed.

    Within an epoch rows are only added: it is enough that none was received later.
    """

    server: Server
    epoch: str
    horizon: int
    received: int
    version: str

    @property
    def token(self) -> Hashable:
        """What changes with every change of the log that a reader would see."""
        return (self.epoch, self.received)

    @property
    def last_received(self) -> int:
        """The receipt time of the newest write, or 0."""
        return self.received

    def is_of_one_epoch(self) -> bool:
        """Say whether no history was removed while this was read."""
        return bool(self.server.query("SELECT epoch FROM tallow.facts").item() == self.epoch)

    def scan(
        self, selection: Selection, columns: Sequence[str], skip_damaged: bool = False
    ) -> pl.DataFrame:
        """Return rows in `LOG_ORDER`."""
        return in_log_order(self.server.scan(_select(selection.up_to(self.received), columns)))

    def has_interest(self, selection: Selection) -> bool:
        """Say whether any row of a series' timeframe and adjustment has open interest."""
        known = _where(selection.up_to(self.received))
        rows = f"SELECT FROM tallow.log WHERE {known} AND open_interest IS NOT NULL"
        return bool(self.server.query(f"SELECT EXISTS ({rows}) AS found").item())

    def names(self, selection: Selection) -> set[str]:
        """Return the instruments of a selection's rows."""
        known = _where(selection.up_to(self.received))
        rows = f"SELECT DISTINCT instrument FROM tallow.log WHERE {known}"
        return set(self.server.query(rows)["instrument"])

    def ends(self) -> None:
        """Return None: the server would look through all rows."""


@dataclass
class PostgresWriting:
    """One write under the lock; see `tallow.data.store.backend.Writing`."""

    session: ServerSession
    received_at: int
    follows: LogPoint

    def scan(self, selection: Selection, columns: Sequence[str]) -> pl.DataFrame:
        """Return rows of the state that this write adds to."""
        return in_log_order(self.session.scan(_select(selection, columns)))

    def all_new(self, *_: object) -> bool:
        """Return False: the server is asked."""
        return False

    def append(self, rows: pl.DataFrame) -> None:
        """Add rows, and the receipt time to the facts."""
        self.session.copy("log", rows)
        self.session.run(f"UPDATE tallow.facts SET received = {self.received_at}")

    def record(self, entry: LedgerEntry, quarantine: pl.DataFrame) -> int:
        """Enter the write in the ledger."""
        return PostgresLedger(lambda: nullcontext(self.session)).record(entry, quarantine)

    def keep(self, name: str, receipt: Receipt) -> None:
        """Keep the write's receipt."""
        PostgresReceipts(lambda: nullcontext(self.session)).keep(name, receipt, self.received_at)


_IS_FILLED = (
    "SELECT EXISTS (SELECT FROM tallow.log) OR EXISTS (SELECT FROM tallow.ingests) AS found"
)

_SUPERSEDED = """
DELETE FROM tallow.log AS old USING tallow.log AS new
WHERE old.timeframe = new.timeframe AND old.adjustment = new.adjustment
    AND old.instrument = new.instrument AND old.timestamp = new.timestamp
    AND old.revision + 1 = new.revision AND new.received_at <= {}
"""

# Each next name is one look into the primary key: a range of times of all instruments is then read
# by as many looks, instead of the whole log.
_EVERY_NAME = """
WITH RECURSIVE names AS (
    SELECT min(instrument) AS name FROM tallow.log WHERE {kind}
    UNION ALL
    SELECT (SELECT min(instrument) FROM tallow.log WHERE {kind} AND instrument > name)
    FROM names WHERE name IS NOT NULL
)
SELECT name FROM names WHERE name IS NOT NULL
"""


def _select(selection: Selection, columns: Sequence[str]) -> str:
    return f"SELECT {', '.join(columns)} FROM tallow.log WHERE {_where(selection)}"


def _where(selection: Selection) -> str:
    """Return the condition that a row of the log must meet; see `Selection.where`."""
    kind = [
        f"{name} = {literal(value)}"
        for name in ("timeframe", "adjustment")
        if (value := getattr(selection, name)) is not None
    ]
    limits = [
        f"{name} {compared} {instant(value)}"
        for name, compared, value in (
            ("timestamp", ">=", selection.start),
            ("timestamp", "<", selection.end),
            ("received_at", ">=", selection.received_from),
            ("received_at", "<", selection.received_before),
        )
        if value is not None
    ]
    names: list[str] = []
    if selection.instruments is not None:
        texts = ", ".join(map(literal, selection.instruments))
        names = [f"instrument = ANY (ARRAY[{texts}]::text[])"]
    elif len(kind) == 2 and (selection.start, selection.end) != (None, None):
        every = _EVERY_NAME.format(kind=" AND ".join(kind))
        names = [f"instrument = ANY (ARRAY({every}))"]
    return " AND ".join([*kind, *names, *limits]) or "true"


def _pieces(session: ServerSession) -> Iterator[pl.DataFrame]:
    order, after = ", ".join(LOG_ORDER), ""
    while True:
        rows = session.scan(
            f"SELECT {', '.join(LOG_SCHEMA)} FROM tallow.log {after} "
            f"ORDER BY {order} LIMIT {STORE_REWRITE_ROWS}"
        )
        if len(rows):
            yield rows
        if len(rows) < STORE_REWRITE_ROWS:
            return
        after = f"WHERE ({order}) > ({_last_key(rows)})"


def _last_key(rows: pl.DataFrame) -> str:
    timeframe, adjustment, instrument, timestamp, revision = (
        rows.select(LOG_ORDER).tail(1).with_columns(pl.col("timestamp").to_physical()).row(0)
    )
    texts = map(literal, (timeframe, adjustment, instrument))
    return ", ".join([*texts, instant(timestamp), literal(revision)])
