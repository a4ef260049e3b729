"""What tests of experiments share: an experiment on a new file, and what it wrote."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tallow.migrate.evidence import Totals
from tallow.migrate.shadow import Budget, EvidenceStore, Experiment, Mismatch

ALWAYS = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
PATIENCE = 120.0
"""Seconds that a test waits for an event before it fails; nothing is asserted about times."""
BUDGET = Budget(seconds=30.0, memory_bytes=300_000_000, deadline_seconds=30.0)
"""Generous: on a busy machine nothing but a real hang is beyond it."""


@dataclass
class Run:
    """One experiment, and a look at its evidence."""

    experiment: Experiment[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.experiment(*args, **kwargs)

    def totals(self) -> Totals:
        """Return what was written, once everything is."""
        assert self.experiment.flush(PATIENCE)
        return self.experiment.evidence.totals(self.experiment.name, *ALWAYS)

    def mismatches(self) -> list[Mismatch]:
        """Return the mismatches, once all calls are written and there is one.

        Those of killed workers, and of served candidates that failed, come later than their calls.
        """
        assert self.experiment.flush(PATIENCE)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if found := self.experiment.evidence.mismatches(self.experiment.name):
                return found
            time.sleep(0.01)
        raise AssertionError("there are no mismatches")


Running = Callable[..., Run]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """Return a function that makes an experiment; all are closed at the end."""
    made: list[Run] = []

    def run(control: Any, candidate: Any, **options: Any) -> Run:
        options.setdefault("evidence", tmp_path / f"evidence{len(made)}.sqlite")
        options.setdefault("budget", BUDGET)
        made.append(Run(Experiment("test", control, candidate, **options)))
        return made[-1]

    yield run
    for each in made:
        each.experiment.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EvidenceStore]:
    store = EvidenceStore(tmp_path / "evidence.sqlite")
    yield store
    store.close()
