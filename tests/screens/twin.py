"""A screen judged row by row in plain Python, from the rules in words: the twin of the evaluator.

A world is bars as dictionaries: ``world[timeframe][instrument]`` is a list of rows, each with
``open``, ``end``, ``final``, ``position``, ``seen`` and ``values`` by column. Unknown is None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tallow.screens.nodes import Combination, Constant, CrossSection, Leaf, Node, OverBars

World = Mapping[str, Mapping[str, list[dict[str, Any]]]]


class Twin:
    """A world, the timeframe whose bars are judged, and each population as a function of a name.

    A population says True or False for an instrument, or its group; None for none.
    """

    def __init__(self, world: World, base: str, populations: Mapping[str, Any]) -> None:
        self.world, self.base, self.populations = world, base, populations
        self.known: dict[Any, Any] = {}

    def judge(self, tree: Node, name: str, row: dict[str, Any]) -> Any:
        """Return True, False, a number, or None: what a tree is on a bar of an instrument."""
        closed = self.closed(name, self.base)
        return self.value(tree, name, closed.index(row), self.base) if row in closed else None

    def closed(self, name: str, timeframe: str) -> list[dict[str, Any]]:
        return [row for row in self.world[timeframe].get(name, []) if row["final"]]

    def timeframes(self, node: Node) -> set[str]:
        """Return whose bars a node counts: one timeframe, or none for constants alone."""
        if isinstance(node, Constant):
            return set()
        if isinstance(node, Leaf):
            return {self.base if node.is_forming else node.timeframe or self.base}
        if isinstance(node, CrossSection):
            return {self.base}
        operands = node.operands if isinstance(node, Combination) else (node.operand,)
        found = {each for operand in operands for each in self.timeframes(operand)}
        return found if len(found) < 2 else {self.base}

    def value(self, node: Node, name: str, at: int, timeframe: str) -> Any:
        """Return what a node is on the closed bar `at` of a timeframe."""
        key = (id(node), name, at, timeframe)
        if key not in self.known:
            self.known[key] = (node, self._value(node, name, at, timeframe))
        return self.known[key][1]

    def _value(self, node: Node, name: str, at: int, timeframe: str) -> Any:
        if at < 0:
            return None
        for own in self.timeframes(node) - {timeframe}:
            # The last bar of the longer timeframe that is closed when this one is.
            moment = self.closed(name, timeframe)[at]["end"]
            rows = self.closed(name, own)
            before = [k for k, row in enumerate(rows) if row["end"] <= moment]
            return self.value(node, name, before[-1], own) if before else None
        if isinstance(node, Constant):
            return node.value
        if isinstance(node, Leaf):
            return self.leaf(node, name, at, timeframe)
        if isinstance(node, OverBars):
            return self.over_bars(node, name, at, timeframe)
        if isinstance(node, CrossSection):
            return self.cross_section(node, name, at)
        return self.combination(node, name, at, timeframe)

    def leaf(self, node: Leaf, name: str, at: int, timeframe: str) -> Any:
        row = self.closed(name, timeframe)[at]
        if not node.is_forming:
            return row["values"][node.column]
        assert node.timeframe is not None
        is_newest = row is self.closed(name, self.base)[-1]
        found = None
        for other in self.world[node.timeframe].get(name, []):
            seen = is_newest if other["seen"] is None else other["seen"] <= row["end"]
            if not other["final"] and seen:
                found = other
        if found is None or not found["open"] <= row["end"] < found["end"]:
            return None
        return found["values"][node.column]

    def over_bars(self, node: OverBars, name: str, at: int, timeframe: str) -> Any:
        def before(bars: int) -> Any:
            return self.value(node.operand, name, at - bars, timeframe)

        last = [before(k) for k in range(node.bars)]
        match node.operator:
            case "offset":
                return before(node.bars)
            case "change":
                return (
                    None
                    if None in {before(0), before(node.bars)}
                    else finite(before(0) - before(node.bars))
                )
            case "highest" | "lowest":
                pick = max if node.operator == "highest" else min
                return None if None in last else pick(last)
            case "within":
                return any_of(last)
            case "for":
                return all_of(last)
        sign = 1 if node.operator == "rising" else -1
        steps = [(before(k + 1), before(k)) for k in range(node.bars)]
        return all_of([None if None in step else (step[1] - step[0]) * sign > 0 for step in steps])

    def combination(self, node: Combination, name: str, at: int, timeframe: str) -> Any:
        given = [self.value(operand, name, at, timeframe) for operand in node.operands]
        match node.operator:
            case "and":
                return all_of(given)
            case "or":
                return any_of(given)
            case "between":
                x, low, high = given
                return all_of([compare(">=", x, low), compare("<=", x, high)])
            case "crosses above" | "crosses below":
                return self.crosses(node, name, at, timeframe)
            case operator if len(given) == 2 and operator in {"<", "<=", ">", ">=", "==", "!="}:
                return compare(operator, *given)
        if None in given:
            return None
        match node.operator:
            case "not":
                return not given[0]
            case "negative":
                return -given[0]
            case "abs":
                return abs(given[0])
            case "min":
                return min(given)
            case "max":
                return max(given)
            case "/" if given[1] == 0:
                return None
        x, y = given
        results = {"+": x + y, "-": x - y, "*": x * y}
        return finite(results[node.operator] if node.operator in results else x / y)

    def crosses(self, node: Combination, name: str, at: int, timeframe: str) -> Any:
        rows = self.closed(name, timeframe)
        if at == 0 or rows[at]["position"] != rows[at - 1]["position"] + 1:
            return None
        x, y = node.operands if node.operator == "crosses above" else node.operands[::-1]
        was = [self.value(each, name, at - 1, timeframe) for each in (x, y)]
        now = [self.value(each, name, at, timeframe) for each in (x, y)]
        if None in was + now:
            return None
        return was[0] <= was[1] and now[0] > now[1]

    def cross_section(self, node: CrossSection, name: str, at: int) -> Any:
        moment = self.closed(name, self.base)[at]["open"]
        group = self.group(node, name)
        values = {}
        for other in self.world[self.base]:
            for k, row in enumerate(self.closed(other, self.base)):
                is_member = self.group(node, other) not in {None, False}
                # Of flags, all who ask are told of the members; of groups, each of its own.
                is_same = isinstance(group, bool) or self.group(node, other) == group
                if row["open"] == moment and is_member and is_same:
                    values[other] = self.value(node.operand, other, k, self.base)
        known = {other: value for other, value in values.items() if value is not None}
        if group is None or not known:
            return None
        if node.operator == "breadth":
            return sum(known.values()) / len(known)
        return statistic(node.operator, known.get(name), list(known.values()))

    def group(self, node: CrossSection, name: str) -> Any:
        return True if node.population is None else self.populations[node.population](name)


def statistic(operator: str, x: Any, values: list[float]) -> Any:
    """Return the rank or score of a value among the values of a population, itself included."""
    if x is None:
        return None
    count = len(values)
    if operator == "cs_zscore":
        mean = math.fsum(values) / count
        deviation = math.sqrt(math.fsum((each - mean) ** 2 for each in values) / count)
        return (x - mean) / deviation if deviation > 0 else None
    below, equal = sum(each < x for each in values), sum(each == x for each in values)
    rank = below + (equal + 1) / 2
    if operator == "cs_rank":
        return rank
    return (rank - 1) / (count - 1) if count > 1 else 0.5


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def compare(operator: str, x: Any, y: Any) -> bool | None:
    if x is None or y is None:
        return None
    ways = {"<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y, "==": x == y, "!=": x != y}
    return ways[operator]


def all_of(given: list[Any]) -> bool | None:
    """One that does not hold decides; else one that is unknown."""
    if False in given:
        return False
    return None if None in given else True


def any_of(given: list[Any]) -> bool | None:
    """One that holds decides; else one that is unknown."""
    if True in given:
        return True
    return None if None in given else False
