"""Goal: good evidence leads a rollout to its end, bad evidence to off, and little evidence nowhere.

Method: a clock and evidence by hand; what the controller did is read from the flag file and the
log. Every step is made by a new controller: nothing may be known but what is in the log.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tallow.core.errors import DamagedLogError, FlagError, RolloutError
from tallow.migrate.evidence import Judgement, Observation, Totals
from tallow.migrate.flags.setting import OFF, Setting, read_setting, write_setting
from tallow.migrate.rollout.controller import Controller
from tallow.migrate.rollout.state import RolloutState
from tallow.migrate.shadow import EvidenceStore
from tests.migrate.rollout.acting import BEGIN, GOOD, World

WRONG = replace(GOOD, equal=1_990, unexplained=10)
FAILING = replace(GOOD, errors=20)
UNCLEAR = replace(GOOD, errors=1, tried=150)
FEW = Totals(calls=5, tried=5, compared=50, equal=50)
# In shadow the candidate has only background times; at 100 % the control has.
TIMED = replace(GOOD, control_p99_ms=10.0, control_background_p99_ms=10.0)
FAST = replace(TIMED, candidate_p99_ms=9.0, candidate_background_p99_ms=9.0)
SLOW = replace(TIMED, candidate_p99_ms=16.0, candidate_background_p99_ms=16.0)
P99 = "gates.p99_ratio = 1.5"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.person.start()
    return world


def setting(world: World) -> Setting:
    return read_setting(world.flags, "engine")


def test_good_evidence_leads_through_all_stages(world: World) -> None:
    world = World(world.folder, "stages = [{stage = 'shadow'}, {stage = 10}, {stage = 50}]")
    seen = [(world.interval(), setting(world).share) for _ in range(6)]
    assert seen == [
        *[("shadow", 0), ("10%", 10), ("10%", 10), ("50%", 50)],
        *[("50%", 50), ("50%", 50)],
    ]
    assert world.person.state().phase == "complete"
    promoted = next(entry for entry in world.log() if entry.what == "promote")
    assert (promoted.who, promoted.at) == ("controller of ann@desk", BEGIN + timedelta(seconds=122))
    assert promoted.facts["from"] == {"rest": "shadow", "share": 0.0}
    assert promoted.facts["to"] == {"stage": "10%", "rest": "shadow", "share": 10.0}
    assert promoted.facts["evidence"]["equal"] == 2_000
    assert promoted.facts["reason"] == "2 analyses of stage shadow were successes"


def test_a_finished_rollout_is_still_watched(world: World) -> None:
    world = World(world.folder, "stages = [{stage = 'shadow'}, {stage = 100}]")
    for _ in range(4):
        world.interval()
    assert (world.person.state().phase, setting(world).share) == ("complete", 100)
    assert world.interval(FAILING) == "reverted"
    assert setting(world) == OFF


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (WRONG, "unexplained: 0.5000% over 0.1000% (10 of 2,000 values)"),
        (FAILING, "errors: 10.0000% over 1.0000% (20 of 200 calls)"),
        (SLOW, "p99_ratio: 1.6x over 1.5x (16 ms against 10 ms)"),
    ],
)
@pytest.mark.parametrize("intervals", [1, 2, 4, 6])
def test_a_failure_at_any_stage_is_off_at_once(
    tmp_path: Path, intervals: int, bad: Totals, reason: str
) -> None:
    world = World(tmp_path, P99)
    world.person.start()
    for _ in range(intervals):
        world.interval(FAST)
    stage = world.person.state().stage
    assert world.interval(bad) == "reverted"
    assert setting(world) == OFF
    assert world.whats()[-3:] == ["analysis", "fail", "applied"]
    failed = world.log()[-2]
    assert failed.facts["reason"] == f"stage {stage}: {reason}"
    assert failed.facts["evidence"]["errors"] == bad.errors
    # It stays off, whoever asks the controller, until a person advances.
    assert world.interval() == "reverted"
    assert world.person.start().phase == "reverted"
    assert world.person.advance().stage == "shadow"


def test_a_clear_failure_does_not_wait_for_the_end_of_its_interval(world: World) -> None:
    world.clock.wait(5)
    world.evidence.add(FAILING)
    world.clock.wait(1)
    assert world.controller.step().phase == "reverted"


def test_a_failure_that_good_calls_could_dilute_waits_for_the_end(world: World) -> None:
    world.interval(replace(GOOD, calls=10_000, tried=10_000))
    world.clock.wait(5)
    world.evidence.add(FAILING)
    assert world.controller.step().phase == "running"
    world.clock.wait(56)
    assert world.controller.step().phase == "reverted"


def test_a_few_calls_can_fail_but_not_succeed(world: World) -> None:
    assert world.interval(FEW) == "shadow"
    assert world.log()[-1].facts["verdict"] == "inconclusive"
    assert world.interval(replace(FEW, errors=5)) == "reverted"


def test_evidence_that_comes_late_still_counts(world: World) -> None:
    world.interval()
    world.interval()
    middle = world.clock.now - timedelta(seconds=20)
    # Calls that hung at the stage before are given up, and observed as of when they began.
    world.evidence.add(Totals(calls=9, tried=9, errors=9), at=middle)
    assert world.interval() == "reverted"
    assert "late, of the interval before: errors: 4.3062%" in world.log()[-2].facts["reason"]


def test_evidence_that_waited_behind_hanging_calls_still_counts(world: World) -> None:
    world.person.pause()
    begin = world.clock.now + timedelta(seconds=1)
    assert [world.interval() for _ in range(4)] == ["paused"] * 4
    world.evidence.add(Totals(calls=20, tried=20, errors=20), at=begin)
    assert world.interval() == "reverted"
    reason = world.log()[-2].facts["reason"]
    assert "late, since 04:00:00 UTC: errors: 2.4390% over 1.0000% (20 of 820 calls)" in reason


@pytest.mark.parametrize("totals", [Totals(), FEW, UNCLEAR])
def test_without_enough_evidence_it_pauses_and_goes_on_when_told(
    world: World, totals: Totals
) -> None:
    assert [world.interval(totals) for _ in range(3)] == ["shadow", "paused", "paused"]
    assert world.interval() == "paused"
    assert setting(world) == Setting("shadow")
    world.person.resume("enough calls now")
    assert [world.interval() for _ in range(2)] == ["10%", "10%"]


def test_broken_evidence_is_no_evidence(world: World) -> None:
    world.evidence.broken = True
    assert [world.interval() for _ in range(2)] == ["shadow", "paused"]
    assert "OSError: the disk is gone" in world.person.state().reason
    world.evidence.broken = False
    assert world.interval(FAILING) == "reverted"


def test_tolerated_failures_are_counted(tmp_path: Path) -> None:
    world = World(tmp_path)
    path = tmp_path / "plan.toml"
    path.write_text(path.read_text().replace("failures = 0", "failures = 1"))
    world.person.start()
    assert [world.interval(FAILING) for _ in range(2)] == ["shadow", "reverted"]


def test_time_without_a_controller_is_one_interval(world: World) -> None:
    world.clock.wait(3_600)
    world.evidence.add(GOOD)
    world.clock.wait(1)
    assert world.controller.step().successes == 1
    assert world.controller.step().successes == 1


def test_a_clock_that_goes_back_does_nothing(world: World) -> None:
    world.interval()
    world.clock.wait(-3_600)
    assert world.controller.step().successes == 1


@pytest.mark.parametrize("found", [Setting("shadow", 35), OFF, None])
def test_an_edit_by_hand_is_told_and_kept(world: World, found: Setting | None) -> None:
    if found is None:
        world.flags.write_text("flags = [")
    else:
        write_setting(world.flags, "engine", found)
    content = world.flags.read_text()
    for _ in range(3):
        assert world.interval() == ("reverted" if found == OFF else "paused")
    assert world.flags.read_text() == content
    assert world.whats().count("edited") == 1
    edited = next(entry for entry in world.log() if entry.what == "edited")
    assert "edited" in edited.facts["reason"] or "cannot be read" in edited.facts["reason"]
    if found != OFF:
        assert world.interval(FAILING) == "reverted"
    assert setting(world) == OFF


def test_what_cannot_be_done_is_not_announced(world: World) -> None:
    good = world.flags.read_text()
    world.flags.write_text("{")
    for _ in range(2):
        with pytest.raises(FlagError, match="cannot be read"):
            world.person.advance()
    assert "advance" not in world.whats()
    world.flags.write_text(good)
    assert world.interval() == "paused"
    assert world.person.advance().stage == "10%"


def test_what_else_is_in_the_flag_file_stays(world: World) -> None:
    text = world.flags.read_text().replace("candidate = 0", "candidate = 0   # none yet")
    world.flags.write_text(text + '\n# ours\n[flags.engine.instruments]\nA = "candidate"\n')
    world.interval()
    world.interval()
    text = world.flags.read_text()
    assert "candidate = 10   # none yet" in text
    assert "# ours\n[flags.engine.instruments]" in text


def test_a_person_pauses_resumes_and_advances(world: World) -> None:
    world.person.pause("lunch")
    assert [world.interval() for _ in range(3)] == ["paused"] * 3
    assert world.person.advance("in a hurry").stage == "10%"
    entry = world.log()[-2]
    assert (entry.what, entry.who, entry.facts["reason"]) == ("advance", "ann@desk", "in a hurry")
    with pytest.raises(RolloutError, match="only a paused one resumes"):
        world.person.resume()
    world.person.advance()
    world.person.advance()
    with pytest.raises(RolloutError, match="last stage"):
        world.person.advance()


def test_there_is_one_controller_at_a_time(world: World) -> None:
    stop = threading.Event()
    stop.set()
    with world.controller.guard(), pytest.raises(RolloutError, match="controller of ann@desk"):
        world.controller.run(stop=stop)
    assert world.controller.run(stop=stop).stage == "shadow"


def test_a_run_ends_when_the_candidate_is_off(world: World) -> None:
    told: list[RolloutState] = []
    world.evidence.add(FAILING)
    world.clock.wait(1)
    assert world.controller.run(lambda state, _error: told.append(state)).phase == "reverted"
    assert [state.phase for state in told] == ["reverted"]


def test_a_run_goes_on_after_what_can_be_mended(world: World) -> None:
    stop, told = threading.Event(), []
    plan = world.folder / "plan.toml"
    plan.write_text(plan.read_text().replace("interval_seconds = 60", "interval_seconds = 0.1"))
    lock = world.folder / "rollout.log.lock"
    lock.unlink()
    lock.mkdir()

    def tell(_state: RolloutState, error: Exception | None) -> None:
        told.append(error is None)
        if len(told) == 2:
            lock.rmdir()
        if told[-1]:
            stop.set()

    world.controller.run(tell, stop)
    assert told == [False, False, True]


def test_a_damaged_log_ends_a_run(world: World) -> None:
    log = world.folder / "rollout.log"
    log.write_text(log.read_text().replace("ann@desk", "bob@desk"))
    with pytest.raises(DamagedLogError, match="line 1 is not what was written there"):
        world.controller.run()


def test_a_stage_that_left_the_plan_is_asked_for(world: World) -> None:
    world.person.advance()
    path = world.folder / "plan.toml"
    path.write_text(path.read_text() + "stages = [{stage = 20}]")
    with pytest.raises(RolloutError, match="stage='10%', where the rollout is, is not in the plan"):
        world.person.start()


@pytest.mark.parametrize("back", [timedelta(minutes=5), timedelta(hours=6), timedelta(days=9_000)])
def test_a_clock_that_is_set_back_blinds_nobody(world: World, back: timedelta) -> None:
    world.interval()
    world.clock.now -= back
    assert world.interval(FAILING) == "reverted"
    assert setting(world) == OFF
    assert world.whats()[-4:] == ["clock", "analysis", "fail", "applied"]


def test_a_rollout_goes_on_after_the_clock_was_set_back(world: World) -> None:
    """It showed a year to come for a while; as many successes lead on as ever."""
    world = World(world.folder, "stages = [{stage = 'shadow'}, {stage = 10}, {stage = 50}]")
    world.clock.now += timedelta(days=3_650)
    world.interval()
    world.clock.now -= timedelta(days=3_650)
    assert [world.interval() for _ in range(3)] == ["10%", "10%", "50%"]


def test_small_corrections_of_a_clock_are_waited_for(world: World) -> None:
    world.interval()
    world.clock.wait(-0.5)
    world.controller.step()
    assert "clock" not in world.whats()


def test_times_that_come_twice_are_told_apart(world: World, tmp_path: Path) -> None:
    """Many good calls of the first hour must not make few bad ones of the second look well."""
    store = EvidenceStore(tmp_path / "evidence.db")

    def add(calls: int, error: str | None) -> None:
        seen = Observation("engine", world.clock.now, "A", "control", error=error)
        good = Judgement(compared=1, equal=1)
        store.add([seen if error else replace(seen, judgement=good)] * calls)

    def step() -> str:
        return Controller(world.plan, store, "ann@desk", world.clock).step().phase

    world.clock.wait(30)
    add(20_000, None)
    world.clock.wait(31)
    assert step() == "running"
    world.clock.wait(-31)
    add(120, None)
    add(30, "ValueError: none")
    world.clock.wait(1)
    assert step() == "reverted"
    failed = next(entry for entry in world.log() if entry.what == "fail")
    assert failed.facts["evidence"]["tried"] == 150


def test_the_newest_evidence_is_kept_whatever_the_clock_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallow.migrate.shadow.store.EVIDENCE_ROWS", 100)
    monkeypatch.setattr("tallow.migrate.shadow.store._PRUNE_EVERY", 10)
    store = EvidenceStore(tmp_path / "evidence.db")
    ahead, now = BEGIN + timedelta(days=3_650), BEGIN
    for at in (ahead, now):
        store.add([Observation("engine", at, "A", "control") for _ in range(100)])
    assert store.totals("engine", now, now + timedelta(seconds=1)).calls == 100
    assert store.totals("engine", ahead, ahead + timedelta(seconds=1)).calls == 0
