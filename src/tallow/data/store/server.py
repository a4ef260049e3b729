"""Connections to a PostgreSQL server, through ADBC: Arrow in, Arrow out, `COPY` in between.

ADBC's own low-level interface is used, because its DB-API one needs pyarrow to read and write.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import adbc_driver_postgresql
import polars as pl
from adbc_driver_manager import (
    AdbcConnection,
    AdbcDatabase,
    AdbcStatement,
    AdbcStatusCode,
    Error,
)

from tallow.core.deadlines import result_of, start, within
from tallow.core.errors import LostConnectionError, StoreError
from tallow.core.limits import (
    STORE_ANSWER_SECONDS,
    STORE_CONNECT_SECONDS,
    STORE_CONNECTIONS,
    STORE_LOCK_SECONDS,
    STORE_ROWS_SECONDS,
    STORE_STATEMENT_SECONDS,
)
from tallow.core.text import hide_secrets, require_escaped_user, without_secrets
from tallow.core.time import nearest_datetime

T = TypeVar("T")

SCHEMA = "tallow"
_SETTINGS = f"""
SET standard_conforming_strings = on;
SET lock_timeout = '{STORE_LOCK_SECONDS}s';
DO $$ BEGIN
    IF current_setting('statement_timeout') = '0' THEN
        PERFORM set_config('statement_timeout', '{STORE_STATEMENT_SECONDS:g}s', false);
    END IF;
END $$
"""
_PARAMETERS = {
    "connect_timeout": f"{STORE_CONNECT_SECONDS:g}",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""What libpq gets where the URL does not say it: a machine that is gone is noticed in a minute.
"""
_HINTS = {
    "42501": "ask the owner of the database for the right",
    "53100": "make room on the server's disk",
    "55P03": f"another write held the store for {STORE_LOCK_SECONDS} s; stop that one",
    "57014": "a time limit or an administrator stopped it; nothing was written; try again",
}
"""What to do, by SQLSTATE."""


