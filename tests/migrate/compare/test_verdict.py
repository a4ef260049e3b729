"""Goal: the verdict follows from the criteria as the documentation says, and shows every figure.

Method: one table of cases, each with counts and costs written by hand, and the outcome that a
reader of the rules would give.
"""

from __future__ import annotations

import pytest

from tallow.core.errors import ParameterError
from tallow.migrate.compare.counts import ValueCounts
from tallow.migrate.compare.measuring import Cost
from tallow.migrate.compare.verdict import Thresholds, Verdict, judge_by

MB = 1_000_000
CHEAP, DEAR = Cost(0.006, 30 * MB), Cost(0.010, 100 * MB)
STORED = Cost(why="stored values")


def verdict(
    unexplained=0,
    noise=0,
    errors=(0, 0),
    costs=(DEAR, CHEAP),
    flips=0,
    left_out=(),
    **thresholds,
) -> Verdict:
    counts = ValueCounts(equal=1_000 - unexplained, different=unexplained, unexplained=unexplained)
    return judge_by(
        Thresholds(**thresholds),
        costs,
        counts,
        noise=noise,
        decisions=(1_000, 7 + flips, flips),
        requested=12,
        left_out=left_out,
        errors=errors,
    )


def results(given: Verdict) -> str:
    return " ".join(criterion.result for criterion in given.criteria)


@pytest.mark.parametrize(
    ("given", "outcome", "expected"),
    [
        ({}, "go", "pass pass pass pass pass pass"),
        ({"unexplained": 1}, "go", "pass pass pass pass pass pass"),
        ({"unexplained": 2}, "no-go", "fail pass pass pass pass pass"),
        ({"unexplained": 2, "values": 99.8}, "go", "pass pass pass pass pass pass"),
        ({"errors": (0, 1)}, "no-go", "pass pass pass pass pass fail"),
        ({"errors": (1, 1)}, "go", "pass pass pass pass pass pass"),
        ({"costs": (DEAR, Cost(0.00601, 30 * MB))}, "no-go", "pass pass pass fail pass pass"),
        ({"costs": (DEAR, Cost(0.006, 41 * MB))}, "no-go", "pass pass pass pass fail pass"),
        (
            {"costs": (DEAR, DEAR), "time": 0.0, "memory": -10.0},
            "go",
            "pass pass pass pass pass pass",
        ),
        # What is not measured stays open, whichever side it is.
        ({"costs": (STORED, CHEAP)}, "go", "pass pass pass open open pass"),
        ({"costs": (DEAR, STORED)}, "go", "pass pass pass open open pass"),
        ({"costs": (STORED, CHEAP), "errors": (0, 1)}, "no-go", "pass pass pass open open fail"),
        # A candidate that dies when it is measured has failed; a dying control says nothing of it.
        (
            {"costs": (DEAR, Cost(why="hung", failed=True))},
            "no-go",
            "pass pass pass fail fail pass",
        ),
        ({"costs": (Cost(why="hung", failed=True), CHEAP)}, "go", "pass pass pass open open pass"),
        # Flips that a cause explains are none.
        ({"flips": 1}, "go", "pass pass pass pass pass pass"),
        ({"flips": 2}, "no-go", "pass fail pass pass pass pass"),
        ({"flips": 2, "decisions": 99.0}, "go", "pass pass pass pass pass pass"),
        # What nobody compared, nobody can acquit; what fails, fails all the same.
        ({"left_out": ("vwap",)}, "inconclusive", "pass pass open pass pass pass"),
        ({"left_out": ("vwap",), "errors": (0, 1)}, "no-go", "pass pass open pass pass fail"),
        # What takes a few milliseconds on both sides is no reason against; a saving is one for it.
        (
            {"costs": (Cost(0.002, 100 * MB), Cost(0.0049, 30 * MB))},
            "go",
            "pass pass pass open pass pass",
        ),
        (
            {"costs": (Cost(0.0049, 100 * MB), Cost(0.002, 30 * MB))},
            "go",
            "pass pass pass pass pass pass",
        ),
        (
            {"costs": (Cost(0.002, 100 * MB), Cost(0.005, 30 * MB))},
            "no-go",
            "pass pass pass fail pass pass",
        ),
        # Pages decide, where both take next to nothing.
        ({"costs": (Cost(1.0, 2 * MB), Cost(0.1, 3 * MB))}, "go", "pass pass pass pass open pass"),
        ({"costs": (Cost(1.0, 9 * MB), Cost(0.1, 3 * MB))}, "go", "pass pass pass pass pass pass"),
        # A control that contradicts itself can condemn, and not acquit.
        ({"noise": 1}, "inconclusive", "open pass pass pass pass pass"),
        ({"noise": 5, "unexplained": 5}, "inconclusive", "open pass pass pass pass pass"),
        ({"noise": 5, "unexplained": 6}, "no-go", "fail pass pass pass pass pass"),
        ({"noise": 5, "errors": (0, 1)}, "no-go", "open pass pass pass pass fail"),
    ],
)
def test_the_outcome_follows_from_the_criteria(given, outcome, expected) -> None:
    judged = verdict(**given)
    assert (judged.outcome, results(judged)) == (outcome, expected)


def test_every_criterion_has_its_figure_and_threshold() -> None:
    criteria = {each.name: each for each in verdict(unexplained=2).criteria}
    assert criteria["values"].figure == pytest.approx(99.8)
    assert criteria["time"].figure == pytest.approx(40.0)
    assert criteria["memory"].figure == pytest.approx(70.0)
    assert [each.threshold for each in criteria.values()] == [99.9, 99.9, 12, 40.0, 60.0, 0]
    assert criteria["time"].text == "6 ms against 10 ms: 40.0 % less"
    assert criteria["flips"].text == (
        "7 of 1,000 decisions flip, 0 without a cause; 100 % the same or explained"
    )
    assert criteria["values"].text == "99.8 % equal or explained, 99.8 % equal"


def test_the_sentence_says_what_fails_and_what_is_open() -> None:
    assert verdict().text == "go: every criterion passes"
    assert verdict(costs=(STORED, CHEAP)).text == (
        "go: every criterion that was measured passes; open: time, memory"
    )
    assert verdict(unexplained=9, errors=(0, 1), costs=(STORED, CHEAP)).text == (
        "no-go: values, errors fail; open: time, memory"
    )
    assert verdict(left_out=("vwap", "ema_9"), noise=3).text == (
        "inconclusive: nobody compared vwap, ema_9 and the control does not repeat its own values"
        "; open: values, series"
    )
    assert verdict(noise=3).text == (
        "inconclusive: the control does not repeat its own values; open: values"
    )


def test_nothing_compared_is_no_go() -> None:
    judged = judge_by(Thresholds(), (DEAR, CHEAP), ValueCounts())
    assert judged.outcome == "no-go"


@pytest.mark.parametrize("wrong", [{"values": 100.1}, {"values": -1.0}, {"time": 101.0}])
def test_a_threshold_that_nothing_can_reach_is_an_error(wrong) -> None:
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        Thresholds(**wrong)
