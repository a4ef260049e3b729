"""The evidence of experiments: one SQLite file, written by many processes and read by one.

Each serving process has a supervisor that writes its observations; the controller of a rollout
reads totals. The file is in WAL mode: readers never wait, and a kill at any moment leaves whole
batches. A power failure may lose the last ones, and nothing else; new evidence follows.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import threading
import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from tallow.core.disk import PRIVATE, open_beside
from tallow.core.errors import EvidenceError
from tallow.core.limits import (
    EVIDENCE_LOCK_SECONDS,
    EVIDENCE_ROWS,
    MISMATCHES_BYTES,
    MISMATCHES_KEPT,
)
from tallow.core.time import from_us, to_us
from tallow.migrate.evidence import Judgement, Observation, Totals
from tallow.migrate.shadow.mismatch import Mismatch, read_mismatch

_FORMAT = 2
_TABLES = """
CREATE TABLE IF NOT EXISTS observation (
    id INTEGER PRIMARY KEY, experiment TEXT NOT NULL, at INTEGER NOT NULL, key TEXT NOT NULL,
    served TEXT NOT NULL, control_ms REAL, candidate_ms REAL, aside_ms REAL, error TEXT,
    skipped TEXT, staleness REAL, compared INTEGER, equal INTEGER, explained INTEGER,
    unexplained INTEGER, flips INTEGER, causes TEXT
);
CREATE INDEX IF NOT EXISTS observation_at ON observation (experiment, at);
CREATE TABLE IF NOT EXISTS mismatch (
    id INTEGER PRIMARY KEY, experiment TEXT NOT NULL, bytes INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS mismatch_of ON mismatch (experiment, id);
CREATE TABLE IF NOT EXISTS dropped (
    experiment TEXT NOT NULL, what TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (experiment, what)
) WITHOUT ROWID;
"""
_WITHIN = "FROM observation WHERE experiment = ? AND at >= ? AND at < ? AND id > ?"
_SUMS = f"""
SELECT count(*), sum(served = 'candidate'),
    sum(coalesce(candidate_ms, error, compared) IS NOT NULL),
    sum(error IS NOT NULL), sum(skipped IS NOT NULL), sum(compared), sum(equal), sum(explained),
    sum(unexplained), sum(flips), max(staleness) {_WITHIN}
"""
_TIMES = {
    "control_p99_ms": ("control_ms", ""),
    "candidate_p99_ms": ("candidate_ms", ""),
    "control_background_p99_ms": ("aside_ms", "AND served = 'candidate'"),
    "candidate_background_p99_ms": ("aside_ms", "AND served = 'control'"),
}
"""Percentiles, each with its column and condition. ``aside_ms`` holds the `background_ms`."""
_COUNTS = (
    *("calls", "served", "tried", "errors", "skipped"),
    *("compared", "equal", "explained", "unexplained", "flips"),
)
_WORST = f"""
SELECT experiment, at, key, served, control_ms, candidate_ms, aside_ms, error, skipped, staleness,
    compared, equal, explained, unexplained, flips, causes {_WITHIN}
    AND (error IS NOT NULL OR explained + unexplained + flips > 0)
ORDER BY unexplained DESC, flips DESC, explained DESC, id DESC LIMIT ?
"""
_PRUNE_EVERY = EVIDENCE_ROWS // 100


class EvidenceStore:
    """Observations and mismatches of experiments in one file; an `EvidenceSource` of rollouts.

    May be used by several threads, by several processes at once, and after a fork.

    Parameters
    ----------
    path
        The file; made if there is none, in a folder that must exist.

    Raises
    ------
    EvidenceError
        Here and in every method, if the file cannot be read or written.

    Notes
    -----
    Only its owner may read a new file; in a folder that a group may write, also the group.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self._lock = threading.Lock()
        self._connections: dict[int, sqlite3.Connection] = {}
        self._unpruned = 0
        weakref.finalize(self, _close, self._connections)
        with self._connected() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != _FORMAT:
            raise EvidenceError(
                f"evidence: file={self.path}, format={version}; this version reads {_FORMAT}; go "
                "on with the version that wrote it, or name another file in the plan"
            )

    def add(
        self,
        observations: Sequence[Observation],
        mismatches: Sequence[tuple[str, bytes]] = (),
        dropped: dict[tuple[str, str], int] | None = None,
    ) -> None:
        """Write all of this, or nothing.

        `mismatches` are the experiment and the bytes of each; `dropped` the numbers of what could
        not be kept, by experiment and kind (``mismatches``, ``lost``).
        """
        rows = [_row(observation) for observation in observations]
        marks = ", ".join("?" * 16)
        with self._connected() as connection, connection:
            # Immediate: a transaction that reads first and writes later is refused without a wait.
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(f"INSERT INTO observation VALUES (NULL, {marks})", rows)
            connection.executemany(
                "INSERT INTO mismatch VALUES (NULL, ?, ?, ?)",
                [(experiment, len(body), body) for experiment, body in mismatches],
            )
            for experiment in {experiment for experiment, _ in mismatches}:
                _prune_mismatches(connection, experiment)
            for (experiment, what), count in (dropped or {}).items():
                _count_dropped(connection, experiment, what, count)
            self._unpruned += len(rows)
            if self._unpruned >= _PRUNE_EVERY:
                for experiment in {row[0] for row in rows}:
                    _prune_observations(connection, experiment)
                self._unpruned = 0

    def totals(self, experiment: str, since: datetime, until: datetime) -> Totals:
        """Return what was observed in ``since <= at < until``; percentiles are exact."""
        return self.totals_after(experiment, since, until, 0)

    def position(self, experiment: str) -> int:
        """Return the number of the last observation that was written; 0 if there is none."""
        with self._connected() as connection:
            (last,) = connection.execute(
                "SELECT max(id) FROM observation WHERE experiment = ?", (experiment,)
            ).fetchone()
        return last or 0

    def totals_after(
        self, experiment: str, since: datetime, until: datetime, position: int
    ) -> Totals:
        """Return what was observed in ``since <= at < until``, and written after a position."""
        span = (experiment, _microseconds(since), _microseconds(until), position)
        with self._connected() as connection:
            # One transaction, so that all queries see the same state of the file.
            connection.execute("BEGIN")
            *sums, staleness = connection.execute(_SUMS, span).fetchone()
            causes: Counter[str] = Counter()
            for (text,) in connection.execute(f"SELECT causes {_WITHIN} AND causes != ''", span):
                causes.update(json.loads(text))
            times: dict[str, Any] = {
                name: _p99(connection, *query, span) for name, query in _TIMES.items()
            }
            connection.execute("COMMIT")
        counts = {name: count or 0 for name, count in zip(_COUNTS, sums, strict=True)}
        return Totals(**counts, **times, staleness_seconds=staleness, causes=dict(causes))

    def worst(
        self, experiment: str, since: datetime, until: datetime, limit: int
    ) -> list[Observation]:
        """Return the calls in ``since <= at < until`` that differ most, or failed; worst first."""
        span = (experiment, _microseconds(since), _microseconds(until), 0, limit)
        with self._connected() as connection:
            return [_observation(row) for row in connection.execute(_WORST, span)]

    def mismatches(self, experiment: str) -> list[Mismatch]:
        """Return the mismatches that are kept, the newest first; nothing in them is ever run."""
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT id, body FROM mismatch WHERE experiment = ? ORDER BY id DESC", (experiment,)
            ).fetchall()
        return [read_mismatch(body, f"{self.path}#{number}") for number, body in rows]

    def dropped(self, experiment: str) -> dict[str, int]:
        """Count the ``observations`` and ``mismatches`` that were not kept, and those ``lost``."""
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT what, count FROM dropped WHERE experiment = ?", (experiment,)
            )
            return dict(rows.fetchall())

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            _close(self._connections)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection()
            except (sqlite3.Error, OSError, ValueError) as error:
                # A transaction left open after an error would hold the lock for ever.
                _close(self._connections)
                raise EvidenceError(
                    f"evidence: file={self.path}; cannot be read or written; {error}"
                ) from error

    def _connection(self) -> sqlite3.Connection:
        # By process: a connection that a fork copied must not even be closed in the child.
        connection = self._connections.get(os.getpid())
        if connection is None:
            if not self.path.exists():
                # Private: it holds inputs and answers of calls. SQLite's side files get its rights.
                os.close(open_beside(self.path, PRIVATE))
            connection = sqlite3.connect(
                self.path,
                timeout=EVIDENCE_LOCK_SECONDS,
                check_same_thread=False,
                isolation_level=None,
            )
            self._connections[os.getpid()] = connection
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if connection.execute("PRAGMA user_version").fetchone() == (0,):
                connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")
                connection.execute(f"PRAGMA user_version = {_FORMAT}")
        return connection


