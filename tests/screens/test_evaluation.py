"""Goal: what a screen answers is what its rules say, for every tree and every history: unknown
stays unknown, nothing later is seen, and the order of instruments is no matter.

Method: hypothesis draws trees of all kinds of nodes and worlds with gaps, unknown values and bars
that are still open. A twin in plain Python judges each row by itself. A longer history, a market in
another order, and values that become known, are compared with what was said before.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow.screens.evaluation import Evaluation
from tallow.screens.nodes import CONDITION, Combination, CrossSection, Node, all_nodes
from tests.screens.trees import BASE, OPERATORS, conditions, trees, trees_of
from tests.screens.twin import Twin, World
from tests.screens.worlds import VALUES, before, known_at, make_world, panels_of
from tests.sizes import sized

SECTORS = {"A": 1, "B": 1, "C": 2, "D": 2}
MEMBERS = {"A", "C", "E"}
GROUPS: dict[str, Any] = {"sector": SECTORS.get, "NIFTY 50": MEMBERS.__contains__}

seeds = st.integers(0, 2**32)
MEANING = {0: False, 1: None, 2: True}


def sector(panel):
    return np.array([SECTORS.get(panel.names[code], -1) for code in panel.codes], np.int64)


def members(panel):
    return np.array([panel.names[code] in MEMBERS for code in panel.codes], np.bool_)


def answers(tree: Node, world: World, order: Any = list) -> dict[tuple[str, int], Any]:
    """Return the evaluator's answer for each base row, by instrument and open: None is unknown."""
    panels = panels_of(world, order)
    evaluation = Evaluation(panels, BASE, {"sector": sector, "NIFTY 50": members})
    panel = panels[BASE]
    keys = [(panel.names[code], int(at)) for code, at in zip(panel.codes, panel.opens, strict=True)]
    if tree.kind == CONDITION:
        found = [MEANING[state] for state in evaluation.condition(tree).states.tolist()]
    else:
        numbers = evaluation.number(tree).tolist()
        found = [None if value != value else value for value in numbers]
    return dict(zip(keys, found, strict=True))


def twin_answers(tree: Node, world: World) -> dict[tuple[str, int], Any]:
    twin = Twin(world, BASE, GROUPS)
    return {
        (name, row["open"]): twin.judge(tree, name, row)
        for name, rows in world[BASE].items()
        for row in rows
    }


def compare_with_twin(tree: Node, seed: int, has_seen: bool) -> None:
    world = make_world(seed, has_seen=has_seen)
    assert answers(tree, world) == twin_answers(tree, world)


@settings(max_examples=sized(60, 200))
@given(trees, seeds, st.booleans())
def test_the_twin_says_the_same(tree, seed, has_seen):
    compare_with_twin(tree, seed, has_seen)


@pytest.mark.parametrize("operator", OPERATORS)
@settings(max_examples=sized(8, 25))
@given(st.data(), seeds)
def test_the_twin_says_the_same_of_each_operator(operator, data, seed):
    compare_with_twin(data.draw(trees_of(operator)), seed, True)


@pytest.mark.nightly
@settings(max_examples=20_000)
@given(trees, seeds, st.booleans())
def test_the_twin_says_the_same_of_very_many(tree, seed, has_seen):
    compare_with_twin(tree, seed, has_seen)


@settings(max_examples=sized(60, 200))
@given(trees, seeds, st.integers(1, 19))
def test_a_longer_history_changes_no_answer(tree, seed, bars):
    world = make_world(seed)
    moments = sorted({row["end"] for rows in world[BASE].values() for row in rows})
    moment = moments[min(bars, len(moments) - 1)]
    shorter, whole = answers(tree, before(world, moment)), answers(tree, world)
    assert shorter == {key: whole[key] for key in shorter}


@settings(max_examples=sized(60, 200))
@given(trees, seeds)
def test_the_order_of_instruments_changes_no_bit(tree, seed):
    world = make_world(seed)
    shuffled = random.Random(seed + 1).sample
    other = answers(tree, world, lambda names: shuffled(names, len(names)))
    assert {key: bits(value) for key, value in other.items()} == {
        key: bits(value) for key, value in answers(tree, world).items()
    }


def bits(value: Any) -> Any:
    return value.hex() if isinstance(value, float) else value


@given(conditions(3), seeds)
def test_not_makes_nothing_known(tree, seed):
    world = make_world(seed)
    opposite = answers(Combination("not", (tree,)), world)
    for key, value in answers(tree, world).items():
        assert opposite[key] is (None if value is None else not value)


@settings(max_examples=sized(60, 200))
@given(trees, seeds)
def test_what_is_known_stays_when_more_becomes_known(tree, seed):
    # In a population, one value more is another rank of the others.
    if any(isinstance(node, CrossSection) for node in all_nodes(tree)):
        return
    world = make_world(seed)
    known = {key: value for key, value in answers(tree, world).items() if value is not None}
    draw = random.Random(seed + 1)
    for bars in world.values():
        for row in (row for rows in bars.values() for row in rows):
            for name, value in row["values"].items():
                if value is None and draw.random() < 0.7:
                    row["values"][name] = draw.choice(VALUES)
    more = answers(tree, world)
    assert known == {key: more[key] for key in known}


def test_worlds_have_what_the_laws_are_about():
    rows = [
        (timeframe, row)
        for seed in range(50)
        for timeframe, bars in make_world(seed).items()
        for listed in bars.values()
        for row in listed
    ]
    assert any(timeframe == "15m" and not row["final"] for timeframe, row in rows)
    assert any(timeframe == "1h" and not row["final"] for timeframe, row in rows)
    assert {known_at(row) == row["end"] for _, row in rows} == {True, False}
    assert any(value is None for _, row in rows for value in row["values"].values())