class ServerSession:
    """A connection in the hands of one thread.

    What it asks runs in another thread, since the driver waits for a server that says nothing
    without end, and for no signal. A thread that was left behind keeps the connection.
    """

    def __init__(self, connection: AdbcConnection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._is_left = False

    def query(self, sql: str) -> pl.DataFrame:
        """Return the few rows of a query."""
        options = {"adbc.postgresql.use_copy": "false"}
        return self._wait_for(lambda: self._rows(sql, options), STORE_ANSWER_SECONDS)

    def scan(self, sql: str) -> pl.DataFrame:
        """Return the many rows of a query, by `COPY`: in a third of the memory."""
        return self._wait_for(lambda: self._rows(sql, {}), STORE_ROWS_SECONDS)

    def _rows(self, sql: str, options: Mapping[str, str]) -> pl.DataFrame:
        # A failure in the middle of a `COPY` is an error of its reader.
        with AdbcStatement(self._connection) as statement:
            statement.set_options(**options)
            statement.set_sql_query(sql)
            return pl.DataFrame(statement.execute_query()[0])

    def run(self, sql: str, values: pl.DataFrame | None = None) -> int:
        """Run a statement, once for each row of values; return how many rows it changed."""
        return self._wait_for(lambda: self._execute(sql, values), STORE_STATEMENT_SECONDS)

    def _execute(self, sql: str, values: pl.DataFrame | None = None) -> int:
        with AdbcStatement(self._connection) as statement:
            statement.set_sql_query(sql)
            if values is not None:
                statement.bind_stream(values)
            return int(statement.execute_update())

    def copy(self, table: str, rows: pl.DataFrame) -> None:
        """Append rows to a table by one `COPY`; columns go by their names."""

        def act() -> None:
            with AdbcStatement(self._connection) as statement:
                statement.set_options(
                    **{
                        "adbc.ingest.target_table": table,
                        "adbc.ingest.target_db_schema": SCHEMA,
                        "adbc.ingest.mode": "adbc.ingest.mode.append",
                    }
                )
                statement.bind_stream(rows)
                statement.execute_update()

        self._wait_for(act, STORE_ROWS_SECONDS)

    def begin(self, isolation: str) -> None:
        """Begin a transaction."""

        def act() -> None:
            self._connection.set_autocommit(False)
            # The driver begins with the first statement: here a connection shows that it is dead.
            self._execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")

        self._wait_for(act, STORE_ANSWER_SECONDS)

    def commit(self) -> None:
        """Commit the transaction."""

        def act() -> None:
            self._connection.commit()
            self._connection.set_autocommit(True)

        self._wait_for(act, STORE_ANSWER_SECONDS)

    def close(self) -> None:
        """Close the connection; a transaction that is not committed is undone."""
        if not self._is_left:
            self._connection.close()

    def _wait_for(self, act: Callable[[], T], seconds: float) -> T:
        """Let the server do something, and wait for it; longer than its own limits would."""
        future = start(lambda: self._act(act), lambda _result: self._connection.close())
        with database_errors(self._name):
            try:
                return result_of(future, seconds + STORE_CONNECT_SECONDS)
            except BaseException:
                self._is_left = future.cancelled()
                raise

    def _act(self, act: Callable[[], T]) -> T:
        try:
            return act()
        except BaseException:
            if self._is_left:
                self._connection.close()
            raise


class Server:
    """A database, and the connections to it that wait for their next use."""

    def __init__(self, url: str) -> None:
        self.name = without_secrets(url)
        require_escaped_user("store", url, StoreError)
        self._database = self._reach(url)
        self._idle: list[ServerSession] = []
        self._lock = threading.Lock()

    def _reach(self, url: str) -> AdbcDatabase:
        known = _with_parameters(url)
        with database_errors(self.name, url):
            return within(3 * STORE_CONNECT_SECONDS, lambda: _database(known))

    def query(self, sql: str) -> pl.DataFrame:
        """Return the few rows of a query; one statement sees one state."""
        return self._again(lambda session: session.query(sql))

    def scan(self, sql: str) -> pl.DataFrame:
        """Return the many rows of a query; one statement sees one state."""
        return self._again(lambda session: session.scan(sql))

    def _again(self, ask: Callable[[ServerSession], pl.DataFrame]) -> pl.DataFrame:
        """Ask; once more on a new connection where the server ended the old one."""
        try:
            with self._using(self._take_session()) as session:
                return ask(session)
        except LostConnectionError:
            with self._using(self._connect()) as session:
                return ask(session)

    def run(self, sql: str) -> None:
        """Run a statement outside of transactions."""
        with self._using(self._take_session()) as session:
            session.run(sql)

    @contextmanager
    def transaction(self, isolation: str = "READ COMMITTED") -> Iterator[ServerSession]:
        """Give a connection with a transaction; commit at the end, or undo all of it."""
        with self._using(self._begin(isolation)) as session:
            yield session
            session.commit()

    def _begin(self, isolation: str) -> ServerSession:
        session = self._take_session()
        try:
            session.begin(isolation)
        except LostConnectionError:
            session.close()
            self.close()
            session = self._connect()
            session.begin(isolation)
        return session

    def _take_session(self) -> ServerSession:
        with self._lock:
            session = self._idle.pop() if self._idle else None
        return session or self._connect()

    @contextmanager
    def _using(self, session: ServerSession) -> Iterator[ServerSession]:
        """Put a connection back in the end; close it where something went wrong with it."""
        try:
            yield session
        except BaseException as error:
            session.close()
            if isinstance(error, LostConnectionError):
                # Those that wait are of the same age.
                self.close()
            raise
        with self._lock:
            is_kept = len(self._idle) < STORE_CONNECTIONS
            if is_kept:
                self._idle.append(session)
        if not is_kept:
            session.close()

    def _connect(self) -> ServerSession:
        with database_errors(self.name):
            # Of several addresses, each has the time that libpq gets.
            connection = within(
                3 * STORE_CONNECT_SECONDS,
                lambda: AdbcConnection(self._database),
                lambda late: late.close(),
            )
        session = ServerSession(connection, self.name)
        session.run(_SETTINGS)
        return session

    def close(self) -> None:
        """Close the connections that are not in use."""
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()


def _database(url: str) -> AdbcDatabase:
    database: AdbcDatabase = adbc_driver_postgresql.connect(url)
    return database


def _with_parameters(url: str) -> str:
    """Return a URL that also says how long to wait for its server."""
    head, _, query = url.partition("?")
    said = {part.partition("=")[0] for part in query.split("&")}
    if "PGCONNECT_TIMEOUT" in os.environ:
        said.add("connect_timeout")
    added = [f"{name}={value}" for name, value in _PARAMETERS.items() if name not in said]
    return "?".join([head, "&".join([*([query] if query else []), *added])])


def literal(value: str | int) -> str:
    """Return a value as SQL writes it; `COPY`, which is what is fast, takes no parameters.

    `StoreError` if it is a text with a zero byte: the statement would end there.
    """
    if isinstance(value, int):
        return str(value)
    if "\0" in value:
        raise StoreError(
            f"store: {value!r}: has a zero byte; PostgreSQL holds none; change the name"
        )
    return "'" + value.replace("'", "''") + "'"


def instant(microseconds: int) -> str:
    """Return a time in microseconds since 1970 UTC as SQL writes it; in the years 1 to 9999."""
    return f"'{nearest_datetime(microseconds)}'::timestamptz"


def identity(url: str) -> str:
    """Return what identifies a database, without its password; not to be shown.

    Examples
    --------
    >>> identity("postgresql://me:secret@server/db?password=secret&port=5433")
    'postgresql://me@server/db?port=5433'
    """
    head, _, query = url.partition("?")
    kept = [part for part in query.split("&") if part and "password=" not in part]
    plain = re.sub(r"(//[^:/@]*):[^@]*@", r"\1@", head)
    return "?".join([plain, "&".join(kept)] if kept else [plain])


@contextmanager
def database_errors(name: str, url: str = "") -> Iterator[None]:
    """Turn what the driver raises into an error that names the database and what to do.

    A driver that reads an address, `url`, may say parts of it: then what it raised is not shown.
    """
    try:
        yield
    except TimeoutError as error:
        raise LostConnectionError(
            f"store: {name}: {error}; the server must answer; is it held, or what stands before "
            "it? What was not acknowledged can be written again"
        ) from error
    except (Error, pl.exceptions.ComputeError) as error:
        said = re.split(r"(?:ERROR|FATAL): +|\[libpq\] ", str(error))[-1].strip()
        reason = hide_secrets((said.splitlines() or [type(error).__name__])[0], url)
        cause = error if hide_secrets(str(error), url) == str(error) else None
        if isinstance(error, Error) and error.status_code == AdbcStatusCode.IO:
            raise LostConnectionError(
                f"store: {name}: {reason}; is the server running, and are host, database, user and "
                "password right? What was not acknowledged can be written again"
            ) from cause
        state = error.sqlstate if isinstance(error, Error) else None
        hint = _HINTS.get(state or "", "see the server's log")
        raise StoreError(f"store: {name}: {reason}; {hint}") from cause
