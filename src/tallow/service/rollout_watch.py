"""A rollout as the service's metrics show it: its stage, and what the two engines differ in."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tallow.core.errors import EvidenceError, RolloutError
from tallow.migrate.evidence import Totals
from tallow.migrate.rollout.journal import Journal
from tallow.migrate.rollout.plan import Places, read_paths
from tallow.migrate.rollout.state import RolloutState
from tallow.migrate.shadow import EvidenceStore
from tallow.service.logs import log_event

HOUR = timedelta(hours=1)
LOOK_SECONDS = 10.0
"""How often the evidence is added up: of a busy hour, that takes some milliseconds."""


class RolloutWatch:
    """Reads a rollout's log and evidence; without a plan there is nothing to read.

    For one thread at a time.
    """

    def __init__(self, plan: Path | None) -> None:
        self._paths: Places | None = None if plan is None else read_paths(plan)
        self._journal = None if self._paths is None else Journal(self._paths, "")
        self._looked_at = -LOOK_SECONDS
        self._totals: Totals | None = None

    def stage(self) -> Mapping[str, float]:
        """Return 1 by the name of the stage; nothing where there is none."""
        state = self._state()
        return {} if state is None else {state.stage: 1.0}

    def is_reverted(self) -> bool | None:
        """Say whether the rollout was reverted; None where there is none."""
        state = self._state()
        return None if state is None else state.phase == "reverted"

    def _state(self) -> RolloutState | None:
        if self._journal is None:
            return None
        try:
            return self._journal.refresh()
        except RolloutError as error:
            log_event("error", kind="rollout", text=str(error))
            return None

    def mismatches(self) -> Mapping[str, float]:
        """Return how many values of the last hour differ, by how; nothing without evidence."""
        totals = self._last_hour()
        if totals is None:
            return {}
        names = ("explained", "unexplained", "flips")
        return {name: float(getattr(totals, name)) for name in names}

    def _last_hour(self) -> Totals | None:
        if self._paths is None or time.monotonic() - self._looked_at < LOOK_SECONDS:
            return self._totals
        self._looked_at, now = time.monotonic(), datetime.now(UTC)
        # To open it would make it.
        if not self._paths.evidence.exists():
            return None
        try:
            store = EvidenceStore(self._paths.evidence)
            self._totals = store.totals(self._paths.experiment, now - HOUR, now)
        except EvidenceError as error:
            log_event("error", kind="rollout", text=str(error))
        return self._totals
