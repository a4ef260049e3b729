"""The record: which causes were claimed, and what became of them; one SQLite file.

A cause is claimed on disk before it is sent, so that no crash sends it twice. One that was claimed
and of which nothing more is known, after a crash, may have been sent or not: it is never sent
again, and counted as unknown.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tallow.alerts.alert import Alert
from tallow.core.disk import PRIVATE, open_beside
from tallow.core.errors import AlertError
from tallow.core.limits import ALERT_LOCK_SECONDS, ALERTS_KEPT
from tallow.core.time import to_us

_FORMAT = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS alert (
    id INTEGER PRIMARY KEY, cause TEXT NOT NULL UNIQUE, identity TEXT NOT NULL,
    instrument TEXT NOT NULL, moment INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS alert_of ON alert (identity, moment);
CREATE TABLE IF NOT EXISTS delivery (
    alert INTEGER NOT NULL, sink TEXT NOT NULL, outcome TEXT NOT NULL, why TEXT NOT NULL,
    PRIMARY KEY (alert, sink)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS delivery_open ON delivery (outcome) WHERE outcome = 'claimed';
CREATE TABLE IF NOT EXISTS arming (
    identity TEXT NOT NULL, instrument TEXT NOT NULL, armed INTEGER NOT NULL,
    opened INTEGER NOT NULL, PRIMARY KEY (identity, instrument)
) WITHOUT ROWID;
"""
_ASKED = 500

WAITING = "waiting"
"""What a delivery is that waits for the end of quiet hours."""

_UNKNOWN = "claimed before a crash or stop; it may have been sent, and is not sent again"


class Turn(NamedTuple):
    """That a rule turned armed, or not, for an instrument at the bar that opened then."""

    identity: str
    instrument: str
    armed: bool
    opened: int