def _close(connections: dict[int, sqlite3.Connection]) -> None:
    """Close this process's own connection."""
    connection = connections.pop(os.getpid(), None)
    if connection is not None:
        connection.close()


def _row(one: Observation) -> tuple[Any, ...]:
    judgement = one.judgement
    counts: tuple[Any, ...] = (None,) * 6
    if judgement is not None:
        numbers = (judgement.compared, judgement.equal, judgement.explained)
        causes = json.dumps(judgement.causes) if judgement.causes else ""
        counts = (*numbers, judgement.unexplained, judgement.flips, causes)
    return (
        *(one.experiment, _microseconds(one.at), one.key, one.served),
        *(one.control_ms, one.candidate_ms, one.background_ms),
        *(one.error, one.skipped, one.staleness_seconds),
        *counts,
    )


def _observation(row: tuple[Any, ...]) -> Observation:
    experiment, at, key, served, control, candidate, aside, error, skipped, stale, *counts = row
    judgement = None
    if counts[0] is not None:
        counts[5] = json.loads(counts[5] or "{}")
        judgement = Judgement(*counts)
    times = (control, candidate, error, skipped, stale, judgement, aside)
    return Observation(experiment, from_us(at), key, served, *times)


def _p99(
    connection: sqlite3.Connection, column: str, which: str, span: tuple[Any, ...]
) -> float | None:
    """Return the least time that at most one in a hundred exceeds, but at least one.

    None for fewer than two. At least one, so that a single accident in a few calls is not the p99.
    """
    within = f"{_WITHIN} AND {column} IS NOT NULL {which}"
    (count,) = connection.execute(f"SELECT count(*) {within}", span).fetchone()
    if count < 2:
        return None
    offset = min(math.ceil(0.99 * count) - 1, count - 2)
    (value,) = connection.execute(
        f"SELECT {column} {within} ORDER BY {column} LIMIT 1 OFFSET ?", (*span, offset)
    ).fetchone()
    return float(value)


