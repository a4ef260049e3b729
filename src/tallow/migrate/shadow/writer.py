"""What a warden has to write, in batches; held while the file is locked or its disk is full."""

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
from tallow.migrate.shadow.messages import Progress
from tallow.migrate.shadow.store import EvidenceStore, KeptMismatch


class Writer:
    """Gathers evidence and writes it; what it cannot write for long is lost, and counted."""

    def __init__(self, path: str, experiment: str, progress: Progress) -> None:
        self._path, self._experiment, self._progress = path, experiment, progress
        self._store: EvidenceStore | None = None
        self._observations: deque[Observation] = deque()
        self._mismatches: deque[KeptMismatch] = deque()
        self._dropped: Counter[str] = Counter()
        self._due: float | None = None
        self._room, self._room_at = float(MISMATCHES_AT_ONCE), time.monotonic()

    def note(self, observation: Observation) -> None:
        """Take an observation."""
        self._observations.append(observation)
        if len(self._observations) > EVIDENCE_BACKLOG:
            self._observations.popleft()
            self._lose(1)
        self._set_due(EVIDENCE_FLUSH_SECONDS)

    @property
    def has_room(self) -> bool:
        """Whether there is room for one more mismatch, among those of now."""
        now = time.monotonic()
        self._room += MISMATCHES_PER_SECOND * (now - self._room_at)
        self._room, self._room_at = min(self._room, float(MISMATCHES_AT_ONCE)), now
        return self._room >= 1.0

    def keep(self, body: bytes) -> None:
        """Take a mismatch; of many that cannot be written, the newest are kept."""
        self._room -= 1.0
        self._mismatches.append(KeptMismatch(self._experiment, body))
        if len(self._mismatches) > MISMATCHES_AT_ONCE:
            self._mismatches.popleft()
            self.drop()
        self._set_due(EVIDENCE_FLUSH_SECONDS)

    def drop(self) -> None:
        """Count a mismatch that could not be kept."""
        self._dropped["mismatches"] += 1
        self._set_due(EVIDENCE_FLUSH_SECONDS)

    def patience(self) -> float | None:
        """Return the seconds until there is something to write; None where there is nothing."""
        return None if self._due is None else max(0.0, self._due - time.monotonic())

    def write_if_due(self) -> None:
        """Write, if it is time."""
        if self._due is not None and time.monotonic() >= self._due:
            self._write()

    def close(self) -> None:
        """Write what there is; what cannot be written now is lost."""
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
        # Last: a flush that waits for it reads the file next.
        self._progress.add("written", count)

    def _set_due(self, seconds: float) -> None:
        if self._due is None:
            self._due = time.monotonic() + seconds

    def _lose(self, count: int) -> None:
        if count:
            self._dropped["lost"] += count
            self._progress.add("lost", count)
