"""Goal: a caller gets what the control gives, whatever the candidate, the flag or the copying does;
and every call is accounted for.

Method: real processes, with controls and candidates from `sides`. Answers are compared by identity
where the control made them. Nothing waits for a time: files and counts tell when something is done.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tallow.core.errors import ShadowError
from tallow.core.limits import MISMATCHES_AT_ONCE, SHADOW_ABANDONED
from tallow.migrate.shadow import Budget, Experiment
from tests.migrate.shadow import sides
from tests.migrate.shadow.conftest import BUDGET, PATIENCE, Running


@pytest.mark.parametrize(
    "candidate", [sides.same, sides.refuses, sides.leaves, sides.hangs, sides.eats_memory]
)
def test_the_controls_own_answer_comes_back(running: Running, candidate: Any) -> None:
    run = running(sides.same, candidate, budget=Budget(seconds=0.2))
    assert [run([1.0]) is sides.ANSWER for _ in range(3)] == [True] * 3


def test_the_controls_exception_is_the_callers(running: Running) -> None:
    run = running(sides.refuses, sides.refuses)
    with pytest.raises(sides.OldError, match="no total of 2") as caught:
        run([1.0, 2.0])
    assert caught.value.code == 7
    totals = run.totals()
    assert (totals.calls, totals.errors, totals.compared, totals.equal) == (1, 0, 1, 1)


def test_an_exception_on_one_side_only_is_a_difference(running: Running) -> None:
    run = running(sides.refuses, sides.total)
    with pytest.raises(sides.OldError):
        run([1.0])
    assert run.totals().causes == {"NO_EXCEPTION": 1}
    (mismatch,) = run.mismatches()
    assert mismatch.control is not None
    assert mismatch.control.error == "OldError: no total of 1"


def test_inputs_and_answer_are_seen_as_they_were(running: Running, tmp_path: Path) -> None:
    run = running(sides.same, sides.total_kept_in_order)
    values = [3.0, 1.0]
    run(values)
    values.append(100.0)
    (mismatch,) = run.mismatches()
    assert mismatch.args == ([3.0, 1.0],)
    assert mismatch.candidate is not None
    assert mismatch.candidate.value == 4.0


def test_a_full_queue_skips_and_counts(running: Running, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    budget = Budget(seconds=PATIENCE, queue=3)
    run = running(sides.path_itself, sides.waits_for_file, budget=budget)
    answers = [run(str(gate)) for _ in range(10)]
    gate.write_text(str(gate))
    totals = run.totals()
    assert answers == [str(gate)] * 10
    assert (totals.calls, totals.equal, totals.skipped) == (10, 3, 7)
    assert run(str(gate)) == str(gate)
    assert run.totals().equal == 4


def test_what_is_too_large_or_cannot_be_copied_is_skipped(running: Running) -> None:
    run = running(sides.total, sides.total, budget=Budget(call_bytes=10_000))
    run(np.ones(10_000))
    run([float(number) for number in range(10_000)])
    with pytest.raises(TypeError):
        run(threading.Lock())
    assert run(sides.unpicklable([1.0])) == 0
    assert run([1.0]) == 1.0
    totals = run.totals()
    assert (totals.calls, totals.skipped, totals.equal) == (5, 4, 1)


def test_an_answer_that_cannot_be_copied_is_skipped(running: Running) -> None:
    run = running(sides.unpicklable, sides.unpicklable)
    assert list(run([1.0])) == []
    assert (run.totals().calls, run.totals().skipped) == (1, 1)


def test_inputs_that_cannot_be_loaded_again_are_no_error(running: Running) -> None:
    run = running(sides.same, sides.same)
    run(sides.Unloadable())
    assert (run.totals().skipped, run.totals().errors) == (1, 0)


def test_calls_add_up_from_many_threads(running: Running) -> None:
    run = running(
        sides.total,
        sides.refuses_one_in_three,
        sample=0.5,
        key=sides.first,
        budget=Budget(queue=20),
    )
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: run([float(n), 1.0]), range(400)))
    assert answers == [n + 1.0 for n in range(400)]
    totals = run.totals()
    assert totals.calls == 400
    assert totals.tried == totals.errors + totals.equal
    unsampled = totals.calls - totals.tried - totals.skipped
    assert 120 < unsampled < 280
    assert totals.errors > 0
    assert run.experiment.lost == 0


def test_sample_and_stage_decide_what_runs(running: Running) -> None:
    run = running(sides.total, sides.wrong, sample=0.0)
    run([1.0])
    assert (run.totals().calls, run.totals().tried, run.totals().skipped) == (1, 0, 0)
    stages = {"A": "off", "B": "shadow", "C": "candidate"}
    run = running(sides.total_for, sides.wrong_for, key=sides.name_of, decide=stages.__getitem__)
    assert [run(name, 1.0) for name in "ABC"] == [1.0, 1.0, 2.0]
    totals = run.totals()
    assert (totals.calls, totals.served, totals.unexplained) == (2, 1, 2)
    assert {mismatch.key: mismatch.served for mismatch in run.mismatches()} == {
        "B": "control",
        "C": "candidate",
    }


@pytest.mark.parametrize("decide", [lambda _key: "on", lambda _key: 1 / 0])
def test_a_flag_that_fails_is_the_control_and_an_error(running: Running, decide: Any) -> None:
    run = running(sides.total, sides.wrong, decide=decide)
    assert run([1.0]) == 1.0
    assert (run.totals().calls, run.totals().errors, run.totals().served) == (1, 1, 0)


def test_a_served_candidate_that_raises_is_replaced(running: Running) -> None:
    run = running(sides.total, sides.refuses, decide=lambda _key: "candidate")
    assert run([1.0, 2.0]) == 3.0
    totals = run.totals()
    assert (totals.calls, totals.served, totals.errors) == (1, 0, 1)
    (mismatch,) = run.mismatches()
    assert mismatch.error == "OldError: no total of 2"
    assert mismatch.args == ([1.0, 2.0],)


def test_a_served_candidate_that_is_late_is_replaced_and_then_left_out(running: Running) -> None:
    budget = Budget(deadline_seconds=0.01)
    run = running(sides.total, sides.hangs, decide=lambda _key: "candidate", budget=budget)
    before = set(threading.enumerate())
    calls = SHADOW_ABANDONED + 5
    assert [run([1.0]) for _ in range(calls)] == [1.0] * calls
    # Each that hangs holds a thread; no more than the limit are tried.
    assert len(set(threading.enumerate()) - before) == SHADOW_ABANDONED
    totals = run.totals()
    assert (totals.calls, totals.errors, totals.served) == (calls, calls, 0)
    # Each that was tried cost its caller the deadline.
    assert totals.candidate_p99_ms == 10.0


def test_what_is_known_does_not_wait_behind_what_hangs(running: Running, tmp_path: Path) -> None:
    gate = str(tmp_path / "gate")
    run = running(
        sides.total_or_text,
        sides.waits_or_refuses,
        key=sides.kind,
        decide=lambda key: "shadow" if key == "str" else "candidate",
        budget=Budget(seconds=PATIENCE),
    )
    # The background candidate waits at the gate; served ones fail, more often than are kept.
    assert run(gate) == gate
    failing = MISMATCHES_AT_ONCE + 4
    assert [run([1.0]) for _ in range(failing)] == [1.0] * failing
    while (totals := run.experiment.evidence.totals("test", *sides.ALWAYS)).errors < failing:
        run.experiment.flush(0.05)
    assert (totals.calls, totals.compared) == (failing, 0)
    Path(gate).write_text(gate)
    assert run.totals().equal == 1
    assert run.mismatches()[0].args == ([1.0],)


def test_bad_input_is_no_error_of_a_candidate_that_refuses_it_too(running: Running) -> None:
    run = running(sides.refuses, sides.refuses, decide=lambda _key: "candidate")
    with pytest.raises(sides.OldError):
        run([1.0])
    assert (run.totals().errors, run.totals().equal) == (0, 1)


def test_a_control_that_dies_in_the_background_is_no_error_of_the_candidate(
    running: Running,
) -> None:
    run = running(sides.leaves, sides.total, decide=lambda _key: "candidate")
    assert run([1.0]) == 1.0
    totals = run.totals()
    assert (totals.served, totals.errors, totals.skipped, totals.compared) == (1, 0, 1, 0)


def test_judge_newest_versions_and_revision_are_the_users(running: Running) -> None:
    run = running(
        sides.total,
        sides.wrong,
        judge=sides.flipped,
        newest=sides.newest,
        versions={"control": "2.3", "candidate": "3.0"},
        revision=len,
    )
    run([1.0, 2.0])
    totals = run.totals()
    assert (totals.compared, totals.explained, totals.flips) == (3, 1, 1)
    assert totals.causes == {"SEED": 1}
    (mismatch,) = run.mismatches()
    assert totals.staleness_seconds == (mismatch.at - sides.NEWEST).total_seconds()
    assert mismatch.versions.items() >= {"control": "2.3", "candidate": "3.0"}.items()
    assert mismatch.revision == "2"


def test_a_judge_that_fails_calls_nothing_equal(running: Running) -> None:
    run = running(sides.total, sides.total, judge=sides.broken_judge)
    run([1.0])
    assert (run.totals().errors, run.totals().compared) == (1, 0)


def test_after_close_the_control_answers_alone(running: Running) -> None:
    run = running(sides.total, sides.wrong, decide=lambda _key: "candidate")
    run.experiment.close()
    assert run([1.0]) == 1.0
    assert run.experiment.evidence.totals("test", *sides.ALWAYS).calls == 0


def test_close_accounts_for_what_waits(running: Running) -> None:
    run = running(sides.total, sides.total)
    run([1.0])
    assert run.totals().equal == 1
    for _ in range(30):
        run([1.0])
    run.experiment.close()
    totals = run.experiment.evidence.totals("test", *sides.ALWAYS)
    # On a machine with nothing to spare, what was not done in time is skipped, or lost.
    assert totals.equal + totals.skipped + run.experiment.lost == 31


def test_a_worker_is_of_the_lowest_priority_and_no_experiment(running: Running) -> None:
    run = running(sides.same, sides.process_of)
    run([1.0])
    (mismatch,) = run.mismatches()
    assert mismatch.candidate is not None
    number, nice, policy = mismatch.candidate.value
    assert number != os.getpid()
    assert (nice, policy) == (19, os.SCHED_IDLE)


@pytest.mark.parametrize(
    ("control", "options", "rule"),
    [
        (lambda values: 0.0, {}, "must be able to import it"),
        (sides.later, {}, "no coroutine function"),
        (sides.total, {"sample": 1.5}, "sample=1.5; must be 0..1"),
        (sides.total, {"judge": lambda *_: None}, "must be able to import it"),
    ],
)
def test_what_cannot_run_out_of_process_is_refused_at_once(
    tmp_path: Path, control: Any, options: dict[str, Any], rule: str
) -> None:
    with pytest.raises(ShadowError, match=rule):
        Experiment("test", control, sides.total, evidence=tmp_path / "evidence.sqlite", **options)


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ShadowError, match="queue=0; must be more than 0"):
        Budget(queue=0)
    assert BUDGET.queue == 64
