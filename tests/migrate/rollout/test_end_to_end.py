"""Goal: a candidate that goes bad while it serves is off within two intervals, and stays silent.

Method: two serving processes with a real experiment, and a real controller, which is killed again
and again. The candidate goes bad at a stage by a file that it reads. From the log: how many
analyses there were that saw it bad. From the serving processes: wrong answers, and those in calls
that began after the flag was off.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tallow.migrate.flags.setting import OFF, read_setting
from tallow.migrate.rollout.audit import AuditEntry, AuditLog
from tests.migrate.rollout.sides import SLOW_SECONDS

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 240
CALLS = 3
RATIO = 3.0
GATES = {
    "wrong": ["unexplained"],
    "error": ["errors"],
    # Whoever is late for its callers is both slow and an error: whichever is seen first.
    "slow": ["p99_ratio", "errors"],
    "hang": ["errors", "p99_ratio"],
}
PLAN = """
experiment = "engine"
flags = "flags.toml"
interval_seconds = 2
calls = {calls}
successes = 1
inconclusive = 1000
gates.unexplained = 0.001
gates.errors = 0.4
[[stages]]
stage = "shadow"
[[stages]]
stage = 10
gates.p99_ratio = {ratio}
successes = {at_10}
[[stages]]
stage = 50
gates.p99_ratio = {ratio}
successes = 1000
"""


def entries(folder: Path) -> list[AuditEntry]:
    log = AuditLog(folder / "rollout.log")
    found = log.read()
    assert log.problem is None
    return found


def whats(folder: Path) -> list[str]:
    return [entry.what for entry in entries(folder)]


def started(module: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class Controllers:
    """One controller after another: each is killed at a random moment, the next takes over."""

    def __init__(self, folder: Path, seed: int, kills: int) -> None:
        self._folder, self._rng, self._left = folder, random.Random(seed), kills
        plan = (self._folder / "plan.toml", "--who", "ann@desk")
        with started("tallow", "rollout", "start", *plan) as begun:
            begun.communicate()
        assert begun.returncode == 0
        self._begin()

    def _begin(self) -> None:
        command = ("rollout", "run", self._folder / "plan.toml", "--who", "ann@desk")
        self.process = started("tallow", *command)
        # A process takes most of a second to start; a few looks later, or in the middle of one.
        self._until = time.monotonic() + self._rng.uniform(1.0, 4.0)

    def tend(self) -> None:
        if self._left and time.monotonic() > self._until and self.process.poll() is None:
            self.end()
            self._left -= 1
            self._begin()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()

    def wait_for(self, what: str, count: int = 1) -> None:
        limit = time.monotonic() + PATIENCE_SECONDS
        # Read once a turn: what is waited for may come between two looks.
        while (told := whats(self._folder)).count(what) < count:
            assert time.monotonic() < limit, told
            assert what == "applied" or "fail" not in told, entries(self._folder)[-2]
            self.tend()
            time.sleep(0.02)


def campaign(folder: Path, mode: str, share: int, seed: int, kills: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "plan.toml").write_text(
        PLAN.format(calls=CALLS, ratio=RATIO, at_10=1000 if share == 10 else 1)
    )
    with ExitStack() as stack:
        serving = [
            stack.enter_context(ended(started("tests.migrate.rollout.serving", folder)))
            for _ in range(2)
        ]
        controllers = Controllers(folder, seed, kills)
        stack.callback(controllers.end)
        controllers.wait_for("promote", 1 if share == 10 else 2)
        controllers.wait_for("applied", 2 if share == 10 else 3)
        bad_since = datetime.now(UTC)
        (folder / "mode").write_text(mode)
        controllers.wait_for("fail")
        controllers.wait_for("applied", 3 if share == 10 else 4)
        (folder / "reverted").touch()
        # The serving processes go on for a while: their answers are the control's now.
        time.sleep(1.0)
        (folder / "stop").touch()
        told = [json.loads(process.communicate(timeout=60)[0]) for process in serving]
    check(folder, mode, share, bad_since, told)


def could_see(mode: str, seen: dict[str, float]) -> bool:
    """Whether there was something to see in an interval of a bad candidate.

    Failed calls are told at once. Comparisons come when the machine has time for them: where it had
    none, there are too few. Where the old way itself took as long, the new one was not slow.
    """
    if mode in ("error", "hang"):
        return True
    if mode == "slow" and (seen["control_p99_ms"] or 0.0) > SLOW_SECONDS * 1e3 / RATIO:
        return False
    return seen["tried"] >= CALLS


def check(
    folder: Path, mode: str, share: int, bad_since: datetime, told: list[dict[str, int]]
) -> None:
    log = entries(folder)
    assert read_setting(folder / "flags.toml", "engine") == OFF
    failed = next(entry for entry in log if entry.what == "fail")
    assert failed.facts["from"] == {"rest": "shadow", "share": share}
    saw_it = [each for each in log if each.what == "analysis" and each.at > bad_since]
    assert [each.facts["verdict"] for each in saw_it][-1] == "failure"
    could = [each for each in saw_it[:-1] if could_see(mode, each.facts["evidence"])]
    assert len(could) <= 1, [each.facts for each in saw_it]
    assert any(gate in failed.facts["reason"] for gate in GATES[mode]), failed.facts
    assert sum(each["wrong_after"] for each in told) == 0
    # The test itself is in order: at this share, wrong answers were given before.
    assert (sum(each["wrong"] for each in told) > 0) == (mode == "wrong")


@pytest.mark.parametrize(("mode", "share", "kills"), [("wrong", 50, 3), ("error", 10, 0)])
def test_a_bad_candidate_is_off_within_two_intervals(
    tmp_path: Path, mode: str, share: int, kills: int
) -> None:
    campaign(tmp_path, mode, share, seed=0, kills=kills)


@pytest.mark.nightly
@pytest.mark.parametrize("share", [10, 50])
@pytest.mark.parametrize("mode", ["wrong", "error", "slow", "hang"])
@pytest.mark.parametrize("seed", range(3))
def test_bad_candidates_under_kills(tmp_path: Path, mode: str, share: int, seed: int) -> None:
    campaign(tmp_path, mode, share, seed, kills=5)
