"""Goal: a rollout's stage, and what its engines differ in, are what its log and evidence say.

Method: Tallow's own controller begins a rollout, and observations are written as a shadow does.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tallow.core.errors import RolloutError
from tallow.migrate.evidence import Judgement, Observation
from tallow.migrate.rollout.plan import EXAMPLE, read_paths, read_plan
from tallow.migrate.rollout.rollout import Rollout, revert
from tallow.migrate.shadow import EvidenceStore
from tallow.service.rollout_watch import RolloutWatch


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "rollout.toml"
    path.write_text(EXAMPLE)
    return path


def test_without_a_plan_there_is_nothing() -> None:
    watch = RolloutWatch(None)
    assert (watch.stage(), watch.mismatches(), watch.is_reverted()) == ({}, {}, None)


def test_a_plan_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RolloutError):
        RolloutWatch(tmp_path / "none.toml")


def test_the_stage_follows_the_log(plan: Path) -> None:
    watch = RolloutWatch(plan)
    assert watch.stage() == {"off": 1.0}
    rollout = Rollout(read_plan(plan), "me")
    rollout.start()
    assert watch.stage() == {"shadow": 1.0}
    rollout.advance("it is right")
    assert watch.stage() == {"10%": 1.0}
    assert watch.is_reverted() is False
    revert(read_paths(plan), "it is wrong", "me")
    assert watch.is_reverted() is True


def test_mismatches_of_the_last_hour_are_added_up_and_no_file_is_made(plan: Path) -> None:
    assert RolloutWatch(plan).mismatches() == {}
    evidence = plan.with_name("evidence.db")
    assert not evidence.exists()
    judged = Judgement(compared=10, equal=4, explained=3, unexplained=2, flips=1)
    now = datetime.now(UTC)
    times = [now - timedelta(hours=2), now - timedelta(minutes=2), now - timedelta(minutes=1)]
    EvidenceStore(evidence).add(
        [Observation("new-engine", at, "A", "control", judgement=judged) for at in times]
    )
    assert RolloutWatch(plan).mismatches() == {"explained": 6, "unexplained": 4, "flips": 2}
