"""Whose bars a node of a tree counts: those of its operands' timeframe, or those of the screen."""

from __future__ import annotations

from dataclasses import replace

from tallow.core.errors import ScreenError
from tallow.screens.nodes import (
    Combination,
    CrossSection,
    Leaf,
    Node,
    OverBars,
    all_nodes,
)


def timeframe_of(node: Node, base: str | None) -> str | None:
    """Return the timeframe whose bars a node counts; None for the base's, and for constants alone.

    That is the one of all its operands, where they agree; constants agree with any. What has
    operands of several timeframes, a bar that is still open, or a population, is of the base.
    """
    found = {None if each == base else each for each in node.timeframes}
    return found.pop() if len(found) == 1 else None


def on_timeframe(tree: Node, timeframe: str) -> Node:
    """Return a tree with a timeframe for all its values.

    `ScreenError` if one has a timeframe already, or there is none.
    """
    leaves = [node for node in all_nodes(tree) if isinstance(node, Leaf)]
    for node in all_nodes(tree):
        if isinstance(node, CrossSection):
            raise ScreenError(
                f"@{timeframe}: {node.operator} is over the screen's own bars; give the timeframe "
                f"to what it ranks or counts: {node.operator}(...@{timeframe} ...)"
            )
        if isinstance(node, Leaf) and node.timeframe is not None:
            raise ScreenError(
                f"@{timeframe}: {node.text}@{node.timeframe} has a timeframe already; give it once"
            )
    if not leaves:
        raise ScreenError(f"@{timeframe}: a number is the same in every timeframe; leave it out")
    return _moved(tree, timeframe)


def _moved(node: Node, timeframe: str) -> Node:
    match node:
        case Leaf():
            return replace(node, timeframe=timeframe)
        case Combination(operator=operator, operands=operands):
            return Combination(operator, tuple(_moved(each, timeframe) for each in operands))
        case OverBars(operator=operator, operand=operand, bars=bars):
            return OverBars(operator, _moved(operand, timeframe), bars)
    return node