def _prune_mismatches(connection: sqlite3.Connection, experiment: str) -> None:
    """Keep the newest, within the limits of number and size."""
    total, oldest = 0, 0
    rows = connection.execute(
        "SELECT id, bytes FROM mismatch WHERE experiment = ? ORDER BY id DESC", (experiment,)
    ).fetchall()
    for count, (number, size) in enumerate(rows):
        total += size
        if count == MISMATCHES_KEPT or total > MISMATCHES_BYTES:
            oldest = number
            break
    done = connection.execute(
        "DELETE FROM mismatch WHERE experiment = ? AND id <= ?", (experiment, oldest)
    )
    _count_dropped(connection, experiment, "mismatches", done.rowcount)


def _prune_observations(connection: sqlite3.Connection, experiment: str) -> None:
    done = connection.execute(
        # In the order in which they came: after a clock was set back, new ones have earlier times.
        "DELETE FROM observation WHERE experiment = ?1 AND id <= (SELECT id FROM observation "
        "WHERE experiment = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        (experiment, EVIDENCE_ROWS),
    )
    _count_dropped(connection, experiment, "observations", done.rowcount)


def _count_dropped(connection: sqlite3.Connection, experiment: str, what: str, count: int) -> None:
    if count > 0:
        connection.execute(
            "INSERT INTO dropped VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count",
            (experiment, what, count),
        )


def _microseconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise EvidenceError(f"evidence: at={moment.isoformat()}; must carry a zone")
    return to_us(moment)
