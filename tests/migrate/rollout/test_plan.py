"""Goal: a plan's mistakes are named with their place, and its gates say what they should.

Method: the printed example is read back; each mistake is made once; figures of gates are worked out
by hand.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tallow.core.errors import RolloutError
from tallow.migrate.evidence import Totals
from tallow.migrate.flags.setting import OFF, Setting
from tallow.migrate.rollout.gates import analyse
from tallow.migrate.rollout.plan import EXAMPLE, GATES, Gate, Stage, read_paths, read_plan
from tests.migrate.rollout.acting import GOOD


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rollout.toml"
    path.write_text(text)
    return path


def test_the_example_is_the_default(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path, EXAMPLE))
    bare = read_plan(written(tmp_path, 'experiment = "new-engine"\nflags = "flags.toml"\n'))
    assert plan.stages == bare.stages
    assert plan.paths == bare.paths == read_paths(plan.paths.path)
    assert plan.paths.evidence == tmp_path / "evidence.db"
    assert [(stage.name, stage.setting) for stage in plan.stages] == [
        ("off", OFF),
        ("shadow", Setting("shadow")),
        *[(f"{share}%", Setting("shadow", share)) for share in (10, 50, 100)],
    ]
    assert [len(stage.gates) for stage in plan.stages[1:]] == [2, 3, 3, 3]


def test_a_stage_may_have_rules_of_its_own(tmp_path: Path) -> None:
    text = """
    interval_seconds = 600
    flags = "a.json"
    experiment = "engine"
    gates.errors = { fail_above = 0.02, pass_below = 0.01 }
    [[stages]]
    stage = "off"
    [[stages]]
    stage = 2.5
    calls = 7
    gates = { errors = false, flips = 0 }
    [[stages]]
    stage = 50
    """
    first, second = read_plan(written(tmp_path, text)).stages[1:]
    assert (first.name, first.calls, first.interval_seconds) == ("2.5%", 7, 600)
    assert first.gates == (Gate("flips", 0.0, 0.0),)
    assert (second.calls, second.gates) == (100, (Gate("errors", 0.02, 0.01),))


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("experiment =", "experiments =", "did you mean experiment?"),
        ('"new-engine"', "3", "experiment=3; must be a text"),
        ('flags = "flags.toml"', "", "flags=None; must be a text"),
        ("interval_seconds = 60 ", "interval_seconds = 0 ", "must be over 0"),
        ("interval_seconds = 60 ", "interval_seconds = inf ", "must be over 0"),
        ("calls = 100", "calls = 0", "calls=0; must be a whole number, 1 up"),
        ("failures = 0", "failures = 0.5", "failures=0.5; must be a whole number, 0 up"),
        ("unexplained = 0.001", "unexplaned = 0.001", "did you mean unexplained?"),
        ("unexplained = 0.001", "unexplained = -1", "gates.unexplained=-1; must be a number or"),
        ("unexplained = 0.001", "unexplained = true", "must be a number or"),
        ("errors = 0.01", "errors = { fail_above = 0.1, pass_below = 0.2 }", "not over fail_above"),
        ("errors = 0.01", "errors = { pass_below = 0.2 }", "must be a number or"),
        ("errors = 0.01", "errors = { fail = 0.2 }", "did you mean fail_above?"),
        ("stage = 10 ", "stage = 110 ", "stages[2]: stage=110; must be shadow, or percent"),
        ("stage = 10 ", 'stage = "some" ', "stages[2]: stage='some'; must be shadow, or percent"),
        ("stage = 10 ", "stage = 70 ", "each must be more than the one before"),
        ("stage = 10 ", "stage = 10\nshare = 3 ", "stages[2]: share: unknown"),
        ("[[stages]]", "[stages", "is not TOML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, was: str, becomes: str, said: str) -> None:
    assert was in EXAMPLE
    with pytest.raises(RolloutError) as raised:
        read_plan(written(tmp_path, EXAMPLE.replace(was, becomes, 1)))
    assert said in str(raised.value)


def test_a_missing_plan_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(RolloutError, match="`tallow rollout plan` prints an example"):
        read_plan(tmp_path / "rollout.toml")


FIGURES = Totals(
    calls=1_000,
    tried=1_000,
    errors=5,
    compared=20_000,
    equal=19_000,
    explained=900,
    unexplained=60,
    flips=40,
    control_p99_ms=20.0,
    candidate_p99_ms=30.0,
    staleness_seconds=45.0,
)


@pytest.mark.parametrize(
    ("gate", "figure"),
    [
        ("unexplained", 0.003),
        ("flips", 0.002),
        ("errors", 0.005),
        ("p99_ratio", 1.5),
        ("p99_ms", 30.0),
        ("staleness_seconds", 45.0),
    ],
)
def test_a_gate_is_passed_at_its_threshold_and_failed_above(gate: str, figure: float) -> None:
    def verdict(fail: float, low: float) -> str:
        return analyse(replace(stage, gates=(Gate(gate, fail, low),)), FIGURES).verdict

    stage = Stage("10%", Setting("shadow", 10))
    assert verdict(figure, figure) == "success"
    assert verdict(figure * 0.99, 0) == "failure"
    assert verdict(figure * 1.01, figure * 0.99) == "inconclusive"
    (finding,) = analyse(replace(stage, gates=(Gate(gate, 0, 0),)), FIGURES).gates
    assert finding.figure == pytest.approx(figure)


def test_every_gate_is_tried_here() -> None:
    marks = test_a_gate_is_passed_at_its_threshold_and_failed_above.pytestmark  # type: ignore[attr-defined]
    assert {gate for gate, _ in marks[0].args[1]} == set(GATES)


@pytest.mark.parametrize("gate", GATES)
def test_what_was_not_observed_is_inconclusive(gate: str) -> None:
    stage = Stage("10%", Setting("shadow", 10), gates=(Gate(gate, 0.5, 0.5),))
    analysis = analyse(stage, Totals(calls=500, tried=500 * (gate != "errors")))
    assert analysis.verdict == "inconclusive"


def test_a_share_is_diluted_by_calls_that_are_still_to_come() -> None:
    stage = Stage("10%", Setting("shadow", 10), calls=100, gates=(Gate("errors", 0.1, 0.1),))
    few = Totals(calls=20, tried=20, errors=10)
    # 10 of 20 now; 10 of 100, if all calls that are missing were good: not above a tenth.
    assert analyse(stage, few).verdict == "inconclusive"
    assert analyse(stage, replace(few, errors=11)).verdict == "failure"
    # The same where an interval is expected to have 1,000 calls and is a fifth over.
    early = replace(GOOD, errors=100)
    assert analyse(stage, early, expected=1_000).verdict != "failure"
    assert analyse(stage, replace(early, errors=101), expected=1_000).verdict == "failure"
    assert analyse(stage, early).verdict == "failure"


BUSY = Totals(
    calls=1_000,
    tried=1_000,
    served=100,
    control_p99_ms=20.0,
    candidate_p99_ms=22.0,
    control_background_p99_ms=100.0,
    candidate_background_p99_ms=200.0,
)
SLOW = replace(BUSY, candidate_p99_ms=200.0)


@pytest.mark.parametrize("place", [2, 3])
def test_background_times_on_a_busy_host_are_no_times_of_callers(
    tmp_path: Path, place: int
) -> None:
    path = tmp_path / "rollout.toml"
    path.write_text("experiment = 'engine'\nflags = 'flags.toml'\ngates.unexplained = false\n")
    stage = read_plan(path).stages[place]
    assert stage.name in {"10%", "50%"}
    assert analyse(stage, BUSY).verdict == "success"
    assert analyse(stage, SLOW).reason == "p99_ratio: 10x over 3x (200 ms against 20 ms)"
    # None answered in a serving process: nothing is known, whatever it took in the background.
    assert analyse(stage, replace(BUSY, candidate_p99_ms=None)).verdict == "inconclusive"
    # What a plan tells for all stages holds at those that it does not tell.
    path.write_text(path.read_text() + "gates.p99_ratio = 1.05\n")
    assert analyse(read_plan(path).stages[place], BUSY).verdict == "failure"
