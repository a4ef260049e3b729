"""Goal: whatever people, evidence and accidents do, a rollout keeps its promises.

Method: random histories of acts, each made by a process of its own as far as it can tell. After
each act the log is read as plain JSON and judged by rules that are written here once more: the flag
file says what the log says; a share rises only by a person's word or after enough successes at its
stage; what failed is off, and stays off until a person says otherwise.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tallow.core.errors import FlagError, RolloutError
from tallow.migrate.evidence import Totals
from tallow.migrate.flags.setting import OFF, Setting, read_setting, write_setting
from tallow.migrate.rollout.audit import AuditLog
from tallow.migrate.rollout.rollout import Rollout, revert
from tallow.migrate.rollout.state import RolloutState, apply_entry
from tests.migrate.rollout.acting import GOOD, World

STAGES = "stages = [{stage = 'shadow'}, {stage = 10}, {stage = 50}, {stage = 100}]"
KINDS = {
    "good": GOOD,
    "wrong": replace(GOOD, equal=0, unexplained=2_000),
    "failing": replace(GOOD, errors=200),
    "unclear": replace(GOOD, tried=150, errors=1),
    "few": replace(GOOD, calls=3, tried=3),
    "none": Totals(),
}
EDITS = [OFF, Setting("shadow"), Setting("shadow", 35), Setting("shadow", 50), None]


class Histories(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        shm = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
        self.files = tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None)
        self.world = World(Path(self.files.name), STAGES, "flags.json")
        self.edited = False

    @property
    def lines(self) -> list[dict]:
        path = self.world.folder / "rollout.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if self.begun else []

    @property
    def begun(self) -> bool:
        return (self.world.folder / "rollout.log").exists()

    @rule(name=st.sampled_from(["start", "advance", "pause", "resume"]))
    def person(self, name: str) -> None:
        self.world.clock.wait(1)
        with suppress(RolloutError, FlagError):
            getattr(Rollout(self.world.plan, "ann@desk", self.world.clock), name)()
            self.edited = False

    @rule()
    def revert(self) -> None:
        self.world.clock.wait(1)
        revert(self.world.plan.paths, "", "ann@desk", self.world.clock)
        self.edited = False
        assert self.share() == OFF

    @rule(kind=st.sampled_from(["good", *KINDS]))
    def interval(self, kind: str) -> None:
        self.world.interval(KINDS[kind])
        # An edit by hand is noticed by this step, and watched from then on; what cannot be read
        # decides nothing.
        is_blind, self.edited = self.edited or self.world.evidence.broken, False
        if kind in ("wrong", "failing") and not is_blind:
            assert self.share() in (OFF, None)

    @rule(kind=st.sampled_from(list(KINDS)), seconds=st.integers(1, 59))
    def look(self, kind: str, seconds: int) -> None:
        self.world.evidence.add(KINDS[kind])
        self.world.clock.wait(seconds)
        self.world.controller.step()
        self.edited = False

    @rule(kind=st.sampled_from(list(KINDS)), ago=st.integers(0, 200))
    def late(self, kind: str, ago: int) -> None:
        self.world.evidence.add(KINDS[kind], self.world.clock.now - timedelta(seconds=ago))

    @rule(broken=st.booleans())
    def evidence_breaks(self, broken: bool) -> None:
        self.world.evidence.broken = broken

    @precondition(lambda self: self.begun)
    @rule(setting=st.sampled_from(EDITS))
    def edit(self, setting: Setting | None) -> None:
        if setting is None:
            self.world.flags.write_text("{")
        else:
            with suppress(FlagError):
                write_setting(self.world.flags, "engine", setting)
        self.edited = True

    @precondition(lambda self: self.begun)
    @rule()
    def tear(self) -> None:
        with (self.world.folder / "rollout.log").open("ab") as file:
            file.write(b'{"n":')
        # Readers do not mind; the next writer mends it.
        assert AuditLog(self.world.folder / "rollout.log").read()
        self.world.person.start()
        self.edited = False

    def share(self) -> Setting | None:
        try:
            return read_setting(self.world.flags, "engine")
        except FlagError:
            return None

    @invariant()
    def the_flag_file_says_what_the_log_says(self) -> None:
        if not self.begun or self.edited:
            return
        setting = self.share()
        last = [line for line in self.lines if "to" in line or line["what"] == "edited"]
        if not last:
            return
        said = last[-1].get("to") or last[-1].get("found")
        assert (said is None) == (setting is None)
        if setting is not None and said is not None:
            assert (said["rest"], said["share"]) == (setting.rest, setting.share)

    @invariant()
    def a_share_rises_only_with_a_reason(self) -> None:
        share, successes, failed, stage = 0.0, 0, False, "off"
        for line in self.lines:
            if line["what"] == "analysis":
                assert line["stage"] == stage
                successes += line["verdict"] == "success"
                failed = failed or line["verdict"] == "failure"
            elif "to" in line:
                rises = line["to"]["share"] > share or (
                    stage == "off" and line["to"]["rest"] != "off"
                )
                assert not rises or line["what"] in ("start", "advance", "promote")
                if line["what"] == "promote":
                    assert (successes >= 2, failed) == (True, False)
                    assert line["who"] == "controller of ann@desk"
                if line["what"] in ("start", "advance"):
                    assert line["who"] == "ann@desk"
                if line["what"] in ("fail", "revert"):
                    assert line["to"] == {"stage": "off", "rest": "off", "share": 0.0}
                share, stage, successes = line["to"]["share"], line["to"]["stage"], 0
                failed = False
            elif line["what"] == "edited":
                found = line["found"]
                share, successes, failed = found["share"] if found else share, 0, False
                stage = "off" if found == {"rest": "off", "share": 0.0} else stage
        # Nothing is tolerated here: what failed is off in the same step.
        assert not failed

    @invariant()
    def the_log_read_again_says_the_same(self) -> None:
        if self.begun:
            log, state = AuditLog(self.world.folder / "rollout.log"), RolloutState()
            for entry in log.read():
                state = apply_entry(state, entry)
            assert log.problem is None
            assert state == self.world.person.state()

    def teardown(self) -> None:
        if hasattr(self, "files"):
            self.files.cleanup()


class ManyHistories(Histories):
    """The same at full size."""


TestManyHistories = pytest.mark.nightly(ManyHistories.TestCase)
TestManyHistories.settings = settings(max_examples=1_000, stateful_step_count=30)

TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=10, stateful_step_count=20)
