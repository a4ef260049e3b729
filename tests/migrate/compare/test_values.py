"""Goal: two answers are paired row by row, everything is counted once, and each count is right.

Method: answers of a few bars written by hand, and a classifier with planned causes;
random answers, whose counts must add up to what a plain loop over dictionaries finds.
"""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import polars as pl
import pytest

from tallow.core.errors import ComparisonError
from tallow.migrate.causes import classifier
from tallow.migrate.compare import ComparisonRules, judge, values
from tallow.migrate.compare.values import ComparisonValues, compare_answers
from tallow.migrate.pairs import Cause
from tallow.migrate.protocol import Request
from tests.migrate.compare.answers import answer

LOOKS_AHEAD = int(Cause.LOOK_AHEAD | Cause.ROUNDING)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """Give the causes that the classifier will return, by series; unexplained where none are."""
    planned: dict[str, list[int]] = {}

    class PlannedClassifier:
        def __init__(self, *given: object) -> None:
            assert len(given) == 3

        def causes(self, pair):
            flags = planned.get(pair.series, [int(Cause.UNEXPLAINED)] * len(pair.timestamp))
            return np.array(flags, dtype=np.int64)

    monkeypatch.setattr(values, "Classifier", PlannedClassifier)
    return planned


def request(indicators: str = "sma(9)") -> Request:
    return Request(pl.DataFrame(), indicators=indicators)


def compared(control: pl.DataFrame, candidate: pl.DataFrame, **rules) -> ComparisonValues:
    return compare_answers(request(), control, candidate, ComparisonRules(**rules))


def test_rows_are_joined_by_time_and_all_are_kept(planned) -> None:
    control = answer(3, 0, close=[1.0, 2.0, 3.0], sma_9=[None, 2.0, 3.0])
    candidate = answer(3, 1, close=[2.0, 3.5, 4.0], sma_9=[2.0, None, 4.0])
    found = compared(control, candidate)
    assert found.rows == (2, 1, 1)
    close, average = (found.instruments["A"][name] for name in ("close", "sma_9"))
    assert (close.compared, close.equal, close.different) == (4, 1, 1)
    assert (close.only_control, close.only_candidate) == (1, 1)
    # The first bar has no average on either side: nothing to compare.
    assert (average.compared, average.equal, average.only_control) == (3, 1, 1)
    assert (close.max_absolute, close.max_relative) == (0.5, 0.5 / 3.5)


def test_a_value_without_an_accepted_cause_is_unexplained(planned) -> None:
    planned["sma_9"] = [0, LOOKS_AHEAD, LOOKS_AHEAD, int(Cause.UNEXPLAINED), 0]
    control = answer(5, sma_9=[1.0, 2.0, 3.0, 4.0, 5.0])
    candidate = answer(5, sma_9=[1.0, 2.5, 3.5, 4.5, 5.5])
    counts = compared(control, candidate).instruments["A"]["sma_9"]
    assert (counts.explained, counts.unexplained) == (2, 2)
    assert counts.causes == {"look-ahead": 2, "rounding": 2, "unexplained": 2}
    rejected = compared(control, candidate, rejected=Cause.LOOK_AHEAD)
    assert rejected.instruments["A"]["sma_9"].unexplained == 4


def test_equal_answers_are_never_classified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "RequestBars", None)
    same = answer(3, close=[1.0, 2.0, 3.0], sma_9=[1.0, None, 0.0])
    assert compared(same, same).total().equal == 5
    with pytest.raises(TypeError):
        compared(same, answer(3, close=[1.0, 2.0, 4.0]))


def test_a_requested_series_of_the_control_must_be_in_the_candidate(planned) -> None:
    control = answer(2, close=[1.0, 2.0], sma_9=[1.0, 2.0], own=[1.0, 2.0], volume=[1.0, 1.0])
    candidate = answer(2, close=[1.0, 2.0], other=[3.0, 4.0])
    found = compared(control, candidate)
    assert found.names.compared == ("close", "sma_9")
    assert found.instruments["A"]["sma_9"].only_control == 2
    assert found.names.only_control == ("own", "volume")
    assert found.names.only_candidate == ("other",)
    assert compared(candidate, control).names.compared == ("close",)


def test_decimals_come_from_all_instruments(planned) -> None:
    fine = [n / 7 for n in range(1, 13)]
    parts = [(name, fine[3 * i : 3 * i + 3]) for i, name in enumerate("ABCD")]
    control = pl.concat([answer(3, 0, name, sma_9=np.round(v, 2)) for name, v in parts])
    candidate = pl.concat([answer(3, 0, name, sma_9=v) for name, v in parts])
    found = compared(control, candidate)
    assert found.decimals["sma_9"] == (2, None)
    assert (found.series()["sma_9"].rounded, found.series()["sma_9"].equal) == (11, 1)


