"""Goal: `tallow rollout` takes a person through a rollout, tells where it stands, and goes back.

Method: the verbs are called on a plan whose intervals last a twentieth of a second; evidence is put
into the store that the plan names; the flag is read as a serving process reads it.
"""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tallow.migrate.evidence import Judgement, Observation
from tallow.migrate.flags import FileProvider, decide
from tallow.migrate.rollout.audit import AuditLog
from tallow.migrate.shadow import EvidenceStore
from tests.serve.calling import tallow

STAGES = "[[stages]]\nstage = 'shadow'\n[[stages]]\nstage = 100\n"
RULES = "interval_seconds = 0.05\ncalls = 5\nsuccesses = 1\ninconclusive = 1000000\n"


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "rollout.toml"
    path.write_text(f'experiment = "engine"\nflags = "flags.toml"\n{RULES}{STAGES}')
    return path


def whats(plan: Path) -> list[str]:
    return [entry.what for entry in AuditLog(plan.with_name("rollout.log")).read()]


def observe(plan: Path, error: str | None = None) -> None:
    judgement = None if error else Judgement(compared=10, equal=10)
    now = datetime.now(UTC)
    seen = Observation("engine", now, "A", "control", 1.0, 1.0, error, judgement=judgement)
    store = EvidenceStore(plan.with_name("evidence.db"))
    store.add([seen] * 10)
    store.close()


def serve(plan: Path, stop: threading.Event, bad_after: str) -> None:
    """Make observations; bad ones as soon as the log has a line of that kind."""
    while not stop.wait(0.02):
        observe(plan, "ValueError" if bad_after in whats(plan) else None)


def test_a_first_minute(plan: Path) -> None:
    example = tallow("rollout", "plan").stdout
    first = plan.with_name("first.toml")
    first.write_text(example)
    assert "new-engine  new  off" in tallow("rollout", "status", first).stdout
    too_early = tallow("rollout", "run", first, "--once")
    assert (too_early.exit_code, "begin it with: tallow rollout start" in too_early.stderr) == (
        2,
        True,
    )
    begun = tallow("rollout", "start", first)
    assert (begun.exit_code, f"tallow rollout run {first}" in begun.stdout) == (0, True)
    assert tallow("rollout", "run", first, "--once").exit_code == 0
    result = tallow("rollout", "status", first)
    assert result.exit_code == 1
    assert "no controller watches it" in result.stdout
    assert "off > shadow > 10% > 50% > 100%" in result.stdout
    assert "10% after 5 more successes" in result.stdout
    # The command is that of this plan, which does not lie where one is looked for.
    (command,) = re.findall("no controller watches it: tallow (.*)", result.stdout)
    assert tallow(*shlex.split(command), "--once").exit_code == 0
    assert 'shadow = "shadow"' in plan.with_name("flags.toml").read_text()


def test_the_usual_plan_needs_no_name(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(plan.parent)
    assert tallow("rollout", "start").exit_code == 0
    page = tallow("rollout", "status").stdout
    assert re.findall("no controller watches it: (.*)", page) == ["tallow rollout run"]


def test_people_act_and_are_written_down(plan: Path) -> None:
    decision = decide("engine", FileProvider(plan.with_name("flags.toml")))
    assert tallow("rollout", "start", plan, "--who", "ann").exit_code == 0
    assert decision("A") == "shadow"
    assert tallow("rollout", "pause", plan, "--who", "bob", "--reason", "lunch").exit_code == 0
    assert "paused  shadow  lunch" in tallow("rollout", "status", plan).stdout
    assert tallow("rollout", "resume", plan).exit_code == 0
    result = tallow("rollout", "advance", plan, "--who", "bob")
    assert "running  100%" in result.stdout
    assert "no controller watches it" in result.stdout
    assert decision("A") == "candidate"
    wrong = tallow("rollout", "advance", plan)
    assert (wrong.exit_code, "last stage" in wrong.stderr) == (2, True)
    result = tallow("rollout", "revert", plan, "--reason", "wrong VWAP", "--who", "eve")
    assert (result.exit_code, result.stdout) == (0, "engine: off for every instrument\n")
    assert decision("A") == "off"
    told = json.loads(tallow("rollout", "status", plan, "--json").stdout)
    assert (told["phase"], told["setting"]["share"], told["reason"]) == (
        "reverted",
        0,
        "wrong VWAP",
    )
    people = [(line["what"], line["who"]) for line in told["log"]]
    assert ("start", "ann") in people
    assert ("pause", "bob") in people
    assert people[-2:] == [("revert", "eve"), ("applied", "eve")]
    again = tallow("rollout", "start", plan)
    assert (again.exit_code, "begins anew with the first stage" in again.stdout) == (1, True)


def test_the_controller_leads_to_the_end_and_back(plan: Path) -> None:
    stop = threading.Event()
    serving = threading.Thread(target=serve, args=(plan, stop, "complete"))
    serving.start()
    try:
        assert tallow("rollout", "start", plan).exit_code == 0
        result = tallow("rollout", "run", plan)
    finally:
        stop.set()
        serving.join()
    assert result.exit_code == 1
    assert [what for what in whats(plan) if what not in ("applied", "analysis", "plan")] == [
        *("start", "promote", "complete", "fail"),
    ]
    assert "errors: " in result.stdout
    assert "engine  reverted  off  stage 100%: " in result.stdout
    text = tallow("rollout", "status", plan).stdout
    assert (
        text.index("Analyses") < text.index("failure") < text.index("Log") < text.index("promote")
    )


def test_ctrl_c_ends_the_control_and_leaves_the_stage(plan: Path) -> None:
    tallow("rollout", "start", plan)
    command = [sys.executable, "-m", "tallow", "rollout", "run", str(plan)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        while "analysis" not in whats(plan):
            pass
        assert "watched by  controller of " in tallow("rollout", "status", plan).stdout
        assert "Next, try" not in tallow("rollout", "start", plan).stdout
        second = tallow("rollout", "run", plan)
        assert (second.exit_code, "must be one at a time" in second.stderr) == (2, True)
        process.send_signal(signal.SIGINT)
        _, wrong = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"engine stays at shadow, and nobody watches it" in wrong
    assert json.loads(tallow("rollout", "status", plan, "--json").stdout)["phase"] == "running"


def test_the_old_word_for_one_look_goes_on_with_a_warning(plan: Path) -> None:
    result = tallow("rollout", "start", plan, "--once")
    assert (result.exit_code, "write tallow rollout run --once" in result.stderr) == (0, True)
    assert "--once" not in tallow("rollout", "start", "--help").stdout.partition("Next:")[0]


def test_what_is_wrong_is_told(plan: Path) -> None:
    missing = tallow("rollout", "status", plan.with_name("no.toml"))
    assert (missing.exit_code, "`tallow rollout plan` prints" in missing.stderr) == (2, True)
    tallow("rollout", "start", plan)
    log, flags = plan.with_name("rollout.log"), plan.with_name("flags.toml")
    log.write_text(log.read_text().replace('"n":1', '"n":9'))
    flags.write_text(flags.read_text().replace("candidate = 0", "candidate = 3"))
    status = tallow("rollout", "status", plan)
    assert status.exit_code == 1
    assert "line 1 is not what was written there" in status.stdout
    assert "the flag file says 3%, the others shadowed, the log shadow" in status.stdout
    assert tallow("rollout", "advance", plan).exit_code == 2
    result = tallow("rollout", "revert", plan)
    assert (result.exit_code, "line 1 is not" in result.stdout) == (1, True)
