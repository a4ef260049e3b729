"""Connections to a PostgreSQL server, through ADBC: Arrow in, Arrow out, `COPY` in between.

ADBC's own low-level interface is used, because its DB-API one needs pyarrow to read and write.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import adbc_driver_postgresql
import polars as pl
from adbc_driver_manager import (
    AdbcConnection,
    AdbcDatabase,
    AdbcStatement,
    AdbcStatusCode,
    Error,
)

from tallow.core.errors import LostConnectionError, StoreError
from tallow.core.limits import STORE_CONNECTIONS, STORE_LOCK_SECONDS

SCHEMA = "tallow"
_SETTINGS = f"SET standard_conforming_strings = on; SET lock_timeout = '{STORE_LOCK_SECONDS}s'"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HINTS = {
    "22021": "PostgreSQL holds no zero byte in a text; mend the name",
    "42501": "ask the owner of the database for the right",
    "53100": "make room on the server's disk",
    "55P03": f"another write held the store for {STORE_LOCK_SECONDS} s; stop that one",
    "57014": "a time limit or an administrator stopped it; nothing was written; try again",
}
"""What to do, by SQLSTATE."""


class Session:
    """A connection in the hands of one thread."""

    def __init__(self, connection: AdbcConnection, name: str) -> None:
        self._connection = connection
        self._name = name

    def query(self, sql: str) -> pl.DataFrame:
        """Return the rows of a query; one statement sees one state."""
        # What fails in the middle of the rows comes out as an error of their reader.
        with database_errors(self._name), AdbcStatement(self._connection) as statement:
            statement.set_sql_query(sql)
            return pl.DataFrame(statement.execute_query()[0])

    def run(self, sql: str, values: pl.DataFrame | None = None) -> int:
        """Run a statement, once for each row of values; return how many rows it changed."""
        with database_errors(self._name), AdbcStatement(self._connection) as statement:
            statement.set_sql_query(sql)
            if values is not None:
                statement.bind_stream(values)
            return int(statement.execute_update())

    def copy(self, table: str, rows: pl.DataFrame) -> None:
        """Append rows to a table by one `COPY`; columns go by their names."""
        with database_errors(self._name), AdbcStatement(self._connection) as statement:
            statement.set_options(
                **{
                    "adbc.ingest.target_table": table,
                    "adbc.ingest.target_db_schema": SCHEMA,
                    "adbc.ingest.mode": "adbc.ingest.mode.append",
                }
            )
            statement.bind_stream(rows)
            statement.execute_update()

    def begin(self) -> None:
        """Begin a transaction."""
        with database_errors(self._name):
            self._connection.set_autocommit(False)

    def commit(self) -> None:
        """Commit the transaction."""
        with database_errors(self._name):
            self._connection.commit()
            self._connection.set_autocommit(True)

    def close(self) -> None:
        """Close the connection; a transaction that is not committed is undone."""
        self._connection.close()


class Server:
    """A database, and the connections to it that wait for their next use."""

    def __init__(self, url: str) -> None:
        self.name = without_password(url)
        self._database = self._reach(url)
        self._idle: list[Session] = []
        self._lock = threading.Lock()

    def _reach(self, url: str) -> AdbcDatabase:
        with database_errors(self.name):
            return adbc_driver_postgresql.connect(url)

    def query(self, sql: str) -> pl.DataFrame:
        """Return the rows of a query; again on a new connection where the server ended the old."""
        try:
            with self._session() as session:
                return session.query(sql)
        except LostConnectionError:
            with self._session() as session:
                return session.query(sql)

    def run(self, sql: str) -> None:
        """Run a statement outside of transactions."""
        with self._session() as session:
            session.run(sql)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Give a connection with a transaction; commit at the end, or undo all of it."""
        with self._session() as session:
            try:
                session.begin()
            except LostConnectionError:
                session.close()
                session = self._connected()
                session.begin()
            yield session
            session.commit()

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with self._lock:
            held = self._idle.pop() if self._idle else None
        session = held or self._connected()
        try:
            yield session
        except BaseException as error:
            # Whatever state it is in, nobody else shall find it.
            session.close()
            if isinstance(error, LostConnectionError):
                self.close()
            raise
        with self._lock:
            keep = len(self._idle) < STORE_CONNECTIONS
            if keep:
                self._idle.append(session)
        if not keep:
            session.close()

    def _connected(self) -> Session:
        with database_errors(self.name):
            session = Session(AdbcConnection(self._database), self.name)
        session.run(_SETTINGS)
        return session

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()


def literal(value: str | int) -> str:
    """Return a value as SQL writes it; `COPY`, which is what is fast, takes no parameters."""
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def instant(microseconds: int) -> str:
    """Return a time in microseconds since 1970 UTC as SQL writes it."""
    return f"'{_EPOCH + timedelta(microseconds=microseconds)}'::timestamptz"


def without_password(url: str) -> str:
    """Return a database's URL as it may be shown.

    Examples
    --------
    >>> without_password("postgresql://me:secret@server/db?password=secret&port=5433")
    'postgresql://me@server/db?port=5433'
    """
    head, _, query = url.partition("?")
    kept = [part for part in query.split("&") if part and "password=" not in part]
    shown = re.sub(r"(//[^:/@]*):[^@]*@", r"\1@", head)
    return "?".join([shown, "&".join(kept)] if kept else [shown])


@contextmanager
def database_errors(name: str) -> Iterator[None]:
    """Turn what the driver raises into an error that names the database and what to do."""
    try:
        yield
    except (Error, pl.exceptions.ComputeError) as error:
        said = re.split(r"(?:ERROR|FATAL): +", str(error))[-1].strip()
        reason = (said.splitlines() or [type(error).__name__])[0]
        if isinstance(error, Error) and error.status_code == AdbcStatusCode.IO:
            raise LostConnectionError(
                f"store: {name}: {reason}; is the server running, and are host, database, user and "
                "password right? What was not acknowledged can be written again"
            ) from error
        state = error.sqlstate if isinstance(error, Error) else None
        hint = _HINTS.get(state or "", "see the server's log")
        raise StoreError(f"store: {name}: {reason}; {hint}") from error