def test_the_worst_rows_are_unexplained_first_and_lie_apart(planned) -> None:
    bars, control = 100, np.full(100, 10.0)
    candidate = control.copy()
    candidate[[20, 21, 80]] = 14.0, 19.0, 10.5
    planned["close"] = [int(Cause.LOOK_AHEAD)] * bars
    planned["close"][80] = int(Cause.UNEXPLAINED)
    found = compared(answer(bars, close=control), answer(bars, close=candidate))
    worst_rows = [(row.at + row.timestamps[0], row.values()) for row in found.worst["close"]]
    assert [values for _, values in worst_rows] == [(10.0, 10.5), (10.0, 19.0)]
    worst = found.worst["close"][0]
    assert worst.causes == ("unexplained",)
    assert worst.timestamp == answer(1, 80)["timestamp"].to_physical()[0]
    assert len(worst.timestamps) == 50  # 30 bars before it, and the 19 that are left


def test_blocks_add_up_to_the_whole(planned) -> None:
    draw = random.Random(7)
    sides = [
        [answer(9, 0, name, close=[draw.choice([1.0, 2.0]) for _ in range(9)]) for name in "ABC"]
        for _ in range(2)
    ]
    whole = compared(*(pl.concat(frames) for frames in sides))
    added = ComparisonValues()
    for control, candidate in zip(*sides, strict=True):
        added.add(compared(control, candidate))
    assert added.total() == whole.total()
    assert (added.rows, added.first, added.last) == (whole.rows, whole.first, whole.last)
    assert [row.rank() for row in added.worst["close"]] == [
        row.rank() for row in whole.worst["close"]
    ]


@pytest.mark.parametrize("seed", range(5))
def test_counts_add_up_and_are_those_of_a_loop(planned, seed: int) -> None:
    draw = random.Random(seed)
    kept = []
    rows: dict[tuple[int, str, int], float | None] = {}
    for side in range(2):
        frames = []
        for name in "AB":
            bars = sorted(draw.sample(range(40), 30))
            values = [draw.choice([None, 1.0, 1.0 + 1e-12, 2.0]) for _ in bars]
            frames += [answer(1, b, name, close=[v]) for b, v in zip(bars, values, strict=True)]
            rows |= {(side, name, b): v for b, v in zip(bars, values, strict=True)}
        draw.shuffle(frames)
        kept.append(pl.concat(frames))
    expected: Counter[str] = Counter()
    for name, bar in {(name, bar) for _, name, bar in rows}:
        left, right = (rows.get((side, name, bar)) for side in range(2))
        match left, right:
            case None, None:
                continue
            case None, _:
                expected["only_candidate"] += 1
            case _, None:
                expected["only_control"] += 1
            case a, b if a == b:
                expected["equal"] += 1
            case a, b if abs(a - b) < 1e-9:
                expected["tolerated"] += 1
            case _:
                expected["different"] += 1
    total = compared(*kept).total()
    assert {name: getattr(total, name) for name in expected} == expected
    assert total.compared == expected.total() == total.same + total.explained + total.unexplained


def test_a_judgement_is_the_same_counts(planned) -> None:
    planned["sma_9"] = [0, 0, int(Cause.LOOK_AHEAD), 0]
    control = answer(4, close=[1.0, 3.0, 3.0, 3.0], sma_9=[2.0, 2.0, 2.0, 2.0])
    candidate = answer(4, close=[1.0, 3.0, 3.0, 3.0], sma_9=[2.0, 4.0, 2.5, 2.0])
    judgement = judge(control, candidate, request())
    assert (judgement.compared, judgement.equal) == (8, 6)
    assert (judgement.explained, judgement.unexplained) == (1, 1)
    assert judgement.causes == {"look-ahead": 1, "unexplained": 1}
    # The control crosses up in bar 1; the candidate in bar 2.
    assert judgement.flips == 2


def test_nothing_on_either_side_is_a_judgement_of_nothing(planned) -> None:
    empty = answer(0, close=[])
    assert judge(empty, empty, request()).compared == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (answer(1, close=[1.0]).drop("instrument"), "instrument"),
        (answer(1, close=[1.0]).with_columns(timestamp=pl.lit("09:15")), "timestamp"),
        (pl.concat([answer(1, close=[1.0])] * 2), "A at 2025-07-18T03:45Z more than once"),
    ],
)
def test_what_no_engine_may_answer_is_refused(wrong: pl.DataFrame, words: str) -> None:
    with pytest.raises(ComparisonError, match=words):
        compared(answer(1, close=[1.0]), wrong)