class AlertRecord:
    """Which causes were claimed, what became of them, and which rules are armed.

    One watch at a time has it; threads may share it.

    Parameters
    ----------
    path
        The file, for its owner alone; made if there is none. None keeps it in memory: then a
        restart knows nothing.

    Attributes
    ----------
    unknown
        Deliveries that a watch before claimed, and of which nothing more is known.

    Raises
    ------
    AlertError
        Here and in every method, if the file cannot be read or written, or another watch has it.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = None if path is None else Path(path).absolute()
        self._lock = threading.Lock()
        self._connection = self._opened()
        self.unknown = self._give_up_claims()

    def claim(
        self,
        alerts: Sequence[tuple[str, Alert]],
        sinks: Sequence[str],
        turns: Iterable[Turn],
        waiting: Container[str] = (),
    ) -> None:
        """Write alerts with the identities of their rules as claimed for sinks, and turns.

        Those whose causes are among `waiting` wait for `claim_waiting`. All is on disk when it
        returns, or nothing. A cause must not be there yet.
        """
        with self._lock, _naming(self.path), self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            for identity, alert in alerts:
                body, moment = json.dumps(alert.to_dict()), to_us(alert.moment)
                row = (alert.cause, identity, alert.instrument, moment, body)
                row_id = connection.execute(
                    "INSERT INTO alert VALUES (NULL, ?, ?, ?, ?, ?)", row
                ).lastrowid
                outcome = WAITING if alert.cause in waiting else "claimed"
                connection.executemany(
                    "INSERT INTO delivery VALUES (?, ?, ?, '')",
                    [(row_id, sink, outcome) for sink in sinks],
                )
            connection.executemany("INSERT OR REPLACE INTO arming VALUES (?, ?, ?, ?)", turns)
            if alerts:
                _prune(connection)

    def settle(self, cause: str, sink: str, outcome: str, why: str = "") -> None:
        """Write what became of a cause: sent, failed, unknown, dropped, or quieted."""
        with self._lock, _naming(self.path), self._connection as connection:
            connection.execute(
                "UPDATE delivery SET outcome = ?, why = ? WHERE sink = ? AND alert = "
                "(SELECT id FROM alert WHERE cause = ?)",
                (outcome, why, sink, cause),
            )

    def waiting(self) -> list[tuple[str, Alert]]:
        """Return what waits for `claim_waiting`, oldest first: sinks' names, and alerts."""
        rows = self._rows(
            "SELECT sink, body FROM delivery JOIN alert ON alert.id = alert WHERE outcome = ? "
            "ORDER BY alert, sink",
            WAITING,
        )
        return [(sink, Alert.from_dict(json.loads(body))) for sink, body in rows]

    def claim_waiting(self, causes: Sequence[str], sink: str) -> None:
        """Claim what waits of some causes for a sink; all is on disk when it returns."""
        with self._lock, _naming(self.path), self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "UPDATE delivery SET outcome = 'claimed' WHERE sink = ? AND outcome = ? AND "
                "alert = (SELECT id FROM alert WHERE cause = ?)",
                [(sink, WAITING, cause) for cause in causes],
            )

    def last(self, identity: str, instrument: str) -> Alert | None:
        """Return the newest alert of a rule and an instrument; None where there was none."""
        rows = self._rows(
            "SELECT body FROM alert WHERE identity = ? AND instrument = ? "
            "ORDER BY moment DESC, id DESC LIMIT 1",
            identity,
            instrument,
        )
        return Alert.from_dict(json.loads(rows[0][0])) if rows else None

    def recent(self, count: int) -> list[dict[str, Any]]:
        """Return the newest alerts, the newest first, each with what became of it by sink."""
        rows = self._rows(
            "SELECT alert.id, body, sink, outcome, why FROM (SELECT * FROM alert ORDER BY id DESC "
            "LIMIT ?) AS alert LEFT JOIN delivery ON alert.id = delivery.alert "
            "ORDER BY alert.id DESC, sink",
            count,
        )
        found: dict[int, dict[str, Any]] = {}
        for number, body, sink, outcome, why in rows:
            if number not in found:
                found[number] = json.loads(body) | {"deliveries": []}
            if sink is not None:
                said = {"sink": sink, "outcome": outcome, "why": why}
                found[number]["deliveries"].append(said)
        return list(found.values())

    def known(self, causes: Sequence[str]) -> set[str]:
        """Return which of some causes were claimed before."""
        found: set[str] = set()
        for first in range(0, len(causes), _ASKED):
            part = causes[first : first + _ASKED]
            marks = ", ".join("?" * len(part))
            rows = self._rows(f"SELECT cause FROM alert WHERE cause IN ({marks})", *part)
            found |= {cause for (cause,) in rows}
        return found

    def turns(self, identity: str) -> dict[str, tuple[bool, int]]:
        """Return for whom a rule turned last: whether it is armed, and the bar's open."""
        query = "SELECT instrument, armed, opened FROM arming WHERE identity = ?"
        return {name: (bool(armed), opened) for name, armed, opened in self._rows(query, identity)}

    def fired(self, identity: str) -> list[tuple[str, int]]:
        """Return instruments and moments of a rule's alerts, oldest first."""
        query = "SELECT instrument, moment FROM alert WHERE identity = ? ORDER BY moment"
        return self._rows(query, identity)

    def deliveries(self) -> list[tuple[str, str, str, str]]:
        """Return cause, sink, outcome and why of all deliveries, in the order of alerts."""
        query = (
            "SELECT cause, sink, outcome, why FROM delivery JOIN alert ON alert.id = alert "
            "ORDER BY alert, sink"
        )
        return self._rows(query)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._lock, _naming(self.path):
            return self._connection.execute(query, values).fetchall()

    def _opened(self) -> sqlite3.Connection:
        with _naming(self.path):
            if self.path is not None:
                os.close(open_beside(self.path, PRIVATE))
            connection = sqlite3.connect(
                ":memory:" if self.path is None else self.path,
                ALERT_LOCK_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            # A second watch of the same record would take the first one's claims for lost ones.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version not in {0, _FORMAT}:
                raise AlertError(
                    f"alerts: record={self.path}, format={version}; this version reads {_FORMAT}; "
                    "name another file"
                )
            connection.executescript(
                f"BEGIN IMMEDIATE;{_TABLES}PRAGMA user_version={_FORMAT};COMMIT"
            )
        return connection

    def _give_up_claims(self) -> int:
        with self._lock, _naming(self.path), self._connection as connection:
            return connection.execute(
                "UPDATE delivery SET outcome = 'unknown', why = ? WHERE outcome = 'claimed'",
                (_UNKNOWN,),
            ).rowcount


def _prune(connection: sqlite3.Connection) -> None:
    """Forget the oldest alerts of very many."""
    limit = "SELECT id FROM alert ORDER BY id DESC LIMIT 1 OFFSET ?"
    row = connection.execute(limit, (ALERTS_KEPT,)).fetchone()
    if row is not None:
        connection.execute("DELETE FROM delivery WHERE alert <= ?", row)
        connection.execute("DELETE FROM alert WHERE id <= ?", row)


class _naming:  # noqa: N801 - it stands after `with`
    """Turn what is raised over the file into an error that names it and what to do."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> None:
        if not isinstance(error, sqlite3.Error | OSError) or isinstance(error, AlertError):
            return
        said = str(getattr(error, "strerror", None) or error).partition("\n")[0]
        hint = "is there room on its disk, and may this user write to its folder?"
        if "locked" in said:
            hint = "another watch has it; stop that one, or name another file"
        raise AlertError(f"alerts: record={self._path}; {said}; {hint}") from error
