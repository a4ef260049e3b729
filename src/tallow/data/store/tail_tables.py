"""The tables of a tail's file: made where they are missing, or older."""

from __future__ import annotations

import sqlite3
import uuid
from pathlib import Path

from tallow.core.disk import make_folder
from tallow.core.errors import StoreError
from tallow.data.store.ledger import SqliteLedger
from tallow.data.store.receipts import SqliteReceipts

LAYOUT = 2
"""Number of the tables' layout, as the file says it: it grows with every change to them."""

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT, digest INTEGER NOT NULL, body BLOB NOT NULL
);
ALTER TABLE batches ADD COLUMN writes INTEGER NOT NULL DEFAULT 1;
INSERT INTO sqlite_sequence
    SELECT 'batches', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'batches');
INSERT OR IGNORE INTO facts VALUES ('received', 0), ('reached', 0), ('alone', 0);
INSERT OR IGNORE INTO facts SELECT 'dropped', coalesce(
    (SELECT min(id) - 1 FROM batches),
    (SELECT seq FROM sqlite_sequence WHERE name = 'batches'),
    0
);
"""


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables where they are missing or older: no reader sees a part of them.

    `StoreError` if they are of a newer version, which may keep there what this one would lose.
    """
    found = _layout(connection)
    if found > LAYOUT:
        raise StoreError(
            f"store: {path}: has tables of layout {found}, made by a newer tallow; this one reads "
            f"up to {LAYOUT}; update it"
        )
    if found == LAYOUT:
        # Who opens a store to read need not wait for a writer's lock.
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _layout(connection) < LAYOUT:
            # Who finds the tables knows that the file's name is on disk.
            make_folder(path.parent)
            if _layout(connection) < 1:
                _make_first(connection)
            SqliteReceipts.create(connection)
            connection.execute(f"PRAGMA user_version = {LAYOUT}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _make_first(connection: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    SqliteLedger.create(connection)
    made = "INSERT OR IGNORE INTO facts VALUES ('identity', ?)"
    connection.execute(made, (uuid.uuid4().hex,))


def _layout(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
