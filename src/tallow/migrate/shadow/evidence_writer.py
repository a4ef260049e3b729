"""Writes a supervisor's evidence in batches; keeps it while the file is locked or the disk full."""

from __future__ import annotations

import time
from collections import Counter, deque

from tallow.core.errors import EvidenceError
from tallow.core.limits import (
    EVIDENCE_BACKLOG,
    EVIDENCE_FLUSH_SECONDS,
    EVIDENCE_LOCK_SECONDS,
    MISMATCHES_AT_ONCE,
    MISMATCHES_PER_SECOND,
)
from tallow.migrate.evidence import Observation
from tallow.migrate.shadow.messages import SharedCounters
from tallow.migrate.shadow.store import EvidenceStore


class EvidenceWriter:
    """Collects evidence and writes it; what cannot be written for long is lost, and counted."""

    def __init__(self, path: str, experiment: str, counters: SharedCounters) -> None:
        self._path, self._experiment, self._counters = path, experiment, counters
        self._store: EvidenceStore | None = None
        self._observations: deque[Observation] = deque()
        self._mismatches: deque[tuple[str, bytes]] = deque()
        self._dropped: Counter[str] = Counter()
        self._due: float | None = None
        self._allowance, self._updated = float(MISMATCHES_AT_ONCE), time.monotonic()

    def add_observation(self, observation: Observation) -> None:
        """Add an observation to the next batch."""
        self._observations.append(observation)
        if len(self._observations) > EVIDENCE_BACKLOG:
            self._observations.popleft()
            self._lose(1)
        self._set_due(EVIDENCE_FLUSH_SECONDS)

    @property
    def has_room(self) -> bool:
        """Whether one more mismatch may be kept now; limits their rate."""
        now = time.monotonic()
        self._allowance += MISMATCHES_PER_SECOND * (now - self._updated)
        self._allowance, self._updated = min(self._allowance, float(MISMATCHES_AT_ONCE)), now
        return self._allowance >= 1.0

    def add_mismatch(self, body: bytes) -> None:
        """Add a mismatch to the next batch; of many that cannot be written, keep the newest."""
        self._allowance -= 1.0
        self._mismatches.append((self._experiment, body))
        if len(self._mismatches) > MISMATCHES_AT_ONCE:
            self._mismatches.popleft()
            self.drop_mismatch()
        self._set_due(EVIDENCE_FLUSH_SECONDS)

    def drop_mismatch(self) -> None:
        """Count a mismatch that could not be kept."""
        self._dropped["mismatches"] += 1
        self._set_due(EVIDENCE_FLUSH_SECONDS)

    def seconds_left(self) -> float | None:
        """Return the seconds until the next batch is due; None if there is nothing to write."""
        return None if self._due is None else max(0.0, self._due - time.monotonic())

    def write_if_due(self) -> None:
        """Write the batch if it is due."""
        if self._due is not None and time.monotonic() >= self._due:
            self._write()

    def close(self) -> None:
        """Write the last batch; what cannot be written now is lost."""
        if self._due is not None:
            self._write()
        self._lose(len(self._observations))
        if self._store is not None:
            self._store.close()

    def _write(self) -> None:
        dropped = {(self._experiment, what): count for what, count in self._dropped.items()}
        try:
            if self._store is None:
                self._store = EvidenceStore(self._path)
            self._store.add(self._observations, self._mismatches, dropped)
        except (EvidenceError, OSError):
            self._due = None
            self._set_due(EVIDENCE_LOCK_SECONDS)
            return
        count = len(self._observations)
        self._observations.clear()
        self._mismatches.clear()
        self._dropped.clear()
        self._due = None
        # Last: a flush that waits for this counter reads the file next.
        self._counters.add("written", count)

    def _set_due(self, seconds: float) -> None:
        if self._due is None:
            self._due = time.monotonic() + seconds

    def _lose(self, count: int) -> None:
        if count:
            self._dropped["lost"] += count
            self._counters.add("lost", count)
